"""Whether a book's letters stand in lines or in columns, from its pixels: what tells manga when no metadata do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from comix.core.errors import ItemError
from comix.core.order import Direction
from comix.io.images import read_bgr

_LONG_SIDE = 1100
"""Pixels of the longer page side at which letters are looked for."""
_INK = 40
"""How much darker than its surroundings ink is, of 255."""
_SIDES = (4, 26)
"""Least and greatest side of a letter there, pixels."""
_NEAR = 1.6
"""Letters of one word are at most this many times their size apart."""
_ALONG = 0.3
"""And displaced sideways by at most this share of that distance."""
_BALANCE = 0.52
"""Share of columns among the votes at which a book could as well be either; pictures vote for columns a little."""
_DOUBT = 40.0
"""Votes that count half."""


def letter_votes(image: NDArray[np.uint8]) -> tuple[int, int]:
    """How many neighbouring letters of a ``(h, w, 3)`` BGR page stand one below the other, and how many side by side."""
    scale = _LONG_SIDE / max(image.shape[:2])
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    ink = (grey < cv2.GaussianBlur(grey, (0, 0), 12).astype(np.int16) - _INK).astype(np.uint8)
    _, _, facts, centres = cv2.connectedComponentsWithStats(ink, connectivity=8)
    wide, high, area = (facts[1:, column].astype(float) for column in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    least, most = _SIDES
    share = area / (wide * high)
    letters = (np.minimum(wide, high) >= least) & (np.maximum(wide, high) <= most) & (share >= 0.15) & (share <= 0.85)
    points, sizes = centres[1:][letters], np.maximum(wide, high)[letters]
    if len(points) < 20:
        return 0, 0
    tree: Any = cKDTree(points)
    distances, neighbours = tree.query(points, k=3)
    columns = lines = 0
    for place in (1, 2):
        other = neighbours[:, place]
        across, down = np.abs(points[other] - points).T
        larger, smaller = np.maximum(sizes, sizes[other]), np.minimum(sizes, sizes[other])
        near = (distances[:, place] < _NEAR * larger) & (larger < 1.7 * smaller)
        columns += int((near & (across < _ALONG * down)).sum())
        lines += int((near & (down < _ALONG * across)).sum())
    return columns, lines


def lettering_direction(images: Sequence[Path]) -> tuple[Direction, float]:
    """Direction and confidence (0 to 1) of a book from some of its pages; ``("ltr", 0.0)`` where no letters are seen.

    A page that cannot be read has no vote: `detect` has reported it.
    """
    columns = lines = 0
    for path in images:
        try:
            votes = letter_votes(read_bgr(path))
        except ItemError:
            continue
        columns, lines = columns + votes[0], lines + votes[1]
    votes_cast = columns + lines
    if not votes_cast:
        return "ltr", 0.0
    share = columns / votes_cast
    lean = (share - _BALANCE) / (1 - _BALANCE) if share > _BALANCE else (_BALANCE - share) / _BALANCE
    sure = min(1.0, 2 * lean) * votes_cast / (votes_cast + _DOUBT)
    return ("rtl" if share > _BALANCE else "ltr"), round(sure, 4)
