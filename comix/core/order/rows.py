"""The simple sorts: by centre, and tier by tier."""

from __future__ import annotations

from collections.abc import Sequence

from comix.core.order.model import Rect

_SAME_ROW = 0.5
"""Panels share a tier when they overlap vertically by at least this share of the smaller height."""


def by_center(rects: Sequence[Rect], members: list[int]) -> list[int]:
    """Sorted by the height of the centre, then from the left; the shortcut that a newcomer takes, kept for comparison.

    >>> by_center([Rect(12, 0, 20, 11), Rect(0, 0, 10, 10)], [0, 1])
    [1, 0]
    """
    return sorted(members, key=lambda index: (rects[index].top + rects[index].bottom, rects[index].left + rects[index].right))


def by_rows(rects: Sequence[Rect], members: list[int]) -> list[int]:
    """Tier by tier; a panel joins the tier whose first panel it shares height with.

    >>> by_rows([Rect(12, 1, 20, 11), Rect(0, 0, 10, 10), Rect(0, 12, 20, 20)], [0, 1, 2])
    [1, 0, 2]
    """
    rows: list[list[int]] = []
    for index in sorted(members, key=lambda index: (rects[index].top, rects[index].left)):
        home = next((row for row in rows if _shares_height(rects[index], rects[row[0]])), None)
        if home is None:
            rows.append([index])
        else:
            home.append(index)
    ordered: list[int] = []
    for row in rows:
        ordered += sorted(row, key=lambda index: (rects[index].left + rects[index].right, rects[index].top))
    return ordered


def _shares_height(one: Rect, other: Rect) -> bool:
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return shared >= _SAME_ROW * max(min(one.bottom - one.top, other.bottom - other.top), 1e-6)
