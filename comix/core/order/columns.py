"""Four-panel strips: columns of four equal panels, read one column after the other although the panels also stand in tiers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from comix.core.order.model import Rect

_PANELS = 4
_ALIKE = 1.3
"""The largest panel of a strip is at most this many times as wide or high as the smallest."""
_APART = 1.4
"""Strips stand this many times further apart than the panels of one."""
_LEAST_APART = 0.02
"""And by this share of the width of all strips."""


def four_panel_columns(rects: Sequence[Rect], members: list[int]) -> list[list[int]] | None:
    """Strips of four (one of them may lack a panel) from the first read on, each from the top; None for anything else.

    Panels that stand closer below each other than beside each other are read downwards (the principle of proximity); a grid
    with even gutters is read in tiers.

    >>> strips = [Rect(x, y, x + 90, y + 45) for x in (0, 120) for y in (0, 50, 100, 150)]
    >>> four_panel_columns(strips, list(range(8)))
    [[0, 1, 2, 3], [4, 5, 6, 7]]
    >>> four_panel_columns([Rect(x, y, x + 90, y + 45) for x in (0, 95) for y in (0, 50, 100, 150)], list(range(8))) is None
    True
    """
    if len(members) < 2 * _PANELS - 2:
        return None
    for low, high in ((0, 2), (1, 3)):
        sizes = [rects[index][high] - rects[index][low] for index in members]
        if max(sizes) > _ALIKE * min(sizes):
            return None
    columns: list[list[int]] = []
    for index in sorted(members, key=lambda index: rects[index].left):
        if columns and 2 * rects[index].left < rects[columns[-1][0]].left + rects[columns[-1][0]].right:
            columns[-1].append(index)
        else:
            columns.append([index])
    counts = [len(column) for column in columns]
    if len(columns) < 2 or max(counts) != _PANELS or min(counts) < _PANELS - 1:
        return None
    columns = [sorted(column, key=lambda index: rects[index].top) for column in columns]
    below = [rects[two].top - rects[one].bottom for column in columns for one, two in pairwise(column)]
    beside = [
        median(rects[index].left for index in right) - median(rects[index].right for index in left)
        for left, right in pairwise(columns)
    ]
    heights = [rects[index].bottom - rects[index].top for index in members]
    if min(below) < -0.5 * min(heights):
        return None
    width = max(rects[index].right for index in members) - min(rects[index].left for index in members)
    return columns if min(beside) > max(_APART * median(below), _LEAST_APART * width) else None
