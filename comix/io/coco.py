"""COCO detection files: ours, and anybody's.

Ours carry ``page_id`` and ``reading_direction`` on images, ``score`` and ``order`` (reading order from 0) on annotations.
Source: the COCO data format; category ids after the CoMix benchmark (1 panel, 2 character, 3 balloon, 4 text,
5 onomatopoeia, 7 face).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.files import json_bytes, read_json, write_if_changed
from comix.core.geometry import Box
from comix.core.page import Detection, PageRecord

CATEGORY_IDS: Mapping[str, int] = {"panel": 1, "character": 2, "balloon": 3, "text": 4, "onomatopoeia": 5, "face": 7}
PANEL_NAMES = frozenset({"panel", "frame", "panel_frame", "panel_border", "comic_panel"})


@dataclass(frozen=True, slots=True)
class PageDetections:
    """Everything found on one page.

    Attributes:
        detections: in file order.
        order: reading position from 0 of each detection, None for what has none (not a panel, or not ordered yet).
        is_ordered: whether `order` ran on this page.
        margin: how sure the order is, 0 to 1; None when not ordered.
    """

    page_id: str
    width: int
    height: int
    detections: tuple[Detection, ...] = ()
    order: tuple[int | None, ...] = ()
    is_ordered: bool = False
    reading_direction: str = ""
    margin: float | None = None
    file_name: str = ""

    def panels(self, min_score: float = 0.0) -> list[Detection]:
        """Panels of at least this score, in reading order where there is one.

        The only place where a score threshold meets a panel list.
        """
        ranks = self.order or (None,) * len(self.detections)
        pairs = [
            (rank if rank is not None else len(ranks) + index, one)
            for index, (rank, one) in enumerate(zip(ranks, self.detections, strict=True))
            if one.category == "panel" and one.score >= min_score
        ]
        return [one for _, one in sorted(pairs, key=lambda pair: pair[0])]


@dataclass(frozen=True, slots=True)
class CocoFile:
    """A parsed COCO file: raw ``document`` (kept to write it back) and its images with their annotations."""

    document: dict[str, Any]
    panels: dict[Any, list[dict[str, Any]]] = field(default_factory=dict)


def write_predictions(path: Path, pages: Sequence[tuple[PageRecord, PageDetections]], info: Mapping[str, Any]) -> bool:
    """Write ``predictions.json``; pages without detections are in it too. Whether the file changed."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (page, found) in enumerate(pages, start=1):
        image: dict[str, Any] = {
            "id": image_id, "file_name": page.image_path, "width": page.width, "height": page.height, "page_id": page.page_id,
            "reading_direction": found.reading_direction or page.reading_direction,
        }  # fmt: skip
        if found.is_ordered:
            image["order_margin"] = found.margin
        images.append(image)
        for one, rank in zip(found.detections, found.order or (None,) * len(found.detections), strict=True):
            annotations.append(_annotation(len(annotations) + 1, image_id, one, rank))
    document = {
        "info": dict(info),
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in CATEGORY_IDS.items()],
    }
    return write_if_changed(path, json_bytes(document))


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
                checked_box(where, entry.get("bbox"))
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


def read_predictions(path: Path) -> dict[str, PageDetections]:
    """Our ``predictions.json`` by page id.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not COCO, or its images carry no ``page_id``.
    """
    document = read_coco(path).document
    names = {number: name for name, number in CATEGORY_IDS.items()}
    by_image: dict[Any, list[dict[str, Any]]] = {}
    for annotation in document["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    pages: dict[str, PageDetections] = {}
    for image in document["images"]:
        if not {"page_id", "width", "height"} <= image.keys():
            raise FileFormatError(f"{path}: image {image['id']!r} lacks page_id or size; wanted a file written by comix detect")
        found = by_image.get(image["id"], [])
        pages[image["page_id"]] = PageDetections(
            page_id=image["page_id"], width=image["width"], height=image["height"],
            detections=tuple(
                Detection(
                    Box.from_xywh(one["bbox"]), float(one.get("score", 1.0)), names.get(one["category_id"], "panel"),
                    _points(one.get("segmentation") or [[]]),
                )
                for one in found
            ),
            order=tuple(one.get("order") for one in found), is_ordered="order_margin" in image,
            reading_direction=image.get("reading_direction", ""), margin=image.get("order_margin"),
            file_name=image.get("file_name", ""),
        )  # fmt: skip
    return pages


def _points(segmentation: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    flat = segmentation[0] if isinstance(segmentation, list) else []
    return tuple((float(x), float(y)) for x, y in zip(flat[::2], flat[1::2], strict=False))
