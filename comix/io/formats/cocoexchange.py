"""COCO of any origin into pages, and pages into one COCO file, streamed.

Beyond COCO, as in our own ``predictions.json``: images carry ``page_id``, ``reading_direction`` and, when ordered,
``order_margin``; annotations ``score`` and ``order``, panels ``characters`` and ``description`` where known. Words stand in a
list ``texts`` of their own (image_id, kind, text, bbox, polygon, speaker, confidence, panel_id), so that evaluators, which
count annotations, see what they expect. Two id maps are in use: ``comix`` (panel 1, character 2, balloon 3, text 4,
onomatopoeia 5, face 7) and ``training`` (panel 1, character 2, text 3, face 4; the others are left out).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from comix.core.errors import FileFormatError
from comix.core.files import json_bytes
from comix.io.coco import CATEGORY_IDS, PANEL_NAMES, read_coco
from comix.io.formats.exchange import PageEntry, Region, checked_page, corners, outline

ID_MAPS: Mapping[str, Mapping[str, int]] = {
    "comix": CATEGORY_IDS,
    "training": {"panel": 1, "character": 2, "text": 3, "face": 4},
}
_ALIASES = {
    "character": "character", "body": "character", "balloon": "balloon", "bubble": "balloon", "speech_balloon": "balloon",
    "text": "text", "onomatopoeia": "onomatopoeia", "sfx": "onomatopoeia", "face": "face",
}  # fmt: skip
_KINDS = {
    "speech": "dialogue", "dialogue": "dialogue", "balloon": "dialogue", "thought": "thought", "sfx": "sfx", "audio": "sfx",
    "sound": "sfx", "narration": "narration", "commentary": "narration", "caption": "narration",
}  # fmt: skip


def read_pages(path: Path, language: str = "", id_map: str = "comix") -> Iterator[PageEntry]:
    """Pages of a COCO file, those without annotations too.

    Args:
        path: the file.
        language: which of several languages' texts to take; "" takes texts that name none, else the first language.
        id_map: what category numbers mean in a file that does not name its categories.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not COCO; says where.
    """
    document = read_coco(path).document
    numbers = {number: name for name, number in ID_MAPS[id_map].items()}
    names = {one["id"]: _category(str(one.get("name", ""))) for one in document.get("categories") or []} or dict(numbers)
    found: dict[Any, list[dict[str, Any]]] = {}
    for annotation in document["annotations"]:
        found.setdefault(annotation["image_id"], []).append(annotation)
    texts = _texts_by_image(path, document, language)
    for position, image in enumerate(document["images"]):
        where = f"{path}: images[{position}]"
        yield _page(where, image, found.get(image["id"], []), texts.get(image["id"], []), names)


def _key(where: str, value: Any) -> int | str | None:
    """An id out of a file."""
    if value is None or isinstance(value, int | str):
        return value
    raise FileFormatError(f"{where}: an id must be a number or a text, found {value!r}")


def _category(name: str) -> str:
    """Our name of a category, "" when we have none."""
    name = name.lower()
    return "panel" if name in PANEL_NAMES else _ALIASES.get(name, "")


def _texts_by_image(path: Path, document: dict[str, Any], language: str) -> dict[Any, list[dict[str, Any]]]:
    texts = document.get("texts", [])
    if not isinstance(texts, list):
        raise FileFormatError(f"{path}: texts must be a list")
    found: dict[Any, list[dict[str, Any]]] = {}
    first = language
    for position, one in enumerate(texts):
        if not isinstance(one, dict) or "image_id" not in one:
            raise FileFormatError(f"{path}: texts[{position}]: wanted an object with image_id, found {one!r}")
        lang = str(one.get("lang") or "")
        first = first or lang
        if not lang or lang == first:
            found.setdefault(_key(f"{path}: texts[{position}]", one["image_id"]), []).append(
                {**one, "text": _text_of(one, language)}
            )
    return found


def _text_of(one: dict[str, Any], language: str) -> str:
    """The words: ``text``, or ``text_<language>`` of files with parallel texts (the first of them by default)."""
    if isinstance(one.get("text"), str):
        return str(one["text"])
    parallel = {key[5:]: value for key, value in one.items() if key.startswith("text_") and isinstance(value, str)}
    return parallel.get(language) or next(iter(parallel.values()), "") if not language else parallel.get(language, "")


def _page(
    where: str, image: dict[str, Any], found: list[dict[str, Any]], texts: list[dict[str, Any]], names: dict[Any, str]
) -> PageEntry:
    regions: list[dict[str, Any]] = []
    places: dict[Any, int] = {}
    dropped = 0
    for one in found:
        category = names.get(one.get("category_id"), "")
        if not category:
            dropped += 1
            continue
        places[_key(where, one.get("id"))] = len(regions)
        regions.append(_region(where, one, category))
    orders = [one["order"] for one in regions if one["category"] == "panel"]
    is_ordered = "order_margin" in image if not orders else None not in orders
    words = [_words(where, one, places) for one in texts if str(one["text"]).strip()]
    direction = image.get("reading_direction")
    return checked_page(where, {
        "label": str(image.get("page_id") or image.get("file_name") or image["id"]), "page_id": str(image.get("page_id") or ""),
        "file_name": str(image.get("file_name") or ""), "width": image.get("width"), "height": image.get("height"),
        "reading_direction": direction if direction in ("ltr", "rtl") else "", "page_type": str(image.get("page_type") or ""),
        "is_ordered": is_ordered, "margin": image.get("order_margin"), "regions": regions, "words": words,
        "attributes": {"n_dropped": str(dropped)} if dropped else {},
    })  # fmt: skip


def _region(where: str, one: dict[str, Any], category: str) -> dict[str, Any]:
    return {
        "category": category, "bbox": one["bbox"], "polygon": _polygon(where, one.get("segmentation")),
        "score": one.get("score", 1.0), "order": one.get("order") if category == "panel" else None,
        "id": str(one.get("id", "")), "characters": one.get("characters", []), "description": one.get("description", ""),
    }  # fmt: skip


def _polygon(where: str, segmentation: Any) -> list[tuple[float, float]]:
    """The first outline of a segmentation; [] for none, a rectangle, or a run-length mask."""
    if not isinstance(segmentation, list) or not segmentation:
        return []
    flat = segmentation[0]
    if not isinstance(flat, list) or len(flat) % 2 or not all(isinstance(value, int | float) for value in flat):
        raise FileFormatError(f"{where}: segmentation must be [[x0, y0, x1, y1, ...]], found {str(segmentation)[:60]}")
    return outline(list(zip(flat[::2], flat[1::2], strict=True)))[1] if flat else []


def _words(where: str, one: dict[str, Any], places: dict[Any, int]) -> dict[str, Any]:
    panel = _key(where, one.get("panel_id"))
    if panel is not None and panel not in places:
        raise FileFormatError(f"{where}: a text names panel_id {panel!r}, which is no annotation of the page")
    region = _key(where, one.get("annotation_id"))
    if region is not None and region not in places:
        raise FileFormatError(f"{where}: a text names annotation_id {region!r}, which is no annotation of the page")
    kind = str(one.get("kind") or one.get("type") or "dialogue")
    return {
        "text": str(one["text"]), "kind": _KINDS.get(kind, "narration"), "bbox": one.get("bbox"),
        "polygon": _text_polygon(where, one.get("polygon")), "speaker": one.get("speaker"), "confidence": one.get("confidence"),
        "panel": None if panel is None else places[panel], "region": None if region is None else places[region],
        "is_outside": bool(one.get("is_outside", False)),
    }  # fmt: skip


def _text_polygon(where: str, polygon: Any) -> list[tuple[float, float]]:
    if not polygon:
        return []
    try:
        return outline(polygon)[1]
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{where}: a text's polygon must be [[x, y], ...] ({error})") from error


def write_coco(stream: IO[bytes], pages: Iterable[PageEntry], info: Mapping[str, Any], id_map: str = "comix") -> dict[str, int]:
    """One COCO file, page by page: annotations and texts wait in temporary files, never in memory.

    Args:
        stream: where to.
        pages: their ``file_name`` and ``page_id`` as the file shall say them.
        info: the file's ``info``.
        id_map: see `ID_MAPS`.

    Returns:
        Counts: images, annotations, texts, and ``left_out``: regions that the map has no number for.
    """
    ids = ID_MAPS[id_map]
    counts = {"images": 0, "annotations": 0, "texts": 0, "left_out": 0}
    stream.write(b'{"info":' + json_bytes(dict(info)).rstrip() + b',"images":[')
    with tempfile.TemporaryFile() as annotations, tempfile.TemporaryFile() as texts:
        for page in pages:
            counts["images"] += 1
            _add(stream, _image(counts["images"], page), counts["images"])
            places = _write_regions(annotations, page, ids, counts)
            _write_words(texts, page, places, counts)
        for name, spool in (("annotations", annotations), ("texts", texts)):
            stream.write(f'],"{name}":['.encode())
            spool.seek(0)
            shutil.copyfileobj(spool, stream)
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    stream.write(b'],"categories":' + json_bytes(categories).rstrip() + b"}\n")
    return counts


def _add(stream: IO[bytes], value: Any, number: int) -> None:
    stream.write((b"," if number > 1 else b"") + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _image(number: int, page: PageEntry) -> dict[str, Any]:
    image: dict[str, Any] = {
        "id": number, "file_name": page.file_name, "width": _plain(page.width or 0), "height": _plain(page.height or 0),
        "page_id": page.page_id, "reading_direction": page.reading_direction,
    }  # fmt: skip
    if page.page_type:
        image["page_type"] = page.page_type
    if page.is_ordered:
        image["order_margin"] = page.margin
    return image


def _write_regions(stream: IO[bytes], page: PageEntry, ids: Mapping[str, int], counts: dict[str, int]) -> dict[int, int]:
    places: dict[int, int] = {}
    for index, one in enumerate(page.regions):
        if one.category not in ids:
            counts["left_out"] += 1
            continue
        counts["annotations"] += 1
        places[index] = counts["annotations"]
        _add(stream, _annotation(one, counts, ids), counts["annotations"])
    return places


def _annotation(one: Region, counts: dict[str, int], ids: Mapping[str, int]) -> dict[str, Any]:
    x, y, w, h = one.bbox
    points = one.polygon or corners(one.bbox)
    value: dict[str, Any] = {
        "id": counts["annotations"], "image_id": counts["images"], "category_id": ids[one.category],
        "bbox": [_plain(side) for side in (x, y, w, h)], "area": _plain(w * h), "iscrowd": 0, "score": one.score,
        "segmentation": [[_plain(side) for point in points for side in point]] if one.polygon else [],
    }  # fmt: skip
    value |= {} if one.order is None else {"order": one.order}
    value |= {"characters": one.characters} if one.characters else {}
    return value | ({"description": one.description} if one.description else {})


def _write_words(stream: IO[bytes], page: PageEntry, places: dict[int, int], counts: dict[str, int]) -> None:
    for one in page.words:
        value: dict[str, Any] = {"image_id": counts["images"], "kind": one.kind, "text": one.text}
        value |= {"bbox": [_plain(side) for side in one.bbox]} if one.bbox else {}
        value |= {"polygon": [[_plain(x), _plain(y)] for x, y in one.polygon]} if one.polygon else {}
        value |= {"speaker": one.speaker} if one.speaker is not None else {}
        value |= {"confidence": one.confidence} if one.confidence is not None else {}
        value |= {"panel_id": places[one.panel]} if one.panel in places else {}
        value |= {"annotation_id": places[one.region]} if one.region in places else {}
        value |= {"is_outside": True} if one.is_outside else {}
        counts["texts"] += 1
        _add(stream, value, counts["texts"])


def _plain(value: float) -> float | int:
    rounded = round(float(value), 2)
    return int(rounded) if rounded == int(rounded) else rounded
