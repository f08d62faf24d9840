"""Reading order of texts: panel by panel, and inside each from where reading starts."""

from __future__ import annotations

from collections.abc import Sequence

from comix.core.geometry import Box
from comix.core.order.model import Direction, Rect, as_rects

_SAME_LINE = 0.5
"""Texts stand beside each other when they share more than this of the smaller height."""


def order_texts(texts: Sequence[Box], panels: Sequence[Box], direction: Direction = "ltr") -> list[int]:
    """Indices of a page's texts in reading order.

    Each belongs to the panel that has most of it, the smaller one at a tie, or else to the nearest.

    Args:
        texts: balloons or lettering, page pixels.
        panels: in reading order, page pixels; without any, the page is one panel.
        direction: of reading.

    >>> order_texts([Box(60, 50, 9, 5), Box(5, 60, 9, 5), Box(5, 5, 9, 5)], [Box(0, 0, 50, 90), Box(55, 0, 50, 90)])
    [2, 1, 0]
    """
    homes: dict[int, list[int]] = {}
    for index, text in enumerate(texts):
        homes.setdefault(_home(text, panels), []).append(index)
    ordered: list[int] = []
    for home in sorted(homes):
        mine = homes[home]
        ordered += [mine[place] for place in order_in_panel([texts[index] for index in mine], direction)]
    return ordered


def order_in_panel(boxes: Sequence[Box], direction: Direction = "ltr") -> list[int]:
    """Indices of one panel's texts in reading order: from the top, and along the reading direction within a row.

    A text comes before another when it lies clearly above it, or beside it (sharing over half the lower one's height) on the
    side where reading starts.

    >>> order_in_panel([Box(50, 0, 20, 10), Box(0, 2, 20, 10), Box(0, 20, 20, 10)])
    [1, 0, 2]
    >>> order_in_panel([Box(50, 0, 20, 10), Box(0, 2, 20, 10)], "rtl")
    [0, 1]
    """
    rects = as_rects(boxes, direction)
    waits = {
        one: {other for other in range(len(rects)) if other != one and _before(rects[other], rects[one])}
        for one in range(len(rects))
    }
    order: list[int] = []
    while waits:
        free = [one for one, blockers in waits.items() if not blockers]
        first = min(free or waits, key=lambda one: (rects[one].top, rects[one].left + rects[one].right))
        order.append(first)
        del waits[first]
        for blockers in waits.values():
            blockers.discard(first)
    return order


def _home(text: Box, panels: Sequence[Box]) -> int:
    if not panels:
        return 0
    shares = [panel.intersection(text) / max(text.area, 1e-9) for panel in panels]
    if max(shares) > 0:
        return max(range(len(panels)), key=lambda index: (round(shares[index], 2), -panels[index].area))
    return min(range(len(panels)), key=lambda index: panels[index].distance(text))


def _before(first: Rect, second: Rect) -> bool:
    shared = min(first.bottom, second.bottom) - max(first.top, second.top)
    if shared > _SAME_LINE * min(first.bottom - first.top, second.bottom - second.top):
        return first.left + first.right < second.left + second.right
    overlap = min(first.right, second.right) - max(first.left, second.left)
    return first.top + first.bottom < second.top + second.bottom and overlap > 0
