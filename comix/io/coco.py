"""COCO detection files: ours, and anybody's.

Ours carry ``page_id`` and ``reading_direction`` on images, ``score`` and ``order`` (reading order from 0) on annotations.
Source: the COCO data format; category ids after the CoMix benchmark (1 panel, 2 character, 3 balloon, 4 text,
5 onomatopoeia, 7 face).
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.files import json_bytes, read_json
from comix.core.geometry import Box
from comix.core.page import Detection, PageRecord
from comix.io.cococolumns import CocoColumns, read_columns
from comix.io.detections import CATEGORY_IDS, PANEL_NAMES, PageDetections
from comix.io.streams import changed_only

__all__ = [
    "CATEGORY_IDS", "PANEL_NAMES", "CocoFile", "PageDetections", "checked_box", "read_coco", "read_predictions",
    "require_order", "write_predictions",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class CocoFile:
    """A parsed COCO file: raw ``document`` (kept to write it back) and its images with their annotations."""

    document: dict[str, Any]
    panels: dict[Any, list[dict[str, Any]]] = field(default_factory=dict)


def write_predictions(path: Path, pages: Iterable[tuple[PageRecord, PageDetections]], info: Mapping[str, Any]) -> bool:
    """Write ``predictions.json`` page by page; pages without detections are in it too. Whether the file changed.

    Annotations are kept in a temporary file until all images are written, so memory does not grow with the pages.
    """
    number = 0
    with changed_only(path) as out, tempfile.TemporaryFile() as later:
        out.write(b'{"info":' + _compact(dict(info)) + b',"images":[')
        for image_id, (page, found) in enumerate(pages, start=1):
            out.write((b"," if image_id > 1 else b"") + _compact(_image(image_id, page, found)))
            for one, rank in zip(found.detections, found.order or (None,) * len(found.detections), strict=True):
                later.write((b"," if number else b"") + _compact(_annotation(number + 1, image_id, one, rank)))
                number += 1
        out.write(b'],"annotations":[')
        later.seek(0)
        shutil.copyfileobj(later, out, 1 << 20)
        categories = [{"id": number, "name": name} for name, number in CATEGORY_IDS.items()]
        out.write(b'],"categories":' + _compact(categories) + b"}\n")
    return out.has_changed


def _compact(value: Any) -> bytes:
    return json_bytes(value)[:-1]


def _image(image_id: int, page: PageRecord, found: PageDetections) -> dict[str, Any]:
    image: dict[str, Any] = {
        "id": image_id, "file_name": page.image_path, "width": page.width, "height": page.height, "page_id": page.page_id,
        "reading_direction": found.reading_direction or page.reading_direction,
    }  # fmt: skip
    if found.is_ordered:
        image["order_margin"] = found.margin
    if found.direction_from:
        image["order_notes"] = list(found.order_notes)
        image["direction_from"], image["direction_confidence"] = found.direction_from, found.direction_confidence
    return image


def _annotation(number: int, image_id: int, one: Detection, rank: int | None) -> dict[str, Any]:
    box = [_short(value) for value in one.box.xywh]
    polygon = [_short(value) for point in one.polygon for value in point]
    annotation: dict[str, Any] = {
        "id": number, "image_id": image_id, "category_id": CATEGORY_IDS[one.category], "bbox": box,
        "area": _short(one.box.area), "iscrowd": 0, "score": round(one.score, 4),
        "segmentation": [polygon] if polygon else [],
    }  # fmt: skip
    if rank is not None:
        annotation["order"] = rank
    return annotation


def _short(value: float) -> float | int:
    rounded = round(float(value), 2)
    return int(rounded) if rounded == int(rounded) else rounded


def read_coco(path: Path) -> CocoFile:
    """A COCO file of any origin with its panels grouped by image id, pages without panels included.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not COCO: names the missing part.
    """
    document = read_json(path)
    for part in ("images", "annotations"):
        if not isinstance(document, dict) or not isinstance(document.get(part), list):
            raise FileFormatError(f"{path}: not a COCO file (no list {part!r}); wanted images, annotations, categories")
    _check_entries(path, document)
    names = {one["id"]: str(one.get("name", "")).lower() for one in document.get("categories", [])}
    panel_ids = {number for number, name in names.items() if name in PANEL_NAMES}
    if names and not panel_ids and document["annotations"]:
        raise FileFormatError(
            f"{path}: no category is a panel (found: {', '.join(sorted(names.values()))}); wanted one named "
            f"{', '.join(sorted(PANEL_NAMES))}"
        )
    panels: dict[Any, list[dict[str, Any]]] = {image["id"]: [] for image in document["images"]}
    for position, annotation in enumerate(document["annotations"]):
        if annotation.get("image_id") not in panels:
            raise FileFormatError(
                f"{path}: annotation {position} names image_id {annotation.get('image_id')!r}, which is absent"
            )
        if annotation.get("category_id") in (panel_ids or {1}):
            panels[annotation["image_id"]].append(annotation)
    return CocoFile(document, panels)


def _check_entries(path: Path, document: dict[str, Any]) -> None:
    """Every entry is an object with what its reader takes for granted."""
    if not isinstance(document.get("categories", []), list):
        raise FileFormatError(f"{path}: categories must be a list of {{id, name}}")
    for part in ("images", "annotations", "categories"):
        for position, entry in enumerate(document.get(part, [])):
            where = f"{path}: {part}[{position}]"
            if not isinstance(entry, dict):
                raise FileFormatError(f"{where}: wanted an object, found {entry!r}")
            if part != "annotations" and not isinstance(entry.get("id"), int | str):
                raise FileFormatError(f"{where}: has no id")
            if part == "images":
                for key in ("width", "height"):
                    if not isinstance(entry.get(key, 1), int | float) or not entry.get(key, 1) > 0:
                        raise FileFormatError(f"{where}: {key} must be a number above 0, found {entry[key]!r}")
                if not (entry.get("page_id") or entry.get("file_name")):
                    raise FileFormatError(f"{where}: has neither file_name nor page_id")
            if part == "annotations":
                _check_annotation(where, entry)


def _check_annotation(where: str, entry: dict[str, Any]) -> None:
    checked_box(where, entry.get("bbox"))
    for key in ("image_id", "category_id"):
        if not isinstance(entry.get(key, 0), int | str | None):
            raise FileFormatError(f"{where}: {key} must be a number or a text, found {entry[key]!r}")
    if not isinstance(entry.get("score", 1.0), int | float):
        raise FileFormatError(f"{where}: score must be a number, found {entry['score']!r}")


def checked_box(where: str, value: Any) -> Box:
    """The box of an ``[x, y, width, height]`` list out of a file.

    Raises:
        FileFormatError: not four finite numbers, or a negative extent; ``where`` opens the message.
    """
    try:
        box = Box.from_xywh(value)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{where}: a box must be [x, y, width, height] ({error})") from error
    if not all(math.isfinite(number) for number in box.xywh) or box.w < 0 or box.h < 0:
        raise FileFormatError(f"{where}: the box {value} has NaN, infinite or negative extent")
    return box


def require_order(path: Path, pages: Iterable[PageDetections], command: str) -> None:
    """Prove that all panels have a reading order.

    Raises:
        MissingInputError: some have none; names the command.
    """
    unordered = next((page.page_id for page in pages if page.detections and not page.is_ordered), None)
    if unordered is not None:
        raise MissingInputError(f"{path}: panels without a reading order (first: {unordered}); first run: {command}")


def read_predictions(path: Path) -> CocoColumns:
    """Our ``predictions.json`` by page id: a mapping that keeps columns and makes each page's object when asked for it.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not COCO, or its images carry no ``page_id``.
    """
    columns = read_columns(path)
    for page_id, (width, height), name in zip(columns.page_ids, columns.sizes.tolist(), columns.file_names, strict=True):
        if not (page_id and width and height):
            raise FileFormatError(f"{path}: image {name!r} lacks page_id or size; wanted a file written by comix detect")
    if len(columns) < len(columns.page_ids):
        raise FileFormatError(f"{path}: two images have the same page_id; wanted a file written by comix detect")
    return columns
