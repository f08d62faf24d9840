"""Whether two page images show the same page: laid over each other, and compared place by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Thumb = NDArray[np.float32]

SIDE = 96
"""Pages are compared as grey squares of this side, whatever their shape."""

LEAST_FIT = 0.88
"""Share of the grey variation of one page that the other explains, once laid over it."""

WORST_PLACE = 0.40
"""Largest difference at one of 8 x 8 places of the page, in standard deviations of the page: other words, another title."""

LEAST_OVERLAP = 0.85
"""Share of the page that both show."""

LEAST_CONTRAST = 6.0
"""Grey levels (standard deviation) below which a page is blank, and the same as no other."""

_MOST_STRETCH = 1.08
"""Largest ratio of the two pages' width over height: a crop of a few per cent, not another shape."""

_PLACES = 8


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two pages are; see `LEAST_FIT`, `WORST_PLACE` and `LEAST_OVERLAP` for the bounds.

    Attributes:
        fit: at most 1; 1 for equal pages, about 0 for unrelated ones.
        worst: 0 for equal pages.
        overlap: 0 to 1.
    """

    fit: float
    worst: float
    overlap: float

    @property
    def same_page(self) -> bool:
        """Whether it is the same page."""
        return self.fit >= LEAST_FIT and self.worst <= WORST_PLACE and self.overlap >= LEAST_OVERLAP


def thumb_of(image: NDArray[np.uint8]) -> Thumb:
    """A page of ``(h, w, 3)`` uint8 BGR as a grey ``(96, 96)`` float32 square, slightly blurred; 0 to 255."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small.astype(np.float32), (0, 0), 0.7), np.float32)


def likeness(one: Thumb, other: Thumb) -> Likeness:
    """How alike two pages are after the second is moved, scaled and slanted over the first, and its greys are matched.

    Registration: Evangelidis and Psarakis, enhanced correlation coefficient (PAMI 2008), as in OpenCV.

    >>> page = thumb_of(np.add.outer(np.arange(200), np.arange(150))[..., None].repeat(3, 2).astype(np.uint8))
    >>> likeness(page, 0.8 * page + 20).same_page, likeness(page, page.T.copy()[::-1]).same_page
    (True, False)
    """
    if min(float(one.std()), float(other.std())) < LEAST_CONTRAST:
        return Likeness(0.0, float("inf"), 0.0)
    move = np.eye(2, 3, dtype=np.float32)
    steps = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
    try:
        _, found = cv2.findTransformECC(one, other, move, cv2.MOTION_AFFINE, steps, None, 5)  # type: ignore[call-overload]
    except cv2.error:  # it does not converge: the pages have nothing in common
        return Likeness(0.0, float("inf"), 0.0)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(other, found, (SIDE, SIDE), flags=how)
    both = cv2.warpAffine(np.ones_like(other), found, (SIDE, SIDE), flags=how) > 0.99
    return _compared(one, np.asarray(laid, np.float32), np.asarray(both))


def _compared(one: Thumb, laid: Thumb, both: NDArray[np.bool_]) -> Likeness:
    overlap = float(both.mean())
    if overlap < 0.5:
        return Likeness(0.0, float("inf"), overlap)
    x, y = laid[both].astype(np.float64), one[both].astype(np.float64)
    gain = float(((x - x.mean()) * (y - y.mean())).mean()) / (float(x.var()) + 1e-6)
    rest = np.where(both, one - (gain * (laid - x.mean()) + y.mean()), 0.0)
    fit = 1.0 - float((rest[both] ** 2).mean()) / (float(y.var()) + 1e-6) if gain > 0.2 else 0.0
    step = SIDE // _PLACES
    squares = (rest**2).reshape(_PLACES, step, _PLACES, step).mean((1, 3))
    seen = both.reshape(_PLACES, step, _PLACES, step).mean((1, 3))
    worst = float(np.sqrt((squares[seen > 0.5] / seen[seen > 0.5]).max())) / (float(y.std()) + 5.0)
    return Likeness(fit, worst, overlap)


def same_pages(thumbs: Sequence[Thumb], shapes: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Groups of pages that are the same as the group's largest image; each page is in one group, alone if need be.

    The largest image of what is left, the first in order among equals, leads a group; whoever is the same page as the
    leader joins it. Members are never compared among each other, so likeness does not creep from page to page.

    Args:
        thumbs: one per page, see `thumb_of`.
        shapes: width and height in pixels of the page images.

    Returns:
        positions, the leader first.
    """
    left = sorted(range(len(thumbs)), key=lambda at: (-shapes[at][0] * shapes[at][1], at))
    groups = []
    while left:
        leader, *others = left
        mine = [at for at in others if _alike_in_shape(shapes[leader], shapes[at])]
        mine = [at for at in mine if likeness(thumbs[leader], thumbs[at]).same_page]
        groups.append([leader, *mine])
        left = [at for at in others if at not in set(mine)]
    return groups


def _alike_in_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    ratio = (one[0] * other[1]) / max(1, one[1] * other[0])
    return 1 / _MOST_STRETCH <= ratio <= _MOST_STRETCH
