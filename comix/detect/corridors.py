"""Where a region is cut in two: straight corridors of background, bridged here and there, and straight frame lines."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.detect.background import Mask

Floats = NDArray[np.float32]
Ints = NDArray[np.intp]

_BLOCKS = 40
"""A line across a region is sampled in this many pieces."""
_WALL = np.arange(5)
"""Rows next to a corridor, counted from it, in which its wall may stand."""
_LEAST_COVER = 0.5
"""Corridors with less background are not looked at."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A straight cut across a region.

    Attributes:
        vertical: whether it runs from top to bottom.
        first: pixel where it starts at its middle, measured across it; ``last``: where it ends (exclusive).
        shear: how far it falls over the region's whole extent along it, in pixels.
        evidence: ``(n_features,)``, see `_evidence`.
    """

    vertical: bool
    first: int
    last: int
    shear: int
    evidence: Floats


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


def candidate_cuts(free: Mask, lines: tuple[Mask, Mask], min_part: int, max_slant: float, unit: int) -> list[Cut]:
    """Corridors and lines across a region, good and bad.

    Args:
        free: ``(h, w)`` mask of the region's bounding box: background, or not part of the region.
        lines: lying and upright straight edges in the same box.
        min_part: least extent in pixels of what is left on either side.
        max_slant: steepest cut, as rise over run.
        unit: shorter side of the page in pixels.
    """
    cuts = []
    for vertical in (False, True):
        flat = np.ascontiguousarray(free.T) if vertical else free
        edge = np.ascontiguousarray(lines[1].T) if vertical else lines[0]
        if flat.shape[0] >= 2 * min_part + 3 and flat.shape[1] >= 4:
            cuts += _lying_cuts(flat, edge, vertical, min_part, max_slant, unit)
    return cuts


def _lying_cuts(free: Mask, edge: Mask, vertical: bool, min_part: int, max_slant: float, unit: int) -> list[Cut]:
    height, width = free.shape
    reach = min(int(max_slant * width), height // 3)
    step = max(3, width // 150)
    shears = np.arange(-(reach // step) * step, reach + 1, step)
    ground, line = _Sheared(free, shears), _Sheared(edge, shears)
    index, first, last, cover = _corridors(ground.profiles, min_part)
    best = line.profiles[:, min_part : height - min_part].argmax(axis=1) + min_part
    n_corridors = len(index)
    index = np.concatenate([index, np.arange(len(shears))])
    first, last = np.concatenate([first, best]), np.concatenate([last, best + 1])
    cover = np.concatenate([cover, ground.profiles[np.arange(len(shears)), best]])
    evidence = _evidence(ground, line, index, first, last, cover)
    extra = np.stack(
        [
            np.arange(len(index)) >= n_corridors,
            np.minimum(last - first, 0.05 * unit) / (0.05 * unit),
            np.abs(shears[index]) / width,
            np.minimum(np.minimum(first, height - last) / unit, 0.3),
            np.full(len(index), min(1.0, width / unit)),
            _joint(ground, line, index, first, last),
            _isolation(line, index, first, last),
            np.full(len(index), min(2.0, height / unit)),
        ],
        axis=1,
    )
    evidence = np.concatenate([evidence, extra.astype(np.float32)], axis=1)
    return [
        Cut(vertical, int(first[row]), int(last[row]), int(shears[index[row]]), evidence[row])
        for row in range(len(index))
    ]


def _corridors(profiles: Floats, min_part: int) -> tuple[Ints, Ints, Ints, Floats]:
    """Stretches of rows with much background: index of the shear, first row, last row (exclusive), largest cover."""
    thick = cv2.erode(profiles, np.ones((1, 3), np.uint8))
    thick[:, :min_part] = 0
    thick[:, profiles.shape[1] - min_part :] = 0
    flags = np.pad(thick >= _LEAST_COVER, ((0, 0), (1, 1))).astype(np.int8)
    index, first = np.nonzero(np.diff(flags, axis=1) == 1)
    _, last = np.nonzero(np.diff(flags, axis=1) == -1)
    if len(index) == 0:
        return index, first, last, np.zeros(0, np.float32)
    bounds = np.stack([first, last], axis=1) + index[:, None] * thick.shape[1]
    cover = np.maximum.reduceat(np.append(thick.ravel(), np.float32(0)), bounds.ravel())[::2]
    return index, first, last, cover


def _evidence(ground: _Sheared, line: _Sheared, index: Ints, first: Ints, last: Ints, cover: Floats) -> Floats:
    """What speaks for each of ``n`` cuts, ``(n, 5)``: cover, weaker and stronger wall, weaker and stronger line."""
    free = ground.at(index, (first + last) // 2) > 0.6
    n_free = np.maximum(free.sum(axis=1), 1)
    walls, lines = [], []
    for start, direction in ((first, -1), (last - 1, 1)):
        wall = np.zeros(len(index), np.float32)
        edge = np.zeros(len(index), np.float32)
        for offset in range(-2, 5):
            row = start + direction * offset
            if offset > 0:
                wall = np.maximum(wall, ((ground.at(index, row) < 0.4) & free).sum(axis=1) / n_free)
            edge = np.maximum(edge, line.at(index, row).mean(axis=1))
        walls.append(wall)
        lines.append(edge)
    return np.stack(
        [cover, np.minimum(*walls), np.maximum(*walls), np.minimum(*lines), np.maximum(*lines)], axis=1
    ).astype(np.float32)


def _joint(ground: _Sheared, line: _Sheared, index: Ints, first: Ints, last: Ints) -> Floats:
    """Share of each cut's length that is background or has a straight edge within reach."""
    free = ground.at(index, (first + last) // 2)
    edge = np.maximum(line.at(index, first - 1), line.at(index, last))
    return np.asarray(np.maximum(free, edge).mean(axis=1), np.float32)


def _isolation(line: _Sheared, index: Ints, first: Ints, last: Ints) -> Floats:
    """How crowded the neighbourhood of each cut is with other straight edges, 0 to 1."""
    crowd = [line.at(index, first - away).mean(axis=1) for away in (10, 16, 22)]
    crowd += [line.at(index, last + away).mean(axis=1) for away in (10, 16, 22)]
    return np.asarray(np.mean(crowd, axis=0), np.float32)


class _Sheared:
    """A mask of a region looked at along slanted lines, in pieces."""

    def __init__(self, mask: Mask, shears: NDArray[np.int64]) -> None:
        self.height, width = mask.shape
        count = min(_BLOCKS, width)
        pieces = cv2.resize(mask, (count, self.height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        at = (np.arange(count) + 0.5) / count - 0.5
        self.shifts = np.round(at[None, :] * shears[:, None]).astype(np.intp)
        self.reach = int(np.abs(self.shifts).max(initial=0))
        self.columns = np.arange(count)
        self.padded = np.zeros((count, self.height + 2 * self.reach), np.float32)
        self.padded[:, self.reach : self.reach + self.height] = pieces.T
        windows = np.lib.stride_tricks.sliding_window_view(self.padded, self.height, axis=1)
        self.profiles = np.stack([windows[self.columns, self.reach + row].mean(axis=0) for row in self.shifts])

    def at(self, index: Ints, row: Ints) -> Floats:
        """Pieces along ``n`` lines given by shear and row, ``(n, n_pieces)``."""
        where = np.clip(self.reach + row[:, None] + self.shifts[index], 0, self.padded.shape[1] - 1)
        return self.padded[self.columns[None, :], where]
