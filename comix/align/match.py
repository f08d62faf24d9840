"""Which reading belongs to which detected panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from comix.core.geometry import Box
from comix.io.analysis import Analysis, PanelReading

_MIN_IOU = 0.3
"""Below this a reader's box and a detected panel are different panels."""
_SAME_BOX_IOU = 0.9
"""A given box that overlaps less than this with today's detection was made for another one."""
_SKIP_COST = 0.25
"""Cost of leaving a panel or a reading alone, in shares of the page: cheaper than pairing across a quarter of it."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Readings on panels.

    Attributes:
        readings: per detected panel its reading, or None.
        confidences: per detected panel 0 to 1, 0 without a reading.
        leftover: readings that fit no panel; their text is kept as unassigned.
        method: ``number``, ``iou``, ``sequence`` or ``none``.
    """

    readings: tuple[PanelReading | None, ...]
    confidences: tuple[float, ...]
    leftover: tuple[PanelReading, ...]
    method: str


def assign_readings(panels: Sequence[Box], analysis: Analysis) -> Assignment:
    """Readings on panels: by number where the reader was given these boxes, by overlap where it has boxes, else in sequence.

    Args:
        panels: detected panels in reading order, page pixels.
        analysis: the page as read.
    """
    readings = list(analysis.panels)
    if not readings or not panels:
        return Assignment((None,) * len(panels), (0.0,) * len(panels), tuple(readings), "none")
    if analysis.panel_source == "given" and _numbers_fit(panels, readings):
        return _from_pairs(
            panels, readings, [(one.panel_number - 1, index, 1.0) for index, one in enumerate(readings)], "number"
        )
    if all(one.box is not None for one in readings):
        return _from_pairs(panels, readings, _pairs_by_overlap(panels, readings), "iou")
    return _from_pairs(panels, readings, _pairs_in_sequence(panels, readings), "sequence")


def _numbers_fit(panels: Sequence[Box], readings: Sequence[PanelReading]) -> bool:
    numbers = [one.panel_number for one in readings]
    if len(set(numbers)) != len(numbers) or max(numbers) > len(panels):
        return False
    return all(one.box is None or Box.from_xywh(one.box).iou(panels[one.panel_number - 1]) >= _SAME_BOX_IOU for one in readings)


def _from_pairs(
    panels: Sequence[Box], readings: list[PanelReading], pairs: list[tuple[int, int, float]], method: str
) -> Assignment:
    by_panel = {panel: (readings[index], confidence) for panel, index, confidence in pairs}
    used = {index for _, index, _ in pairs}
    chosen = [by_panel.get(panel, (None, 0.0)) for panel in range(len(panels))]
    return Assignment(
        tuple(reading for reading, _ in chosen),
        tuple(confidence for _, confidence in chosen),
        tuple(one for index, one in enumerate(readings) if index not in used),
        method,
    )


def _pairs_by_overlap(panels: Sequence[Box], readings: Sequence[PanelReading]) -> list[tuple[int, int, float]]:
    """One-to-one pairs of largest total IoU (Hungarian), those below the threshold left out; confidence is the IoU."""
    boxes = [Box.from_xywh(one.box or [0, 0, 0, 0]) for one in readings]
    iou = np.array([[panel.iou(box) for box in boxes] for panel in panels])
    rows, columns = linear_sum_assignment(-iou)
    return [
        (int(row), int(column), round(float(iou[row, column]), 4))
        for row, column in zip(rows, columns, strict=True)
        if iou[row, column] >= _MIN_IOU
    ]


def _pairs_in_sequence(panels: Sequence[Box], readings: Sequence[PanelReading]) -> list[tuple[int, int, float]]:
    """Pairs along the reading order: equal counts pair up; else the cheapest alignment, which may leave panels empty.

    Position on the page stands in for content: a panel's place is its share of the area read before it, a reading's place
    its share of the words before it.
    """
    n, m = len(panels), len(readings)
    if n == m:
        return [(index, index, 0.9) for index in range(n)]
    place_of_panel = _midpoints([box.area for box in panels])
    place_of_reading = _midpoints([1.0 + _n_words(one) / 10 for one in readings])
    cost = np.zeros((n + 1, m + 1))
    cost[:, 0] = np.arange(n + 1) * _SKIP_COST
    cost[0, :] = np.arange(m + 1) * _SKIP_COST
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            pair = cost[i - 1, j - 1] + abs(place_of_panel[i - 1] - place_of_reading[j - 1])
            cost[i, j] = min(pair, cost[i - 1, j] + _SKIP_COST, cost[i, j - 1] + _SKIP_COST)
    pairs: list[tuple[int, int, float]] = []
    i, j = n, m
    while i and j:
        distance = abs(place_of_panel[i - 1] - place_of_reading[j - 1])
        if cost[i, j] == cost[i - 1, j - 1] + distance:
            i, j = i - 1, j - 1
            pairs.append((i, j, round(0.6 * max(0.0, 1 - distance), 4)))
        elif cost[i, j] == cost[i - 1, j] + _SKIP_COST:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def _midpoints(weights: Sequence[float]) -> list[float]:
    total = max(sum(weights), 1e-9)
    ends = np.cumsum(weights)
    return [float((end - weight / 2) / total) for end, weight in zip(ends, weights, strict=True)]


def _n_words(reading: PanelReading) -> int:
    texts = [*reading.dialogue, *reading.thought, *reading.narration, *reading.sfx]
    return sum(len(item.text.split()) for item in texts)
