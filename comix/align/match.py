"""Which reading belongs to which detected panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from comix.align.sequence import Pair, boxes_count, pairs_in_sequence, panel_around
from comix.core.geometry import Box
from comix.core.order import Direction
from comix.io.readings import LooseText, PanelRead, Reading, Text

_MIN_IOU = 0.3
"""Below this a reader's box and a detected panel are different panels."""
_SAME_BOX_IOU = 0.9
"""A given box that overlaps less than this with today's detection was made for another one."""
_INSIDE = 0.6
"""A reader's box that lies in a panel by this share is a part of it: the reader cut in two what the detector kept whole."""
_BY_PLACE = 0.95
"""Confidence of a text that lies in the panel by its own box."""
KINDS: tuple[Literal["dialogue", "thought", "narration", "sfx"], ...] = ("dialogue", "thought", "narration", "sfx")


@dataclass(frozen=True, slots=True)
class Assignment:
    """Readings on panels.

    Attributes:
        readings: per detected panel what was read there, or None; several readings of one panel are put together.
        confidences: per detected panel 0 to 1, 0 without a reading.
        leftover: readings that fit no panel; their text is kept as unassigned.
        method: ``number``, ``iou``, ``sequence`` or ``none``.
        ious: overlap of the pairs that were matched by their boxes, panel -> IoU.
        order: panels in the order in which the reader listed them; only of pairs matched by their boxes.
    """

    readings: tuple[PanelRead | None, ...]
    confidences: tuple[float, ...]
    leftover: tuple[PanelRead, ...]
    method: str
    ious: tuple[float, ...] = ()
    order: tuple[int, ...] = ()


def assign_readings(
    panels: Sequence[Box], reading: Reading, page_size: tuple[float, float] = (0, 0), direction: Direction = "ltr"
) -> Assignment:
    """Readings on panels: by number where the reader was given these boxes, by overlap where it has boxes, else in sequence.

    Args:
        panels: detected panels in reading order, page pixels.
        reading: the page as read.
        page_size: width and height; (0, 0) when not known.
        direction: how the page is read.
    """
    readings = reading.panels
    if not readings or not panels:
        return Assignment((None,) * len(panels), (0.0,) * len(panels), tuple(readings), "none")
    if reading.panel_source == "given" and _numbers_fit(panels, readings):
        return _put(panels, readings, [Pair(one.panel_number - 1, at, 1.0) for at, one in enumerate(readings)], "number")
    if all(one.box is not None for one in readings):
        return _by_overlap(panels, readings)
    return _put(panels, readings, pairs_in_sequence(panels, readings, page_size, direction), "sequence")


def _numbers_fit(panels: Sequence[Box], readings: Sequence[PanelRead]) -> bool:
    numbers = [one.panel_number for one in readings]
    if len(set(numbers)) != len(numbers) or max(numbers) > len(panels):
        return False
    return all(one.box is None or Box(*one.box).iou(panels[one.panel_number - 1]) >= _SAME_BOX_IOU for one in readings)


def _by_overlap(panels: Sequence[Box], readings: Sequence[PanelRead]) -> Assignment:
    """One-to-one pairs of largest total IoU (Hungarian); then readings that lie inside a panel join it."""
    boxes = [Box(*(one.box or (0, 0, 0, 0))) for one in readings]
    iou = np.array([[panel.iou(box) for box in boxes] for panel in panels])
    rows, columns = linear_sum_assignment(-iou)
    pairs = [
        Pair(int(row), int(column), round(float(iou[row, column]), 4))
        for row, column in zip(rows, columns, strict=True)
        if iou[row, column] >= _MIN_IOU
    ]
    matched = sorted(pairs, key=lambda pair: pair.reading)
    taken = {pair.reading for pair in pairs}
    for at, box in enumerate(boxes):
        if at not in taken and box.area:
            share, panel = max((panel.intersection(box) / box.area, index) for index, panel in enumerate(panels))
            if share >= _INSIDE:
                pairs.append(Pair(panel, at, round(share, 4)))
    ious, order = tuple(pair.confidence for pair in matched), tuple(pair.panel for pair in matched)
    return replace(_put(panels, readings, pairs, "iou"), ious=ious, order=order)


def _put(panels: Sequence[Box], readings: Sequence[PanelRead], pairs: Sequence[Pair], method: str) -> Assignment:
    """Readings put on their panels; a text whose own box lies in another panel goes there (not where numbers were given)."""
    home = {pair.reading: pair for pair in pairs}
    is_placed = method != "number" and boxes_count(readings, panels)
    kept: list[PanelRead | None] = [None] * len(panels)
    confidences = [0.0] * len(panels)
    leftover = []
    for at, reading in enumerate(readings):
        pair = home.get(at)
        rest, moved = _parted(reading, pair.panel if pair else None, panels) if is_placed else (reading, {})
        if pair is not None:
            kept[pair.panel] = _together(kept[pair.panel], rest)
            confidences[pair.panel] = max(confidences[pair.panel], pair.confidence)
        elif any(True for _ in rest.texts()) or not moved:
            leftover.append(rest)
        for panel, part in moved.items():
            if panel is None:
                leftover.append(part)
                continue
            kept[panel] = _together(kept[panel], part)
            confidences[panel] = max(confidences[panel], _BY_PLACE)
    return Assignment(tuple(kept), tuple(confidences), tuple(leftover), method)


def _parted(reading: PanelRead, panel: int | None, panels: Sequence[Box]) -> tuple[PanelRead, dict[int | None, PanelRead]]:
    """What of a reading stays with its panel, and what its texts' own boxes put into others, or (None) into no panel."""
    if all(item.bbox is None for item in reading.texts()):
        return reading, {}
    stay: dict[str, list[Text]] = {kind: [] for kind in KINDS}
    moved: dict[int | None, PanelRead] = {}
    for kind in KINDS:
        for item in getattr(reading, kind):
            place = None if item.bbox is None else panel_around(Box(*item.bbox), panels)
            if place is None and item.bbox is not None and panel is not None:
                getattr(moved.setdefault(None, PanelRead(reading.panel_number)), kind).append(item)
            elif place is None or place == panel:
                stay[kind].append(item)
            else:
                getattr(moved.setdefault(place, PanelRead(reading.panel_number)), kind).append(item)
    if not moved:
        return reading, {}
    rest = PanelRead(reading.panel_number, reading.box, **stay, characters=reading.characters, description=reading.description)
    return rest, moved


def _together(one: PanelRead | None, other: PanelRead) -> PanelRead:
    if one is None:
        return other
    return PanelRead(
        one.panel_number, one.box, [*one.dialogue, *other.dialogue], [*one.thought, *other.thought],
        [*one.narration, *other.narration], [*one.sfx, *other.sfx],
        characters=list(dict.fromkeys([*one.characters, *other.characters])),
        description="\n".join(filter(None, (one.description, other.description))),
    )  # fmt: skip


def loose_texts(assignment: Assignment) -> list[LooseText]:
    """Literal text of the readings that fit no panel."""
    return [
        LooseText(item.text, item.speaker, item.bbox, item.confidence, kind)
        for reading in assignment.leftover
        for kind in KINDS
        for item in getattr(reading, kind)
        if item.text.strip()
    ]
