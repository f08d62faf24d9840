"""The boxes of any other tool, put in reading order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comix.core.errors import FileFormatError, UsageError
from comix.core.files import json_bytes, read_json, write_bytes
from comix.core.geometry import Box
from comix.core.order import find_direction, order_panels
from comix.detect.ordering import OrderRule
from comix.io.coco import checked_box, read_coco
from comix.io.detections import ALIASES

_DIRECTIONS = ("", "ltr", "rtl", "ttb")
_WANTED = "wanted COCO, or {name: [[x, y, w, h], ...]}, or {name: {boxes, size, direction}}"


@dataclass(frozen=True, slots=True)
class _Page:
    """Boxes of one page, its size (0 where not known) and what the file says of its direction."""

    boxes: list[Box]
    size: tuple[float, float] = (0, 0)
    direction: str = ""


def order_file(source: Path, target: Path, rule: OrderRule) -> tuple[int, int]:
    """Order any tool's boxes; pages and panels ordered.

    Reads one of these:

    - COCO; gives COCO with ``order`` on every panel, and on every image its ``reading_direction`` and how sure both are;
    - ``{name: [[x, y, w, h], ...]}``, where beside the names ``"sizes": {name: [width, height]}`` and ``"directions":
      {name: "rtl"}`` may stand; ``{"boxes": {name: ...}, "sizes": ..., "directions": ...}`` is the same;
    - ``{name: {"boxes": [...], "size": [width, height], "direction": "rtl"}}``.

    The last two give ``{name: [index, ...]}``, the indices of the boxes in reading order. A direction in the command overrides
    the file's.

    Raises:
        MissingInputError: no such file.
        FileFormatError: none of these forms; says where.
        UsageError: the result would replace its source.
    """
    if target.resolve() == source.resolve():
        raise UsageError(f"output={target}: is the input itself; name another file")
    document = read_json(source)
    if not isinstance(document, dict):
        raise FileFormatError(f"{source}: {_WANTED}; got a {type(document).__name__}")
    if isinstance(document.get("images"), list) and "annotations" in document:
        return _order_coco(source, target, rule)
    result: dict[str, list[int]] = {}
    for name, page in _plain_pages(source, document).items():
        way = find_direction(rule.direction, _side(page.direction), "")
        result[name] = list(order_panels(page.boxes, way.direction, rule.method, page.size, rule.spread).indices)
    write_bytes(target, json_bytes(result, indent=1))
    return len(result), sum(map(len, result.values()))


def _order_coco(source: Path, target: Path, rule: OrderRule) -> tuple[int, int]:
    coco = read_coco(source)
    names = {one["id"]: ALIASES.get(str(one.get("name", "")).lower(), "") for one in coco.document.get("categories", [])}
    texts: dict[Any, list[Box]] = {}
    for one in coco.document["annotations"]:
        if names.get(one.get("category_id")) in ("text", "balloon"):
            texts.setdefault(one["image_id"], []).append(Box.from_xywh(one["bbox"]))
    for image in coco.document["images"]:
        panels = coco.panels[image["id"]]
        own = _checked_direction(f"{source}: image {image['id']!r}", image.get("reading_direction") or "")
        way = find_direction(rule.direction, _side(own), "", texts.get(image["id"], []))
        size = (float(image.get("width") or 0), float(image.get("height") or 0))
        boxes = [Box.from_xywh(one["bbox"]) for one in panels]
        order = order_panels(boxes, way.direction, rule.method, size, rule.spread)
        for rank, position in enumerate(order.indices):
            panels[position]["order"] = rank
        image["reading_direction"] = own if own == "ttb" and way.origin == "metadata" else way.direction
        image["order_margin"], image["order_notes"] = order.margin, list(order.notes)
        image["direction_from"], image["direction_confidence"] = way.origin, way.confidence
    write_bytes(target, json_bytes(coco.document))
    return len(coco.panels), sum(map(len, coco.panels.values()))


def _plain_pages(source: Path, document: Mapping[str, Any]) -> dict[str, _Page]:
    """The pages of a file without COCO's structure."""
    beside = {key: document[key] for key in ("sizes", "directions") if isinstance(document.get(key), dict)}
    is_wrapped = isinstance(document.get("boxes"), dict) and set(document) <= {"boxes", "sizes", "directions"}
    entries = document["boxes"] if is_wrapped else {key: one for key, one in document.items() if key not in beside}
    if not is_wrapped and beside and all(_is_page(one) for one in beside.values()):
        entries, beside = document, {}  # pages that are really called so
    for key, values in beside.items():
        unknown = sorted(set(values) - set(entries))
        if unknown:
            raise FileFormatError(f"{source}: {key} names {unknown[0]!r}, which has no boxes")
    return {
        name: _plain_page(
            f"{source}: {name!r}", entry, beside.get("sizes", {}).get(name), beside.get("directions", {}).get(name)
        )
        for name, entry in entries.items()
    }


def _is_page(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("boxes"), list)


def _plain_page(where: str, entry: Any, size: Any, direction: Any) -> _Page:
    if isinstance(entry, dict):
        unknown = sorted(set(entry) - {"boxes", "size", "direction"})
        if unknown or "boxes" not in entry:
            raise FileFormatError(f"{where}: wanted boxes, size and direction, found {', '.join(sorted(entry)) or 'nothing'}")
        size, direction = entry.get("size", size), entry.get("direction", direction)
        entry = entry["boxes"]
    if not isinstance(entry, list):
        raise FileFormatError(f"{where}: wanted a list of [x, y, w, h], found {entry!r}")
    return _Page(
        [checked_box(where, box) for box in entry], _checked_size(where, size), _checked_direction(where, direction or "")
    )


def _checked_size(where: str, value: Any) -> tuple[float, float]:
    if value is None:
        return (0, 0)
    is_pair = isinstance(value, list) and len(value) == 2
    if not is_pair or not all(isinstance(one, int | float) and not isinstance(one, bool) and one > 0 for one in value):
        raise FileFormatError(f"{where}: size must be [width, height] above 0, found {value!r}")
    return (float(value[0]), float(value[1]))


def _checked_direction(where: str, value: Any) -> str:
    if value not in _DIRECTIONS:
        raise FileFormatError(f"{where}: direction must be ltr, rtl or ttb, found {value!r}")
    return str(value)


def _side(direction: str) -> str:
    """A strip that is read downwards (``ttb``) has its side-by-side panels read from the left."""
    return "ltr" if direction == "ttb" else direction
