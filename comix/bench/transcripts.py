"""Transcripts: what is printed on pages, out of a list of texts per panel or a COCO file whose ``texts`` have boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from comix.core.errors import FileFormatError, UsageError
from comix.core.files import read_json
from comix.core.geometry import Box
from comix.interop.join import plain_path
from comix.metrics.reading import PlacedText

_KINDS = {
    "speech": "dialogue", "dialogue": "dialogue", "thought": "thought", "caption": "narration", "commentary": "narration",
    "narration": "narration", "sfx": "sfx", "sound": "sfx",
}  # fmt: skip
_SPACELESS = frozenset({"ja", "zh", "th"})


@dataclass(frozen=True, slots=True)
class TranscriptPage:
    """One transcribed page.

    Attributes:
        key: its page id, else its path as the file has it.
        page_id: "" where the file has none; ``file_name`` likewise.
        language: of the texts, as the file calls it.
        book: what the bootstrap draws; ``source``: what figures are reported by.
        panels: number in reading order from 1 -> box; empty where only numbers are known.
        texts: in the order of the file.
        size: width and height in pixels; (0, 0) where unknown.
    """

    key: str
    page_id: str
    file_name: str
    language: str
    book: str
    source: str
    panels: Mapping[int, Box]
    texts: tuple[PlacedText, ...]
    size: tuple[int, int] = (0, 0)

    @property
    def has_spaces(self) -> bool:
        """Whether the language has words with spaces between them."""
        return self.language not in _SPACELESS


def read_transcripts(paths: Sequence[Path], language: str = "") -> list[TranscriptPage]:
    """All transcribed pages of the files that have texts.

    Args:
        paths: lists of texts per panel (``pages``), COCO files with ``texts``, and COCO files without, which only give the
            panels of pages in the others, under the same path.
        language: where a file has texts in several, this one; "" for the first that the file has.

    Raises:
        MissingInputError: no such file.
        FileFormatError: neither form, or one page twice.
        UsageError: no file named, or no texts in this language.
    """
    if not paths:
        raise UsageError("truth= is missing: name a transcript, or a COCO file with texts")
    pages: dict[str, TranscriptPage] = {}
    boxes: dict[str, tuple[dict[int, Box], tuple[int, int]]] = {}
    for path in paths:
        document = read_json(path)
        try:
            if isinstance(document.get("pages"), list):
                found = [_listed(entry) for entry in document["pages"]]
                found = [page for page in found if language in ("", page.language)]
            else:
                panels = _panels(document)
                boxes |= {plain_path(image["file_name"]): panels[image["id"]] for image in document["images"]}
                found = _boxed(document, panels, language)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise FileFormatError(
                f"{path}: not a transcript ({type(error).__name__}: {error}); wanted a list of pages with panels and their "
                "texts, or COCO with texts; see docs/evaluation.md"
            ) from error
        for page in found:
            if page.key in pages:
                raise FileFormatError(f"{path}: {page.key!r} is also in another file; name each page once")
            pages[page.key] = page
    if not pages:
        raise UsageError(f"truth={','.join(map(str, paths))}: no texts{f' with language={language}' if language else ''}")
    return [_with_panels(page, boxes.get(plain_path(page.file_name))) for page in pages.values()]


def _listed(entry: Mapping[str, Any]) -> TranscriptPage:
    texts = [
        PlacedText(text["text"], int(panel["order"]) + 1, _KINDS.get(text.get("type", ""), ""))
        for panel in entry["panels"]
        for text in panel["texts"]
    ]
    texts += [PlacedText(text["text"]) for text in entry.get("outside_panels", ())]
    return _page(entry, str(entry.get("lang") or entry.get("language") or ""), {}, texts, (0, 0))


def _page(
    entry: Mapping[str, Any], language: str, panels: Mapping[int, Box], texts: Sequence[PlacedText], size: tuple[int, int]
) -> TranscriptPage:
    page_id, file_name = str(entry.get("page_id") or ""), str(entry.get("file_name") or "")
    key = page_id or plain_path(file_name)
    folder = PurePosixPath(key).parent.as_posix()
    book = str(entry.get("book") or entry.get("book_id") or folder)
    source = str(entry.get("source") or PurePosixPath(key).parts[0])
    return TranscriptPage(key, page_id, file_name, language, book, source, panels, tuple(texts), size)


def _panels(document: Mapping[str, Any]) -> dict[int, tuple[dict[int, Box], tuple[int, int]]]:
    """Image id -> its panels by number, and its size."""
    names = {one["id"]: one["name"] for one in document.get("categories") or [{"id": 1, "name": "panel"}]}
    found: dict[int, tuple[dict[int, Box], tuple[int, int]]] = {
        image["id"]: ({}, (image["width"], image["height"])) for image in document["images"]
    }
    for one in document["annotations"]:
        if names.get(one["category_id"]) in ("panel", "frame"):
            panels = found[one["image_id"]][0]
            panels[int(one.get("order", len(panels))) + 1] = Box.from_xywh(one["bbox"])
    return found


def _boxed(
    document: Mapping[str, Any], panels: Mapping[int, tuple[dict[int, Box], tuple[int, int]]], language: str
) -> list[TranscriptPage]:
    """Pages of a COCO file whose ``texts`` have a ``text`` in a ``lang``, or one ``text_xx`` for each language."""
    listed = document.get("texts") or ()
    spoken = [(one, *said) for one in listed for said in _said(one)]
    chosen = language or next((name for _, name, _ in spoken), "")
    by_image: dict[int, list[PlacedText]] = {}
    for one, name, text in spoken:
        if name == chosen and text.strip():
            box = Box.from_xywh(one["bbox"])
            placed = PlacedText(text, _holder(box, panels[one["image_id"]][0]), _KINDS.get(one.get("type") or "", ""), box)
            by_image.setdefault(one["image_id"], []).append(placed)
    return [
        _page(image, chosen, *(panels[image["id"]][0], by_image[image["id"]], panels[image["id"]][1]))
        for image in document["images"]
        if image["id"] in by_image
    ]


def _said(text: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Language and words of one text, for each language that it is in."""
    if text.get("text"):
        return [(str(text.get("lang") or ""), text["text"])]
    return [(key.removeprefix("text_"), text[key]) for key in text if key.startswith("text_") and text[key]]


def _holder(box: Box, panels: Mapping[int, Box]) -> int | None:
    """Number of the panel that has most of a text's box; the smaller one of two that hold all of it."""
    shares = {number: round(panel.intersection(box) / max(box.area, 1e-9), 2) for number, panel in panels.items()}
    best = max(shares, key=lambda number: (shares[number], -panels[number].area), default=None)
    return best if best is not None and shares[best] > 0 else None


def _with_panels(page: TranscriptPage, known: tuple[dict[int, Box], tuple[int, int]] | None) -> TranscriptPage:
    return page if known is None or page.panels else replace(page, panels=known[0], size=known[1])
