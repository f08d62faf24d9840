"""Reading order of panels from their boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from comix.core.geometry import Box

Direction = Literal["ltr", "rtl"]
Method = Literal["rows", "cut"]
METHODS: tuple[str, ...] = get_args(Method)

_SAME_ROW = 0.5
"""Panels share a row when they overlap vertically by at least this share of the smaller height."""
_MAX_SLICE = 0.25
"""A cut may slice off at most this share of a panel (the published recursive cut uses the same)."""


@dataclass(frozen=True, slots=True)
class ReadingOrder:
    """A reading order.

    Attributes:
        indices: positions in the input, first panel read first; a permutation.
        margin: 0 to 1; how clean the least certain decision is: 1 when every cut runs between the panels, 0 when a group
            of panels could not be cut apart and was sorted by rows.
    """

    indices: tuple[int, ...]
    margin: float


def order_panels(boxes: Sequence[Box], direction: Direction = "ltr", method: Method = "rows") -> ReadingOrder:
    """Reading order of one page's panels.

    Args:
        boxes: page pixels, any number, any order.
        direction: ``rtl`` reads each tier from the right.
        method: ``rows`` sorts tier by tier; ``cut`` splits the page recursively, across before down, and so reads a column
            of panels beside a tall one together.

    >>> grid = [Box(110, 110, 90, 90), Box(0, 0, 100, 100), Box(110, 0, 90, 90), Box(0, 110, 100, 90)]
    >>> order_panels(grid).indices, order_panels(grid, "rtl").indices
    ((1, 2, 3, 0), (2, 1, 0, 3))
    >>> order_panels([Box(0, 0, 90, 200), Box(100, 110, 90, 90), Box(100, 0, 90, 100)], method="cut").indices
    (0, 2, 1)

    Source: Kovanen and Aizawa, "A layered method for determining manga text bubble reading order", ICIP 2015 (the cut).
    """
    everything = list(range(len(boxes)))
    if method == "rows":
        return _as_order(boxes, _by_rows(boxes, everything, direction), direction)
    indices, margin = _by_cuts(boxes, everything, direction)
    return ReadingOrder(tuple(indices), round(margin, 4))


def _as_order(boxes: Sequence[Box], indices: list[int], direction: Direction) -> ReadingOrder:
    """Rows judged by the cut: where both agree the cut's margin holds, where they differ nothing is certain."""
    cut, margin = _by_cuts(boxes, list(range(len(boxes))), direction)
    return ReadingOrder(tuple(indices), round(margin, 4) if cut == indices else 0.0)


def _by_rows(boxes: Sequence[Box], members: list[int], direction: Direction) -> list[int]:
    """Tier by tier; a panel joins the tier whose first panel it shares height with."""
    rows: list[list[int]] = []
    for index in sorted(members, key=lambda index: (boxes[index].y, boxes[index].x)):
        box = boxes[index]
        home = next((row for row in rows if _shares_height(box, boxes[row[0]])), None)
        if home is None:
            rows.append([index])
        else:
            home.append(index)
    ordered: list[int] = []
    for row in rows:
        ordered.extend(sorted(row, key=lambda index: (_across(boxes[index], direction), boxes[index].y)))
    return ordered


def _shares_height(one: Box, other: Box) -> bool:
    return one.overlap_y(other) >= _SAME_ROW * max(min(one.h, other.h), 1e-6)


def _across(box: Box, direction: Direction) -> float:
    return -box.cx if direction == "rtl" else box.cx


def _by_cuts(boxes: Sequence[Box], members: list[int], direction: Direction) -> tuple[list[int], float]:
    """Order and margin of a group: cut across, else down, else sort what cannot be cut."""
    clean = _by_clean_cuts(boxes, members, direction)
    return (clean, 1.0) if clean is not None else _by_any_cuts(boxes, members, direction)


def _by_clean_cuts(boxes: Sequence[Box], members: list[int], direction: Direction) -> list[int] | None:
    """The order where every cut runs between panels, the usual page, at a tenth of the cost; None where one does not.

    Gives what `_by_any_cuts` would: a group is only cut down where its panels are side by side so plainly that no cut across
    could be found.
    """
    if len(members) < 2:
        return members
    groups = _apart(members, [box.y for box in boxes], [box.b for box in boxes])
    if len(groups) == 1:
        middles = [boxes[index].cy for index in members]
        if max(middles) - min(middles) >= _MAX_SLICE * min(boxes[index].h for index in members):
            return None
        groups = _apart(members, [box.x for box in boxes], [box.r for box in boxes])
        if len(groups) == 1:
            return None
        groups = groups[::-1] if direction == "rtl" else groups
    ordered: list[int] = []
    for group in groups:
        part = _by_clean_cuts(boxes, group, direction)
        if part is None:
            return None
        ordered += part
    return ordered


def _apart(members: list[int], low: list[float], high: list[float]) -> list[list[int]]:
    """Groups with a clean line between them."""
    groups: list[list[int]] = []
    end = -float("inf")
    for index in sorted(members, key=low.__getitem__):
        if low[index] >= end:
            groups.append([index])
        else:
            groups[-1].append(index)
        end = max(end, high[index])
    return groups


def _by_any_cuts(boxes: Sequence[Box], members: list[int], direction: Direction) -> tuple[list[int], float]:
    """Cut across, else down, where it slices least; else sort what cannot be cut."""
    if len(members) < 2:
        return members, 1.0
    across = _best_cut(boxes, members, lambda box: (box.y, box.b))
    down = None if across else _best_cut(boxes, members, lambda box: (box.x, box.r))
    found = across or down
    if found is None:
        return _by_rows(boxes, members, direction), 0.0
    low, high, slice_share = found
    first, second = (high, low) if down and direction == "rtl" else (low, high)
    head, head_margin = _by_cuts(boxes, first, direction)
    tail, tail_margin = _by_cuts(boxes, second, direction)
    return head + tail, min(1.0 - slice_share / _MAX_SLICE, head_margin, tail_margin)


def _best_cut(
    boxes: Sequence[Box], members: list[int], span: Callable[[Box], tuple[float, float]]
) -> tuple[list[int], list[int], float] | None:
    """The straight cut that slices least: members before it, members after it, largest share sliced off a panel."""
    best: tuple[list[int], list[int], float] | None = None
    spans = {index: span(boxes[index]) for index in members}
    for position in sorted({edge for low, high in spans.values() for edge in (low, high)}):
        before: list[int] = []
        after: list[int] = []
        worst = 0.0
        for index in members:
            low, high = spans[index]
            length = max(high - low, 1e-6)
            sliced_before = min(max((position - low) / length, 0.0), 1.0)
            (after if sliced_before < 0.5 else before).append(index)
            worst = max(worst, min(sliced_before, 1.0 - sliced_before))
        if before and after and worst <= _MAX_SLICE and (best is None or worst < best[2]):
            best = (before, after, worst)
    return best
