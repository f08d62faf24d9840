"""The recursive cut: a group of panels is split by straight lines, across the page before down it.

Two forms. `plain_cut` is the published one. `tolerant_cut` looks behind the panels that a cut slices: a panel may reach over
a line only where another panel stands behind it. So a tier with one panel hanging a little lower is still a tier, while
a tall panel beside a stack is never torn apart.

Source: Kovanen and Aizawa, "A layered method for determining manga text bubble reading order", ICIP 2015 (the plain cut and
its tolerance of a quarter).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from comix.core.order.model import Decided, Rect, joined

MAX_SLICE = 0.25
"""A cut may slice off at most this share of a panel."""
_JITTER = 0.08
"""A slice this thin is the imprecision of a box, not its shape."""
_BEHIND = 0.2
"""Share of the sliced panel's side that must have another panel behind it."""

Rest = Callable[[list[int]], Decided]
"""Orders a group of panels, given by their indices."""


class Cut(NamedTuple):
    """A line: panels before and after it, and the largest share that it slices off one of them."""

    before: list[int]
    after: list[int]
    slice_share: float


def plain_cut(rects: Sequence[Rect], members: list[int], rest: Rest, leaf: Rest) -> Decided:
    """The order of a group: cut across, else down, where it slices least; ``leaf`` orders what cannot be cut."""
    if len(members) < 2:
        return Decided(members)
    clean = clean_groups(rects, members)
    if clean is not None:
        return joined([rest(group) for group in clean])
    found = best_cut(rects, members, across=True, support=False) or best_cut(rects, members, across=False, support=False)
    if found is None:
        return leaf(members)
    return joined([rest(found.before), rest(found.after)], 1.0 - found.slice_share / MAX_SLICE)


def tolerant_cut(rects: Sequence[Rect], members: list[int], rest: Rest, leaf: Rest, max_slice: float = MAX_SLICE) -> Decided:
    """As `plain_cut`, but a panel may only reach over a cut where another one stands behind it.

    Args:
        rects: see `Rect`.
        members: indices of the group.
        rest: orders what a cut separates.
        leaf: orders what cannot be cut.
        max_slice: what a cut across may slice off a panel; cuts down never more than `MAX_SLICE`.
    """
    if len(members) < 2:
        return Decided(members)
    clean = clean_groups(rects, members)
    if clean is not None:
        return joined([rest(group) for group in clean])
    found, limit = best_cut(rects, members, across=True, max_slice=max_slice), max_slice
    if found is None:
        found, limit = best_cut(rects, members, across=False, max_slice=MAX_SLICE), MAX_SLICE
    if found is None:
        return leaf(members)
    return joined([rest(found.before), rest(found.after)], 1.0 - found.slice_share / limit)


def clean_groups(rects: Sequence[Rect], members: list[int]) -> list[list[int]] | None:
    """Groups with clean lines between them: tiers, else columns of panels so plainly side by side that no cut across exists."""
    groups = apart(rects, members, across=True)
    if len(groups) > 1:
        return groups
    middles = [rects[index].top + rects[index].bottom for index in members]
    least = min(rects[index].bottom - rects[index].top for index in members)
    if max(middles) - min(middles) >= 2 * _JITTER * least:
        return None
    groups = apart(rects, members, across=False)
    return groups if len(groups) > 1 else None


def apart(rects: Sequence[Rect], members: list[int], across: bool) -> list[list[int]]:
    """Groups with a clean line between them, one group when there is no such line."""
    low, high = (1, 3) if across else (0, 2)
    ordered = sorted(members, key=lambda index: rects[index][low])
    groups = [[ordered[0]]]
    end = rects[ordered[0]][high]
    for index in ordered[1:]:
        if rects[index][low] >= end:
            groups.append([index])
        else:
            groups[-1].append(index)
        end = max(end, rects[index][high])
    return groups


def best_cut(
    rects: Sequence[Rect], members: list[int], across: bool, max_slice: float = MAX_SLICE, support: bool = True
) -> Cut | None:
    """The line that slices least, None when all slice off more than ``max_slice`` of a panel.

    Args:
        rects: see `Rect`.
        members: indices of the group.
        across: a line from side to side; else from top to bottom.
        max_slice: 0 to 1.
        support: a panel that is sliced by more than its imprecision must have another one behind it.
    """
    low, high = (1, 3) if across else (0, 2)
    spans = [(index, rects[index][low], rects[index][high]) for index in members]
    best: Cut | None = None
    for position in sorted({edge for _, start, end in spans for edge in (start, end)}):
        limit = max_slice if best is None else best.slice_share
        cut = _cut_at(rects, spans, position, limit, across if support else None)
        if cut is not None and (best is None or cut.slice_share < best.slice_share):
            best = cut
    return best


def _cut_at(
    rects: Sequence[Rect], spans: list[tuple[int, float, float]], position: float, limit: float, across: bool | None
) -> Cut | None:
    """The cut at a position; None when it slices more than ``limit``, or one side stays empty, or support is missing."""
    before: list[int] = []
    after: list[int] = []
    reaching: list[tuple[int, list[int]]] = []
    worst = 0.0
    for index, start, end in spans:
        if end <= position:
            before.append(index)
        elif start >= position:
            after.append(index)
        else:
            share = (position - start) / (end - start)
            side, other = (after, before) if share < 0.5 else (before, after)
            share = min(share, 1.0 - share)
            if share > limit:
                return None
            side.append(index)
            worst = max(worst, share)
            if share > _JITTER:
                reaching.append((index, other))
    if not before or not after:
        return None
    if across is not None and not all(_stands_behind(rects, index, other, across) for index, other in reaching):
        return None
    return Cut(before, after, worst)


def _stands_behind(rects: Sequence[Rect], index: int, others: list[int], across: bool) -> bool:
    """Whether one of the others lies on the far side of a cut right behind the panel that reaches over it."""
    low, high = (0, 2) if across else (1, 3)
    start, end = rects[index][low], rects[index][high]
    for other in others:
        shared = min(end, rects[other][high]) - max(start, rects[other][low])
        if shared > _BEHIND * min(end - start, rects[other][high] - rects[other][low]):
            return True
    return False
