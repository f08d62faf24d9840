"""Double pages: whether the panels lie on two pages side by side, to be read page by page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from comix.core.order.cuts import apart
from comix.core.order.model import Direction, Rect

_LEAST_ASPECT, _MOST_ASPECT = 1.15, 2.0
"""Width over height of what may be a spread: two pages of a book, not a strip."""
_REACH = 0.1
"""A panel lies across both pages when more than this share of it is on either."""
_WIDE_FOLD = 1.8
"""The fold is this many times as wide as the page's other gutters."""
_FOLD = 0.025
"""And, where there are none, this share of the width."""


def split_spread(
    rects: Sequence[Rect], members: list[int], size: tuple[float, float], direction: Direction, spread: bool | None = None
) -> list[list[int]] | None:
    """Groups of panels in reading order: page by page, panels across both pages apart; None for a single page.

    A wide page is a spread when its middle is a wide gutter, when tiers do not go on beyond it, or when it reads from the
    right (nearly all wide images of manga are double pages, nearly all others wide strips).

    Args:
        rects: see `Rect`.
        members: indices of the panels.
        size: page width and height, pixels; (0, 0) takes what the panels span.
        direction: reading direction; rects are mirrored for ``rtl`` already.
        spread: True or False where it is known.

    >>> left, right = [Rect(0, 0, 45, 30), Rect(0, 35, 45, 70)], [Rect(55, 0, 100, 20), Rect(55, 25, 100, 70)]
    >>> split_spread([*left, *right], [0, 1, 2, 3], (100, 70), "ltr")
    [[0, 1], [2, 3]]
    """
    if spread is False or len(members) < 2:
        return None
    width, height, middle = _middle(rects, members, size, direction)
    if spread is None and (len(members) < 3 or not _LEAST_ASPECT <= width / max(height, 1e-6) <= _MOST_ASPECT):
        return None
    groups: list[tuple[list[int], list[int]]] = [([], [])]
    across: list[list[int]] = []
    for tier in apart(rects, members, across=True):
        if any(_lies_across(rects[index], middle) for index in tier):
            across.append(tier)
            groups.append(([], []))
        else:
            for index in tier:
                groups[-1][rects[index].left + rects[index].right > 2 * middle].append(index)
    if not any(first and second for first, second in groups):
        return None
    if spread is None and not any(_is_fold(rects, *group, width, direction) for group in groups if all(group)):
        return None
    found: list[list[int]] = []
    for number, (first, second) in enumerate(groups):
        found += [first, second] + ([across[number]] if number < len(across) else [])
    return [group for group in found if group]


def _middle(
    rects: Sequence[Rect], members: list[int], size: tuple[float, float], direction: Direction
) -> tuple[float, float, float]:
    """Width, height and the fold of the page."""
    if size[0] > 0 and size[1] > 0:
        return size[0], size[1], (-size[0] if direction == "rtl" else size[0]) / 2
    left, right = min(rects[index].left for index in members), max(rects[index].right for index in members)
    top, bottom = min(rects[index].top for index in members), max(rects[index].bottom for index in members)
    return right - left, bottom - top, (left + right) / 2


def _lies_across(rect: Rect, middle: float) -> bool:
    share = (middle - rect.left) / max(rect.right - rect.left, 1e-6)
    return _REACH < share < 1 - _REACH


def _is_fold(rects: Sequence[Rect], first: list[int], second: list[int], width: float, direction: Direction) -> bool:
    """Whether what lies between two groups of panels is a fold and no gutter of one page."""
    fold = min(rects[index].left for index in second) - max(rects[index].right for index in first)
    if fold < -_REACH * width:
        return False
    gutters = [gap for half in (first, second) for gap in _gutters(rects, half)]
    if fold > (max(_WIDE_FOLD * median(gutters), 0.01 * width) if gutters else _FOLD * width):
        return True
    both = len(apart(rects, [*first, *second], across=True))
    if max(len(apart(rects, half, across=True)) for half in (first, second)) > both:
        return True  # tiers end at the fold
    return direction == "rtl" and both > 1


def _gutters(rects: Sequence[Rect], half: list[int]) -> list[float]:
    """Widths of the gutters between neighbours of the same tier."""
    found: list[float] = []
    for tier in apart(rects, half, across=True):
        row = sorted(tier, key=lambda index: rects[index].left)
        gaps = [rects[two].left - rects[one].right for one, two in pairwise(row)]
        found += [max(gap, 0.0) for gap in gaps if gap > -1]
    return found
