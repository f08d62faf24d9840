"""What a page's panel boxes say about the detector's mistakes: where a panel is missing, and where one was cut in two."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from comix.core.geometry import Box

_SLACK = 0.012
"""Boxes are shrunk by this share of the page on each side before they are projected, so that a jitter closes no gutter."""
_LEAST_GAP = 0.45
"""An uncovered strip this wide, in usual panel sides, may hold a panel."""
_LEAST_AREA = 0.2
"""And it must have this share of the median panel's area."""
_ALIGNED = 0.04
"""Two boxes are cut from one when their sides differ by less than this share of the page."""
_SPLIT_PRIOR = -3.0
"""Log odds that two neighbours are one panel before looking at them."""


def holes(panels: Sequence[Box], page_size: tuple[float, float]) -> list[Box]:
    """Places large enough for a panel that no box covers, inside the frame that the panels and the page's margins span.

    >>> holes([Box(20, 20, 470, 470), Box(20, 510, 470, 470), Box(510, 510, 470, 470)], (1000, 1000))
    [Box(x=490, y=20, w=490, h=470)]
    """
    if not panels:
        return []
    frame = _frame(panels, page_size)
    slack = _SLACK * max(frame.w, frame.h)
    widths, heights = [one.w for one in panels], [one.h for one in panels]
    sides = (min(_median(widths), 1.5 * min(widths)), min(_median(heights), 1.5 * min(heights)))
    found: list[Box] = []
    _search(list(panels), frame, sides, slack, found, 0)
    least = _LEAST_AREA * _median([one.area for one in panels])
    return [one for one in _joined(found, slack) if one.area >= least]


def covered_share(panels: Sequence[Box], page_size: tuple[float, float]) -> float:
    """Summed area of the boxes over the frame's; about 0.9 on a page without holes."""
    frame = _frame(panels, page_size)
    return sum(one.area for one in panels) / frame.area if frame.area else 0.0


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual on a page: gutter in pixels, a panel's area, the width that the panels span."""

    gutter: float
    area: float
    span: float

    @classmethod
    def of(cls, panels: Sequence[Box]) -> Usual:
        """Measure a page that has panels."""
        span = max(one.r for one in panels) - min(one.x for one in panels)
        return cls(_gutter(panels), _median([one.area for one in panels]), span)


def split_odds(panels: Sequence[Box], usual: Usual) -> list[float]:
    """Log odds that panel i and panel i + 1 are halves of one, for each i; panels in reading order.

    Halves line up on both sides, have no gutter between them where the page's others have one, and are together nearer the
    usual panel than alone.
    """
    return [_odds(one, other, usual) for one, other in pairwise(panels)]


def halves_apart(panels: Sequence[Box], usual: Usual) -> tuple[int, int] | None:
    """The likeliest two halves of one panel that do not follow each other (a tall panel cut across); None if unlikely."""
    best, pair = 0.0, None
    for first, one in enumerate(panels):
        for second in range(first + 2, len(panels)):
            odds = _odds(one, panels[second], usual)
            if odds > best:
                best, pair = odds, (first, second)
    return pair


def _frame(panels: Sequence[Box], page_size: tuple[float, float]) -> Box:
    """Hull of the panels, widened where the margin on one side is much larger than on the other."""
    left, right = min(one.x for one in panels), max(one.r for one in panels)
    top, bottom = min(one.y for one in panels), max(one.b for one in panels)
    width, height = page_size
    if width > 0 and height > 0:
        margin_x, margin_y = max(0.0, min(left, width - right)), max(0.0, min(top, height - bottom))
        left, right = min(left, margin_x), max(right, width - margin_x)
        top, bottom = min(top, margin_y), max(bottom, height - margin_y)
    return Box.from_xyxy(left, top, right, bottom)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _search(members: list[Box], region: Box, sides: tuple[float, float], slack: float, found: list[Box], depth: int) -> None:
    """Cut the region along uncovered strips, down then across; strips wide enough for a panel are holes."""
    if depth > 8 or not members:
        return
    for is_down in (True, False):
        span: Callable[[Box], tuple[float, float]] = (lambda box: (box.y, box.b)) if is_down else (lambda box: (box.x, box.r))
        low, high = span(region)
        least = _LEAST_GAP * (sides[1] if is_down else sides[0])
        runs = _runs(members, span, slack)
        edges = [low, *(edge for first, last, _ in runs for edge in (first, last)), high]
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            if last - first >= least:
                found.append(_part(region, first, last, is_down))
        if len(runs) > 1 or runs[0][0] - low >= least or high - runs[0][1] >= least:
            for first, last, inside in runs:
                _search(inside, _part(region, first, last, is_down), sides, slack, found, depth + 1)
            return


