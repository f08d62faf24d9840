"""Readings without boxes laid along the reading order: a cost-based alignment that may skip, bridge a hole, or join halves."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from comix.align.layout import Usual, covered_share, halves_apart, holes, split_odds
from comix.core.geometry import Box
from comix.core.order import Direction, order_panels
from comix.io.readings import PanelRead

_SKIP_PANEL = 2.5
"""Cost (minus log probability) of a panel for which the reader has nothing."""
_SKIP_READING = 3.5
"""Cost of a reading whose panel was missed although no hole shows where."""
_HOLE_USED, _HOLE_UNUSED = 0.4, 1.2
"""Cost of a hole that is a missed panel, and of one that is just empty paper."""
_PLACE = 1.5
"""Weight of the distance between a panel's place and a reading's place, in shares of the page."""
_HINT, _ANCHOR = 2.0, 6.0
"""Cost of a panel that lies elsewhere than the reader says, and of one in which none of the reading's located text lies."""
_FULL, _HALF = 0.97, 0.5
"""Boxes that cover this share of the frame, less half a panel's, leave no hole worth looking for."""
_TOGETHER = 1.0
"""How much more the way over halves that do not follow each other may cost: their odds were looked at already."""
_FAR = 12.0
"""A way that costs this much more weighs nothing."""
_SURE = 0.9
"""Confidence where counts are equal and nothing speaks against one after another."""

