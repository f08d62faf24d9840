"""Balloons to panels: where each text belongs, and in which order a panel's texts are read."""

from __future__ import annotations

from collections.abc import Sequence

from comix.core.geometry import Box


def panel_of(
    box: Box, panels: Sequence[Box], page_diagonal: float, outline: Box | None = None, min_share: float = 0.2
) -> int | None:
    """Index of the panel a balloon belongs to, or None when it lies in no panel.

    The panel that holds most of the text's area wins, the smaller one at a tie (an inset in a larger panel). Text
    outside all of them goes to the panel that its balloon's outline reaches into, or else to the nearest one: within
    1.5 % of the page diagonal for a balloon, 0.4 % for text without outline, which may be a column between panels.

    Args:
        box: the lettering, page pixels.
        panels: panel boxes, page pixels.
        page_diagonal: pixels.
        outline: the balloon around the lettering, where known.
        min_share: part of the text that must lie in the panel, 0 to 1.

    >>> panel_of(Box(8, 0, 4, 2), [Box(0, 0, 9, 9), Box(9, 0, 9, 9)], 20)
    1
    >>> panel_of(Box(40, 0, 4, 2), [Box(0, 0, 9, 9)], 20) is None
    True
    >>> panel_of(Box(10, 2, 4, 2), [Box(0, 0, 9, 9)], 20, outline=Box(8, 1, 7, 4))
    0
    """
    if not panels:
        return None
    best, share = _holder(box, panels)
    if share >= min_share:
        return best
    if outline is not None:
        best, share = _holder(outline, panels)
        if share >= 0.05:
            return best
    nearest = min(range(len(panels)), key=lambda index: panels[index].distance(box))
    limit = 0.004 if outline is None else 0.015
    return nearest if panels[nearest].distance(box) <= limit * page_diagonal else None


def _holder(box: Box, panels: Sequence[Box]) -> tuple[int, float]:
    shares = [panel.intersection(box) / max(box.area, 1e-9) for panel in panels]
    best = max(range(len(panels)), key=lambda index: (round(shares[index], 2), -panels[index].area))
    return best, shares[best]


def reading_order(boxes: Sequence[Box], rtl: bool = False) -> list[int]:
    """Indices of a panel's balloons in reading order: from the top, and along the reading direction within a row.

    A balloon comes before another when it lies clearly above it, or beside it (sharing over half the lower one's
    height) on the side where reading starts.

    >>> reading_order([Box(50, 0, 20, 10), Box(0, 2, 20, 10), Box(0, 20, 20, 10)])
    [1, 0, 2]
    >>> reading_order([Box(50, 0, 20, 10), Box(0, 2, 20, 10)], rtl=True)
    [0, 1]
    """
    side = -1.0 if rtl else 1.0
    waits = {
        one: {other for other in range(len(boxes)) if other != one and _before(boxes[other], boxes[one], rtl)}
        for one in range(len(boxes))
    }
    order: list[int] = []
    while waits:
        free = [one for one, blockers in waits.items() if not blockers]
        first = min(free or waits, key=lambda one: (boxes[one].y, side * boxes[one].cx))
        order.append(first)
        del waits[first]
        for blockers in waits.values():
            blockers.discard(first)
    return order


def _before(first: Box, second: Box, rtl: bool) -> bool:
    shared = first.overlap_y(second)
    if shared > 0.5 * min(first.h, second.h):
        return first.cx > second.cx if rtl else first.cx < second.cx
    return first.cy < second.cy and first.overlap_x(second) > 0