def _runs(members: list[Box], span: Callable[[Box], tuple[float, float]], slack: float) -> list[tuple[float, float, list[Box]]]:
    """Groups of boxes whose shrunk spans touch: first edge, last edge, boxes."""
    runs: list[tuple[float, float, list[Box]]] = []
    for box in sorted(members, key=lambda one: span(one)[0]):
        low, high = span(box)
        if runs and low + slack < runs[-1][1] - slack:
            first, last, inside = runs[-1]
            inside.append(box)
            runs[-1] = (first, max(last, high), inside)
        else:
            runs.append((low, high, [box]))
    return runs


def _part(region: Box, first: float, last: float, is_down: bool) -> Box:
    if is_down:
        return Box(region.x, first, region.w, last - first)
    return Box(first, region.y, last - first, region.h)


def _joined(found: list[Box], slack: float) -> list[Box]:
    """Holes with the same sides, one above the other, as one: a missed tall panel leaves one in each tier beside it."""
    joined: list[Box] = []
    for box in sorted(found, key=lambda one: one.y):
        above = [
            at
            for at, one in enumerate(joined)
            if abs(one.x - box.x) + abs(one.r - box.r) < 4 * slack and one.b <= box.y + slack  # a cut's halves may overlap
        ]
        if above:
            joined[above[-1]] = joined[above[-1]].union(box)
        else:
            joined.append(box)
    return joined


def _gutter(panels: Sequence[Box]) -> float:
    """Usual distance between boxes that face each other with nothing between: three quarters up the sorted distances,
    because a cut panel brings some of nothing. A distance in which a panel has room is no gutter.
    """
    gaps = []
    edges = [(one.x, one.y, one.x + one.w, one.y + one.h, one.w, one.h) for one in panels]
    for x, y, r, b, w, h in edges:
        right = below = math.inf
        for x2, y2, r2, b2, w2, h2 in edges:
            if x2 + r2 > 2 * r and min(b, b2) - max(y, y2) > 0.3 * min(h, h2):
                right = min(right, x2 - r)
            if y2 + b2 > 2 * b and min(r, r2) - max(x, x2) > 0.3 * min(w, w2):
                below = min(below, y2 - b)
        gaps += [max(0.0, gap) for gap, side in ((right, w), (below, h)) if gap < _LEAST_GAP * side]
    gaps.sort()
    return gaps[(3 * len(gaps)) // 4] if gaps else 0.0


def _odds(one: Box, other: Box, usual: Usual) -> float:
    tolerance = max(_ALIGNED * usual.span, 1.0)
    if abs(one.x - other.x) < tolerance and abs(one.x + one.w - other.x - other.w) < tolerance:
        gap = max(one.y, other.y) - min(one.y + one.h, other.y + other.h)
    elif abs(one.y - other.y) < tolerance and abs(one.y + one.h - other.y - other.h) < tolerance:
        gap = max(one.x, other.x) - min(one.x + one.w, other.x + other.w)
    else:
        return 2 * _SPLIT_PRIOR
    closeness = 1 - min(max(gap / usual.gutter, 0.0), 1.0) if usual.gutter > 0 else 0.5
    if closeness == 0:
        return 2 * _SPLIT_PRIOR
    area, together = usual.area, one.union(other).area
    alone = (abs(math.log(max(one.area, 1.0) / area)) + abs(math.log(max(other.area, 1.0) / area))) / 2
    nearer = alone - abs(math.log(max(together, 1.0) / area))
    return _SPLIT_PRIOR + 6.0 * closeness + 1.5 * max(-1.0, min(1.0, nearer))