_SAID = re.compile(
    r"^\W*(?:in |at )?(?:the )?(?:(?P<v>top|upper|middle|center|centre|bottom|lower)\b[\s-]*)?(?P<h>left|right)?[\s-]*"
    r"(?:most )?(?:panel|frame|row|tier|of the page|corner of the page|[:,.;])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Pair:
    """One reading on one panel: positions of both, and how sure, 0 to 1."""

    panel: int
    reading: int
    confidence: float


@dataclass(frozen=True, slots=True)
class _Steps:
    """What the alignment may pay for.

    Attributes:
        pair: ``(n, m)`` cost of reading j on element i; an element is a panel or a hole, in reading order.
        skip: ``(n,)`` cost of leaving element i without a reading.
        join: ``(n,)`` cost of taking elements i and i + 1 for one; infinite where that cannot be.
        apart: ``(n,)`` cost of taking them for two.
    """

    pair: list[list[float]]
    skip: list[float]
    join: list[float]
    apart: list[float]


def pairs_in_sequence(
    panels: Sequence[Box], readings: Sequence[PanelRead], page_size: tuple[float, float], direction: Direction
) -> list[Pair]:
    """Pairs along the reading order; equal counts pair up unless the boxes show both a missing and a cut panel.

    Args:
        panels: detected panels in reading order, page pixels.
        readings: in the reader's order.
        page_size: width and height; (0, 0) when not known.
        direction: for the place of holes among the panels.
    """
    counts = boxes_count(readings, panels)
    is_full = covered_share(panels, page_size) >= _FULL - _HALF / (len(panels) + 1)
    if len(panels) == len(readings) and not counts and is_full:
        return [Pair(index, index, _SURE) for index in range(len(panels))]
    empty = [] if is_full and len(readings) <= len(panels) else holes(panels, page_size)
    usual = Usual.of(panels)

    def along(elements: Sequence[Box], numbers: Sequence[int | None]) -> _Way:
        return _best(_steps(elements, numbers, readings, counts, page_size, usual), numbers, len(readings))

    found = _over_holes(panels, empty, direction, page_size, along)
    apart = halves_apart(panels, usual)
    if apart is not None:
        first, second = apart
        whole = [box for index, box in enumerate(panels) if index != second]
        whole[first] = panels[first].union(panels[second])
        kept = [index for index in range(len(panels)) if index != second]
        order = order_panels(whole, direction, size=page_size).indices
        joined = _over_holes([whole[one] for one in order], empty, direction, page_size, along)
        if joined.cost < found.cost + _TOGETHER:
            return [Pair(kept[order[one.panel]], one.reading, one.confidence) for one in joined.pairs]
    return found.pairs


class _Way(NamedTuple):
    """The cheapest way through: its pairs and cost, and whether a reading goes into a hole."""

    pairs: list[Pair]
    cost: float
    uses_hole: bool


def _over_holes(
    panels: Sequence[Box],
    empty: Sequence[Box],
    direction: Direction,
    page_size: tuple[float, float],
    along: Callable[[Sequence[Box], Sequence[int | None]], _Way],
) -> _Way:
    """The way along panels and holes; where it uses a hole, in the order that the rule gives with the hole as a panel."""
    found = along(*_with_holes(panels, empty, direction, page_size))
    again = _ordered_with_holes(panels, empty, direction, page_size) if found.uses_hole else None
    if again is None:
        return found
    other = along(*again)
    return other if other.uses_hole else found


def boxes_count(readings: Sequence[PanelRead], panels: Sequence[Box]) -> bool:
    """Whether the texts carry boxes that can be trusted: at least half of those there are lie in panels."""
    boxes = [Box(*item.bbox) for one in readings for item in one.texts() if item.bbox is not None]
    return bool(boxes) and 2 * sum(panel_around(box, panels) is not None for box in boxes) >= len(boxes)


def panel_around(box: Box, panels: Sequence[Box]) -> int | None:
    """The panel that holds most of a text's box, at least a third of it; the smaller one where panels lie in panels."""
    area = box.area or 1.0
    shares = [(round(panel.intersection(box) / area, 3), -panel.area, index) for index, panel in enumerate(panels)]
    share, _, index = max(shares, default=(0.0, 0.0, 0))
    return index if share >= 1 / 3 else None


def _with_holes(
    panels: Sequence[Box], empty: Sequence[Box], direction: Direction, page_size: tuple[float, float]
) -> tuple[list[Box], list[int | None]]:
    """Panels and holes in reading order, and which panel each is (None for a hole); the panels keep their own order."""
    if not empty:
        return list(panels), list(range(len(panels)))
    everything = [*panels, *empty]
    order = order_panels(everything, direction, size=page_size).indices
    elements: list[tuple[float, int]] = [(float(index), index) for index in range(len(panels))]
    previous = -1
    for step, index in enumerate(order):
        if index < len(panels):
            previous = index
        else:
            elements.append((previous + 0.5 + step / (2 * len(order)) / 2, index))
    indices = [index for _, index in sorted(elements)]
    return [everything[index] for index in indices], [index if index < len(panels) else None for index in indices]


def _ordered_with_holes(
    panels: Sequence[Box], empty: Sequence[Box], direction: Direction, page_size: tuple[float, float]
) -> tuple[list[Box], list[int | None]] | None:
    """As `_with_holes`, the panels in the order that the rule gives once the missed ones are there again.

    None where the panels' own order is not the rule's: people who ordered them saw the whole page.
    """
    if order_panels(panels, direction, size=page_size).indices != tuple(range(len(panels))):
        return None
    everything = [*panels, *empty]
    order = order_panels(everything, direction, size=page_size).indices
    return [everything[index] for index in order], [index if index < len(panels) else None for index in order]


def _steps(
    elements: Sequence[Box],
    numbers: Sequence[int | None],
    readings: Sequence[PanelRead],
    has_boxes: bool,
    page_size: tuple[float, float],
    usual: Usual,
) -> _Steps:
    is_hole = [one is None for one in numbers]
    middles = _midpoints([math.sqrt(box.area) for box in elements])
    said = _midpoints([1.0 + min(_n_words(one), 40) / 40 for one in readings])
    pair = [
        [_PLACE * abs(middle - one) + (_HOLE_USED if hole else 0.0) for one in said]
        for middle, hole in zip(middles, is_hole, strict=True)
    ]
    for column, reading in enumerate(readings):
        for index, cost in enumerate(_hint_costs(reading.description, elements, page_size)):
            pair[index][column] += cost
        located = [Box(*item.bbox) for item in reading.texts() if item.bbox is not None] if has_boxes else []
        if located:
            places = [panel_around(box, elements) for box in located]
            for index in range(len(elements)):
                pair[index][column] += _ANCHOR * (1 - places.count(index) / len(places))
    join, apart = [math.inf] * len(elements), [0.0] * len(elements)
    for index, odds in enumerate(split_odds(elements, usual)):
        if not (is_hole[index] or is_hole[index + 1]):
            join[index], apart[index] = math.log1p(math.exp(-odds)), math.log1p(math.exp(odds))
    skip = [_HOLE_UNUSED if hole else _SKIP_PANEL for hole in is_hole]
    return _Steps(pair, skip, join, apart)


def _midpoints(weights: Sequence[float]) -> list[float]:
    total, at, middles = max(sum(weights), 1e-9), 0.0, []
    for weight in weights:
        middles.append((at + weight / 2) / total)
        at += weight
    return middles


def _n_words(reading: PanelRead) -> int:
    return sum(len(item.text.split()) for item in reading.texts())


def _hint_costs(description: str, elements: Sequence[Box], page_size: tuple[float, float]) -> list[float]:
    """Cost per element of lying elsewhere than a description that opens with its place says ("Top left panel: ...")."""
    match = _SAID.match(description) if description else None
    if match is None or not (match["v"] or match["h"]):
        return []
    costs = []
    width = page_size[0] or max(box.r for box in elements)
    height = page_size[1] or max(box.b for box in elements)
    wanted_y = {"t": 0.17, "u": 0.17, "m": 0.5, "c": 0.5, "b": 0.83, "l": 0.83}[match["v"][0].lower()] if match["v"] else None
    wanted_x = {"l": 0.25, "r": 0.75}[match["h"][0].lower()] if match["h"] else None
    for box in elements:
        off_y = 0.0 if wanted_y is None else abs(box.cy / height - wanted_y)
        off_x = 0.0 if wanted_x is None else abs(box.cx / width - wanted_x)
        costs.append(_HINT * min(1.0, 2 * max(0.0, off_y - 0.12) + 2 * max(0.0, off_x - 0.12)))
    return costs


def _best(steps: _Steps, numbers: Sequence[int | None], m: int) -> _Way:
    """The cheapest way through; a pair is the surer the dearer the ways that put its reading elsewhere."""
    n = len(numbers)
    there, back = _forward(steps, n, m), _backward(steps, n, m)
    pairs: list[Pair] = []
    uses_hole = False
    i, j = n, m
    while i or j:
        a, b = _step_before(steps, there, i, j)
        if j > b and i > a:
            panel = a if i - a == 1 or steps.pair[a][b] <= steps.pair[a + 1][b] else a + 1
            number = numbers[panel]
            uses_hole = uses_hole or number is None
            if number is not None:
                pairs.append(Pair(number, b, round(_SURE * _share(steps, there, back, b, a, i), 4)))
        i, j = a, b
    return _Way(pairs[::-1], there[n][m], uses_hole)


def _forward(steps: _Steps, n: int, m: int) -> list[list[float]]:
    """Cost of the cheapest way from the start to each point."""
    costs = [[j * _SKIP_READING for j in range(m + 1)]]
    for i in range(1, n + 1):
        before, pair, apart = costs[i - 1], steps.pair[i - 1], steps.apart[i - 1]
        skip = steps.skip[i - 1] + apart
        join = steps.join[i - 2] if i > 1 else math.inf
        row = [before[0] + skip]
        for j in range(1, m + 1):
            cost = min(before[j - 1] + pair[j - 1] + apart, before[j] + skip, row[j - 1] + _SKIP_READING)
            if join < math.inf:
                cost = min(cost, costs[i - 2][j - 1] + join + min(steps.pair[i - 2][j - 1], pair[j - 1]) + apart)
            row.append(cost)
        costs.append(row)
    return costs


def _backward(steps: _Steps, n: int, m: int) -> list[list[float]]:
    """Cost of the cheapest way from each point to the end."""
    costs = [[0.0] * (m + 1) for _ in range(n)] + [[(m - j) * _SKIP_READING for j in range(m + 1)]]
    for i in range(n - 1, -1, -1):
        after, pair, apart, row = costs[i + 1], steps.pair[i], steps.apart[i], costs[i]
        skip, join = steps.skip[i] + apart, steps.join[i]
        row[m] = after[m] + skip
        for j in range(m - 1, -1, -1):
            cost = min(after[j + 1] + pair[j] + apart, after[j] + skip, row[j + 1] + _SKIP_READING)
            if join < math.inf:
                both = min(pair[j], steps.pair[i + 1][j]) + steps.apart[i + 1]
                cost = min(cost, costs[i + 2][j + 1] + join + both)
            row[j] = cost
    return costs


def _step_before(steps: _Steps, there: list[list[float]], i: int, j: int) -> tuple[int, int]:
    """Where the cheapest way to a point comes from."""
    ways: list[tuple[float, int, int]] = []
    if i and j:
        ways.append((there[i - 1][j - 1] + steps.pair[i - 1][j - 1] + steps.apart[i - 1], i - 1, j - 1))
        if i > 1 and steps.join[i - 2] < math.inf:
            both = min(steps.pair[i - 2][j - 1], steps.pair[i - 1][j - 1]) + steps.apart[i - 1]
            ways.append((there[i - 2][j - 1] + steps.join[i - 2] + both, i - 2, j - 1))
    if i:
        ways.append((there[i - 1][j] + steps.skip[i - 1] + steps.apart[i - 1], i - 1, j))
    if j:
        ways.append((there[i][j - 1] + _SKIP_READING, i, j - 1))
    _, a, b = min(ways)
    return a, b


def _share(steps: _Steps, there: list[list[float]], back: list[list[float]], j: int, first: int, last: int) -> float:
    """How the chosen place of reading j weighs against its other places, each by the cheapest way through it."""
    total, best = 0.0, there[-1][-1]
    for i, pair in enumerate(steps.pair):
        if first <= i < last:
            continue
        dearer = there[i][j] + pair[j] + steps.apart[i] + back[i + 1][j + 1] - best
        total += math.exp(-dearer) if dearer < _FAR else 0.0
    for i in range(len(there)):
        dearer = there[i][j] + _SKIP_READING + back[i][j + 1] - best
        total += math.exp(-dearer) if dearer < _FAR else 0.0
    return 1.0 / (1.0 + total)
