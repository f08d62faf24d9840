"""Older DataSpec shapes in today's form.

Four kinds of file call themselves DataSpec v0.3: the first contract (``page_size{width,height}``, panels with ``panel_id``,
``order_index``, ``ocr_tokens``, ``character_coords``); a converter that adds ``neighbors, face_coords, balloon_coords,
raw_text_regions`` and lists panels in reading order; a later one (``page_size [w, h]``, ``source_book``, ``reading_order``
as strings, ``characters``, ``faces``, ``texts``); and the bare ``page_image_path`` with ``panels[{panel_coords, text}]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from comix.core.errors import FileFormatError
from comix.core.pathforms import posix_form, without_suffix

_BOXES = {
    "character_coords": "character", "face_coords": "face", "balloon_coords": "balloon", "characters": "character",
    "faces": "face", "balloons": "balloon", "texts": "text", "raw_text_regions": "text",
}  # fmt: skip
_KINDS = ("dialogue", "narration", "sfx", "thought")


def upgrade(document: Any, where: str) -> Any:
    """A DataSpec document as today's `DataSpec` takes it; one that is today's already is given back as it is.

    What an older file does not say stays open: ``page_size`` [0, 0], an unknown detector and reader, score 0. Its
    ``reading_order`` strings index a list that was never written, so the panels keep the order they are listed in.

    Args:
        document: as parsed; a list of one object stands for that object.
        where: opens the message.

    Raises:
        FileFormatError: no DataSpec of any kind.

    >>> panel = {"panel_coords": [0, 0, 5, 5], "text": {"sfx": ["BOOM"]}}
    >>> new = upgrade({"page_image_path": "E:\\\\X\\\\a\\\\1.jpg", "panels": [panel]}, "old.json")
    >>> new["page_id"], new["page_image_path"], new["panels"][0]["text"]["sfx"]
    ('mnt/e/X/a/1', '/mnt/e/X/a/1.jpg', ['BOOM'])
    """
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, dict):
        raise FileFormatError(f"{where}: wanted one DataSpec object, found {type(document).__name__}")
    if {"provenance", "quality"} & document.keys() or "panels" not in document:
        return document
    if not isinstance(document["panels"], list) or not all(isinstance(one, dict) for one in document["panels"]):
        raise FileFormatError(f"{where}: panels: wanted a list of objects")
    path = posix_form(str(document.get("page_image_path") or document.get("source_rel_image_path") or ""))
    listed = sorted(enumerate(document["panels"]), key=lambda pair: _rank(*pair))
    direction = document.get("reading_direction")
    return {
        "page_image_path": path,
        "page_id": str(document.get("page_id") or without_suffix(path).strip("/")),
        "page_size": _size(document.get("page_size")),
        "reading_direction": direction if direction in ("ltr", "rtl") else "ltr",
        "panels": [_panel(order, panel, f"{where}: panels[{order}]") for order, (_, panel) in enumerate(listed)],
        "objects": list(_objects(document, None, where))
        + [one for order, (_, panel) in enumerate(listed) for one in _objects(panel, order, where)],
        "provenance": {
            "detector": "unknown", "reader": "unknown", "panel_source": "none", "assignment": "unknown",
            "container": str(document.get("source_book") or ""), "member": "", "sha256": "",
        },
        "quality": {
            "score": 0, "panel_count_ratio": None, "text_coverage": _coverage(document["panels"]), "order_margin": None,
            "assigned_text_share": None,
        },
    }  # fmt: skip


def _rank(position: int, panel: dict[str, Any]) -> tuple[float, int]:
    order = panel.get("order_index")
    return (order if isinstance(order, int | float) else position, position)


def _size(value: Any) -> list[int]:
    pair = [value.get("width"), value.get("height")] if isinstance(value, dict) else value
    if isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, int | float) for one in pair):
        return [int(one) for one in pair]
    return [0, 0]


def _panel(order: int, panel: dict[str, Any], where: str) -> dict[str, Any]:
    text = _text(panel, where)
    polygon = panel.get("polygon") or []
    if polygon and not isinstance(polygon[0], list):
        polygon = [list(pair) for pair in zip(polygon[::2], polygon[1::2], strict=False)]
    return {
        "panel_coords": panel.get("panel_coords"), "text": text, "order": order, "confidence": panel.get("confidence", 1.0),
        "texts": [{"kind": kind, "text": one} for kind in ("dialogue", "thought", "narration", "sfx") for one in text[kind]],
        "polygon": polygon,
    }  # fmt: skip


def _text(panel: dict[str, Any], where: str) -> dict[str, list[str]]:
    """Words by kind; where a panel only has OCR tokens, these joined, as narration."""
    given = panel.get("text") or {}
    if isinstance(given, str):
        given = {"dialogue": [given]}
    if not isinstance(given, dict):
        raise FileFormatError(f"{where}: text: wanted an object with dialogue, narration, sfx")
    text = {}
    for kind in _KINDS:
        values = given.get(kind) or []
        values = [values] if isinstance(values, str) else values
        if not isinstance(values, list):
            raise FileFormatError(f"{where}: text: {kind}: wanted a list of texts")
        text[kind] = [one if isinstance(one, str) else str(one.get("text", "")) for one in values if one]
    tokens = [str(one.get("text", "")) for one in panel.get("ocr_tokens") or [] if isinstance(one, dict)]
    if tokens and not any(text.values()):
        text["narration"] = [" ".join(filter(None, tokens))]
    return text


def _coverage(panels: list[dict[str, Any]]) -> float:
    covered = [any(_text(panel, "").values()) for panel in panels]
    return round(sum(covered) / len(covered), 4) if covered else 0.0


def _objects(holder: dict[str, Any], panel: int | None, where: str) -> Iterator[dict[str, Any]]:
    """Boxes of characters, faces, balloons and texts, given as ``[x, y, w, h]`` or as objects with a box in them."""
    for key, category in _BOXES.items():
        for one in holder.get(key) or []:
            box = one if isinstance(one, list) else _box_in(one)
            if box is None and isinstance(one, str | dict):
                continue  # a name or a text without a place
            if not (isinstance(box, list) and len(box) == 4 and all(isinstance(value, int | float) for value in box)):
                raise FileFormatError(f"{where}: {key}: wanted [x, y, w, h], found {one!r}")
            score = one.get("confidence", one.get("score")) if isinstance(one, dict) else None
            yield {"category": category, "bbox": box, "score": score, "panel": panel}


def _box_in(one: Any) -> Any:
    if not isinstance(one, dict):
        return None
    return next((one[key] for key in ("bbox", "coords", "box", f"{one.get('type', '')}_coords") if one.get(key)), None)
