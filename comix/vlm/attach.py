"""Balloons to panels: where each text belongs."""

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
