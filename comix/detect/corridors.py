"""Straight corridors of background through a region, bridged here and there: where a region is cut in two."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.detect.background import Mask

_BLOCKS = 40
"""A line across a region is sampled in this many pieces."""
_WALL = np.arange(5)
"""Rows next to a corridor, counted from it, in which its wall may stand."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A corridor across a region.

    Attributes:
        vertical: whether the corridor runs from top to bottom.
        first: pixel where it starts at its middle, measured across it; ``last``: where it ends (exclusive).
        shear: how far it rises over the region's whole extent along it, in pixels.
        cover: share of its length that is background, 0 to 1.
        walls: share of its background with something right beside it, both sides added, 0 to 2.
    """

    vertical: bool
    first: int
    last: int
    shear: int
    cover: float
    walls: float

    @property
    def strength(self) -> float:
        """How much it looks like a gutter."""
        return self.cover + self.walls / 2


@dataclass(frozen=True, slots=True)
class CutRules:
    """What a corridor must have.

    Attributes:
        min_cover: least share of its length that is background.
        min_walls: least ``Cut.walls``.
        max_slant: steepest corridor, as rise over run.
    """

    min_cover: float
    min_walls: float
    max_slant: float


def line_masks(image: NDArray[np.uint8], least_step: int, length: int) -> tuple[Mask, Mask]:
    """Edges that run straight for ``length`` pixels: the lying ones and the upright ones.

    Args:
        image: ``(h, w, 3)`` uint8.
        least_step: grey levels between the two sides of an edge.
        length: shortest run in pixels.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    masks = []
    for dx, dy, size in ((0, 1, (length, 1)), (1, 0, (1, length))):
        step = cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, dx, dy, ksize=1))
        steep = cv2.threshold(step, least_step, 255, cv2.THRESH_BINARY)[1]
        steep = cv2.dilate(steep, cv2.getStructuringElement(cv2.MORPH_RECT, (1 + 2 * dx, 1 + 2 * dy)))
        masks.append(cv2.morphologyEx(steep, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, size)))
    return np.asarray(masks[0], np.uint8), np.asarray(masks[1], np.uint8)


def best_line(lying: Mask, upright: Mask, shape: Mask, min_part: int, min_cover: float) -> Cut | None:
    """The straightest line across a region, None when none runs along ``min_cover`` of it.

    Args:
        lying: ``(h, w)`` lying edges of the region's bounding box; ``upright``: the upright ones.
        shape: the region inside the box.
        min_part: least extent in pixels of what is left on either side.
        min_cover: least share of the region's extent.
    """
    best: Cut | None = None
    for vertical, edges in ((False, lying), (True, upright)):
        mask, inside = (edges.T, shape.T) if vertical else (edges, shape)
        height, width = mask.shape
        if height < 2 * min_part + 3 or width < 4:
            continue
        hit = np.ascontiguousarray(mask & inside)
        wide = cv2.reduce(np.ascontiguousarray(inside), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F)[:, 0]
        blocks = min(_BLOCKS, width)
        pieces = cv2.resize(hit, (blocks, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        reach = min(width // 30, height // 4)
        shears = np.arange(-(reach // 2) * 2, reach + 1, 2)
        profiles = _Sheared(pieces, shears).profiles * (255 * width / np.maximum(wide, 0.3 * 255 * width))
        profiles[:, :min_part] = 0
        profiles[:, height - min_part :] = 0
        index, row = np.unravel_index(int(profiles.argmax()), profiles.shape)
        cover = float(profiles[index, row])
        if cover >= min_cover and (best is None or cover > best.cover):
            best = Cut(vertical, int(row), int(row) + 1, int(shears[index]), cover, 0.0)
    return best


def best_cut(free: Mask, lying_lines: Mask, upright_lines: Mask, min_part: int, rules: CutRules) -> Cut | None:
    """The strongest corridor through a region, None when nothing looks like a gutter.

    Args:
        free: ``(h, w)`` mask of the region's bounding box: background, or not part of the region.
        min_part: least extent in pixels of what is left on either side.
        rules: what counts as a corridor.
    """
    best: Cut | None = None
    for vertical in (False, True):
        lying = np.ascontiguousarray(free.T) if vertical else free
        if lying.shape[0] < 2 * min_part + 3 or lying.shape[1] < 4:
            continue
        lines = np.ascontiguousarray(upright_lines.T) if vertical else lying_lines
        found = _best_lying(lying, lines, vertical, min_part, rules)
        if found is not None and (best is None or found.strength > best.strength):
            best = found
    return best


def _best_lying(free: Mask, lines: Mask, vertical: bool, min_part: int, rules: CutRules) -> Cut | None:
    height, width = free.shape
    blocks = min(_BLOCKS, width)
    pieces = cv2.resize(free, (blocks, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    reach = min(int(rules.max_slant * width), height // 3)
    step = max(3, width // 150)
    shears = np.arange(-(reach // step) * step, reach + 1, step)
    sheared = _Sheared(pieces, shears)
    walls_at = _Sheared(cv2.resize(lines, (blocks, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255, shears)
    thick = cv2.erode(sheared.profiles, np.ones((1, 3), np.uint8))
    thick[:, :min_part] = 0
    thick[:, height - min_part :] = 0
    best: Cut | None = None
    best_rank = 0.0
    for index in np.flatnonzero(thick.max(axis=1) >= rules.min_cover).tolist():
        shear = int(shears[index])
        for first, last in _runs(thick[index] >= rules.min_cover):
            cover = float(thick[index, first:last].max())
            walls = sheared.walls(index, first, last, walls_at)
            rank = cover + walls / 2 - 0.5 * abs(shear) / width
            if walls >= rules.min_walls and rank > best_rank:
                best_rank = rank
                best = Cut(vertical, first, last, shear, cover, walls)
    return best


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


class _Sheared:
    """``(h, n)`` pieces of a region looked at along slanted lines."""

    def __init__(self, pieces: NDArray[np.float32], shears: NDArray[np.int64]) -> None:
        self.height, count = pieces.shape
        at = (np.arange(count) + 0.5) / count - 0.5
        self.shifts = np.round(at[None, :] * shears[:, None]).astype(np.intp)
        self.reach = int(np.abs(self.shifts).max(initial=0))
        self.columns = np.arange(count)
        self.padded = np.zeros((count, self.height + 2 * self.reach), np.float32)
        self.padded[:, self.reach : self.reach + self.height] = pieces.T
        windows = np.lib.stride_tricks.sliding_window_view(self.padded, self.height, axis=1)
        self.profiles = np.stack([windows[self.columns, self.reach + row].mean(axis=0) for row in self.shifts])

    def walls(self, index: int, first: int, last: int, lines: _Sheared) -> float:
        """Share of the corridor's free pieces with a straight edge before it, plus the share with one behind it."""
        start = self.reach + self.shifts[index]
        middle = self.padded[self.columns, start + (first + last) // 2]
        free = middle > 0.6
        if not free.any():
            return 0.0
        columns, start = self.columns[free][None, :], start[free][None, :]
        total = 0.0
        for rows in (first + 1 - _WALL, last - 2 + _WALL):
            at = np.clip(start + rows[:, None], 0, self.padded.shape[1] - 1)
            total += float(lines.padded[columns, at].mean(axis=1).max())
        return total
