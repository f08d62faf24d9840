"""Insets: panels drawn on top of others. They are read after what they cover."""

from __future__ import annotations

from collections.abc import Sequence

from comix.core.order.model import Rect

_COVERED = 0.8
"""A panel is an inset when larger ones hold at least this share of it."""
_HOST = 0.25
"""A larger panel that holds at least this share of an inset is one of its hosts."""
_LARGER = 1.5
"""How many times larger than the inset a host is at least."""
_BEFORE = 0.1
"""A panel that begins above its hosts by more than this share of its height begins before them: it is no inset."""


def find_insets(rects: Sequence[Rect], members: Sequence[int]) -> dict[int, list[int]]:
    """Each inset with its hosts; an inset may lie over two panels, or in another inset.

    >>> find_insets([Rect(0, 0, 100, 100), Rect(110, 0, 200, 100), Rect(60, 10, 90, 40)], [0, 1, 2])
    {2: [0]}
    >>> find_insets([Rect(0, 0, 100, 50), Rect(0, 52, 100, 100), Rect(60, 30, 90, 70)], [0, 1, 2])
    {2: [0, 1]}
    """
    insets: dict[int, list[int]] = {}
    for index in members:
        one = rects[index]
        area = (one.right - one.left) * (one.bottom - one.top)
        if area <= 0:
            continue
        covered, begins, hosts = 0.0, one.bottom, []
        for other in members:
            two = rects[other]
            if (
                other == index
                or one.left >= two.right
                or two.left >= one.right
                or one.top >= two.bottom
                or two.top >= one.bottom
            ):
                continue
            if (two.right - two.left) * (two.bottom - two.top) < _LARGER * area:
                continue
            shared = (min(one.right, two.right) - max(one.left, two.left)) * (
                min(one.bottom, two.bottom) - max(one.top, two.top)
            )
            covered += shared / area
            begins = min(begins, two.top)
            if shared >= _HOST * area:
                hosts.append(other)
        if hosts and covered >= _COVERED and begins <= one.top + _BEFORE * (one.bottom - one.top):
            insets[index] = hosts
    return insets
