"""The precedence graph: for every two panels, which is read first; then an order that breaks as little of it as possible.

Two panels are stacked, side by side, or neither. When one is lower and further back, a cut over the panels between them
decides, as on a page. Panels that wait for each other in a circle are freed where the evidence is weakest.

Source: the idea (pairwise precedence, local cuts for the ambiguous diagonal, broken cycles) after Sachdeva and Zisserman,
"The Manga Whisperer", CVPR 2024; rules and weights are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from comix.core.order.cuts import best_cut
from comix.core.order.model import Decided, Rect

_SIDE = 0.5
"""Panels that share less than this of the smaller width lie side by side, of the smaller height one above the other."""
_AMBIGUOUS = 0.2
"""Weight of a decision that nothing but the habit of reading downwards supports."""


def by_graph(rects: Sequence[Rect], members: list[int]) -> Decided:
    """The order of a group by pairwise precedence.

    The margin is the weight of the weakest decision between panels that follow each other; 0 with a cycle.

    >>> swirl = [Rect(70, 0, 100, 60), Rect(0, 0, 60, 30), Rect(40, 70, 100, 100), Rect(0, 40, 30, 100)]
    >>> by_graph(swirl, [0, 1, 2, 3]).indices
    [1, 0, 3, 2]
    """
    if len(members) < 2:
        return Decided(members)
    weights = {(one, two): 0.0 for one in members for two in members if one != two}
    for place, one in enumerate(members):
        for two in members[place + 1 :]:
            weight = precedence(rects, one, two, members)
            weights[one, two], weights[two, one] = weight, -weight
    indices, has_cycle = _sorted(weights, members, rects)
    margin = min(weights[one, two] for one, two in pairwise(indices))
    notes = {"graph"} | ({"cycle"} if has_cycle else set())
    return Decided(indices, 0.0 if has_cycle else max(0.0, min(1.0, margin)), frozenset(notes))


def precedence(rects: Sequence[Rect], one: int, two: int, members: Sequence[int]) -> float:
    """How sure the first panel is read before the second: above 0 if so, below if not, -1 to 1.

    >>> precedence([Rect(0, 0, 10, 10), Rect(0, 12, 10, 20)], 0, 1, [0, 1])
    1.0
    >>> precedence([Rect(12, 0, 20, 10), Rect(0, 0, 10, 10)], 0, 1, [0, 1])
    -1.0
    """
    first, second = rects[one], rects[two]
    shared_x = _shared(first.left, first.right, second.left, second.right)
    shared_y = _shared(first.top, first.bottom, second.top, second.bottom)
    down = _sign(second.top + second.bottom - first.top - first.bottom)
    on = _sign(second.left + second.right - first.left - first.right)
    if shared_x >= _SIDE and shared_y >= _SIDE:
        return _overlapping(first, second)
    if shared_x >= _SIDE:
        return down * min(1.0, 1.0 - shared_y)
    if shared_y >= _SIDE:
        return on * min(1.0, 1.0 - shared_x)
    if down == on or not on:
        return down * min(1.0, 1.0 - min(shared_x, shared_y))
    if not down:
        return on * 1.0
    return _by_local_cut(rects, one, two, members) or down * _AMBIGUOUS


def _shared(low: float, high: float, other_low: float, other_high: float) -> float:
    """Shared length over the shorter one; below 0 with a gap."""
    shorter = min(high - low, other_high - other_low)
    return (min(high, other_high) - max(low, other_low)) / shorter if shorter > 0 else 0.0


def _sign(value: float) -> float:
    return 1.0 if value > 0 else -1.0 if value < 0 else 0.0


def _overlapping(first: Rect, second: Rect) -> float:
    """Boxes that lie over each other, as those of slanted panels do: the axis on which they are further apart decides."""
    across = (second.left + second.right - first.left - first.right) / (
        second.right - second.left + first.right - first.left or 1.0
    )
    down = (second.top + second.bottom - first.top - first.bottom) / (
        second.bottom - second.top + first.bottom - first.top or 1.0
    )
    further = down if abs(down) >= abs(across) else across
    return further if further else _sign((first.right - first.left) - (second.right - second.left)) * 0.01


def _by_local_cut(rects: Sequence[Rect], one: int, two: int, members: Sequence[int]) -> float:
    """Decides between two panels by a cut over all panels that meet their joint box; 0 when no cut separates them."""
    first, second = rects[one], rects[two]
    left, top = min(first.left, second.left), min(first.top, second.top)
    right, bottom = max(first.right, second.right), max(first.bottom, second.bottom)
    meeting = [
        index
        for index in members
        if rects[index].left < right and rects[index].right > left and rects[index].top < bottom and rects[index].bottom > top
    ]
    for across in (True, False):
        cut = best_cut(rects, meeting, across)
        if cut is not None and (one in cut.before) != (two in cut.before):
            return 1.0 - cut.slice_share if one in cut.before else cut.slice_share - 1.0
    return 0.0


def _sorted(weights: dict[tuple[int, int], float], members: list[int], rects: Sequence[Rect]) -> tuple[list[int], bool]:
    """Members so that whoever is read first stands first, and whether panels waited for each other in a circle."""
    left = set(members)
    indices: list[int] = []
    has_cycle = False
    while left:
        blocked = {one: -min((weights[one, two] for two in left if two != one), default=0.0) for one in left}
        first = min(left, key=lambda one: (max(blocked[one], 0.0), rects[one].top, rects[one].left, one))
        has_cycle |= blocked[first] > 0
        indices.append(first)
        left.remove(first)
    return indices, has_cycle
