"""Formats that are read only: Kumiko, DCM772, eBDtheque, OpenMantra.

Source: Kumiko's JSON output; the DCM772 ground truth (``cls x1 y1 x2 y2`` a line: 1 human body, 5 animal, 6 background
person, 7 face, 8 frame); the eBDtheque SVG ground truth (layers told by their class); OpenMantra's ``annotation.json``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.files import read_json
from comix.io.formats.exchange import PageEntry, checked_page, outline
from comix.io.formats.xmltree import local, parse_xml, points_of

_DCM = {1: "character", 5: "character", 6: "character", 7: "face", 8: "panel"}
_EBD = {"panel": "panel", "balloon": "balloon", "character": "character", "line": "text"}
_PARALLEL = ("ja", "en", "zh")


def read_kumiko(path: Path) -> Iterator[PageEntry]:
    """Pages of a Kumiko JSON; its panels are listed in reading order.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not Kumiko's output; says where.
    """
    value = read_json(path)
    if not isinstance(value, list):
        raise FileFormatError(f"{path}: wanted Kumiko's list of pages, found a {type(value).__name__}")
    for number, page in enumerate(value):
        where = f"{path}: [{number}]"
        if not isinstance(page, dict) or not isinstance(page.get("panels"), list) or not page.get("filename"):
            raise FileFormatError(f"{where}: wanted {{filename, size, panels}}, found {str(page)[:80]}")
        size = page.get("size")
        if not isinstance(size, list) or len(size) != 2:
            raise FileFormatError(f"{where}: size must be [width, height], found {size!r}")
        regions = [{"category": "panel", "bbox": box, "order": rank} for rank, box in enumerate(page["panels"])]
        yield checked_page(where, {
            "label": str(page["filename"]), "file_name": str(page["filename"]), "width": size[0], "height": size[1],
            "is_ordered": True, "regions": regions,
            "reading_direction": {"ltr": "ltr", "rtl": "rtl"}.get(str(page.get("numbering", "")), ""),
        })  # fmt: skip


def read_dcm(path: Path, root: Path) -> Iterator[PageEntry]:
    """The page of one DCM772 ground truth file; its image is ``images/<path>.jpg`` where this is ``groundtruth/<path>.txt``.

    Args:
        path: the ``.txt`` file.
        root: the ``groundtruth`` folder.

    Raises:
        FileFormatError: a line is not five numbers of a class known here.
    """
    regions = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise MissingInputError(f"{path}: no such file; wanted a DCM772 ground truth file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: cannot be read as text ({error})") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            kind, left, top, right, bottom = (float(part) for part in line.split())
        except ValueError:
            raise FileFormatError(f"{path}: line {number}: wanted 'class x1 y1 x2 y2', found {line[:60]!r}") from None
        if not math.isfinite(kind) or int(kind) != kind or int(kind) not in _DCM:
            raise FileFormatError(f"{path}: line {number}: class {kind:g} is none of {', '.join(map(str, _DCM))}")
        category, box = _DCM[int(kind)], [left, top, right - left, bottom - top]
        regions.append({"category": category, "bbox": box, "attributes": {"dcm_class": str(int(kind))}})
    name = path.relative_to(root).with_suffix(".jpg").as_posix()
    yield checked_page(str(path), {"label": name, "file_name": f"images/{name}", "regions": regions})


def read_ebdtheque(path: Path, root: Path) -> Iterator[PageEntry]:
    """The page of one eBDtheque SVG; its image is ``Pages/<path>.jpg`` where this is ``GT/<path>.svg``.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not an SVG with layers of known classes; says where.
    """
    svg = parse_xml(path)
    where = str(path)
    if local(svg) != "svg":
        raise FileFormatError(f"{where}: the root element is <{local(svg)}>; wanted <svg>")
    regions: list[dict[str, Any]] = []
    layers = [one for one in svg.iter("{*}svg", "svg") if _layer(one)]
    if not layers:
        raise FileFormatError(f"{where}: no layer of class Panel, Balloon, Character or Line; wanted an eBDtheque ground truth")
    for layer in layers:
        for polygon in layer.iter("{*}polygon", "polygon"):
            if next((one for one in polygon.iterancestors() if _layer(one)), None) is layer:
                box, points = outline(points_of(where, polygon))
                regions.append({"category": _layer(layer), "bbox": box, "polygon": points})
    name = path.relative_to(root).with_suffix(".jpg").as_posix()
    size = next((one for one in svg.iter("{*}image", "image") if one.get("width")), svg)
    yield checked_page(where, {
        "label": name, "file_name": f"Pages/{name}", "width": _pixels(size.get("width")), "height": _pixels(size.get("height")),
        "regions": regions,
    })  # fmt: skip


def _layer(element: Any) -> str:
    """The category of a layer's class, "" when it is none."""
    return _EBD.get(str(element.get("class", "")).lower(), "")


def _pixels(value: str | None) -> float | None:
    text = (value or "").removesuffix("px")
    return float(text) if text.replace(".", "", 1).isdecimal() and float(text) > 0 else None


def read_openmantra(path: Path, language: str = "") -> Iterator[PageEntry]:
    """Pages of OpenMantra's ``annotation.json``; frames are listed in reading order.

    Args:
        path: the file.
        language: ``ja`` (the original, also ""), ``en`` or ``zh``.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not OpenMantra's form, or another language; says where.
    """
    language = language or "ja"
    if language not in _PARALLEL:
        raise FileFormatError(f"{path}: no texts in language={language}; it has {', '.join(_PARALLEL)}")
    value = read_json(path)
    if not isinstance(value, list):
        raise FileFormatError(f"{path}: wanted OpenMantra's list of books, found a {type(value).__name__}")
    for number, book in enumerate(value):
        if not isinstance(book, dict) or not isinstance(book.get("pages"), list):
            raise FileFormatError(f"{path}: [{number}]: wanted {{book_title, pages}}, found {str(book)[:80]}")
        for position, page in enumerate(book["pages"]):
            yield _mantra_page(f"{path}: [{number}].pages[{position}]", str(book.get("book_title", "")), page, language)


def _mantra_page(where: str, title: str, page: Any, language: str) -> PageEntry:
    if not isinstance(page, dict) or not isinstance(page.get("frame"), list) or not isinstance(page.get("text"), list):
        raise FileFormatError(f"{where}: wanted {{page_index, image_paths, frame, text}}, found {str(page)[:80]}")
    paths = page.get("image_paths")
    name = str(paths.get("ja", "")) if isinstance(paths, dict) else ""
    regions = [{"category": "panel", "bbox": _sides(where, one), "order": rank} for rank, one in enumerate(page["frame"])]
    words = []
    for one in page["text"]:
        box = _sides(where, one)
        if str(one.get(f"text_{language}") or "").strip():
            words.append({"text": str(one[f"text_{language}"]), "bbox": box, "region": len(regions)})
        regions.append({"category": "text", "bbox": box})
    size = page.get("image_size") or {}
    return checked_page(where, {
        "label": name or f"{title}/{page.get('page_index')}", "file_name": name, "index": str(page.get("page_index", "")),
        "width": size.get("width") if isinstance(size, dict) else None, "is_ordered": True,
        "height": size.get("height") if isinstance(size, dict) else None, "reading_direction": "rtl", "regions": regions,
        "words": words,
    })  # fmt: skip


def _sides(where: str, one: Any) -> list[Any]:
    if not isinstance(one, dict) or not {"x", "y", "w", "h"} <= one.keys():
        raise FileFormatError(f"{where}: wanted {{x, y, w, h}}, found {str(one)[:60]}")
    return [one["x"], one["y"], one["w"], one["h"]]
