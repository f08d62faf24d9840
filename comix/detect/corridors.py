"""Straight corridors of background through a region, bridged here and there: where a region is cut in two."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.detect.background import Mask

_BLOCKS = 48
"""A line across a region is sampled in this many pieces."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A corridor across a region.

    Attributes:
        vertical: whether the corridor runs from top to bottom.
        first: pixel where it starts at its middle, measured across it; ``last``: where it ends (exclusive).
        shear: how far it rises over the region's whole extent along it, in pixels.
        cover: share of its length that is background, 0 to 1.
        contrast: how much the cover falls right outside, weaker side, 0 to 1.
    """

    vertical: bool
    first: int
    last: int
    shear: int
    cover: float
    contrast: float

    @property
    def strength(self) -> float:
        """How much it looks like a gutter."""
        return self.cover + self.contrast


def best_cut(free: Mask, min_part: int, min_cover: float, min_contrast: float, max_slant: float) -> Cut | None:
    """The strongest corridor through a region, None when nothing looks like a gutter.

    Args:
        free: ``(h, w)`` mask of the region's bounding box: background, or not part of the region.
        min_part: least extent in pixels of what is left on either side.
        min_cover: least share of the corridor's length that is background.
        min_contrast: least fall of that share on both sides of the corridor.
        max_slant: steepest corridor, as rise over run.
    """
    best: Cut | None = None
    for vertical in (False, True):
        lying = np.ascontiguousarray(free.T) if vertical else free
        if lying.shape[0] < 2 * min_part + 3 or lying.shape[1] < 4:
            continue
        found = _best_lying(lying, vertical, min_part, min_cover, min_contrast, max_slant)
        if found is not None and (best is None or found.strength > best.strength):
            best = found
    return best


def _best_lying(
    free: Mask, vertical: bool, min_part: int, min_cover: float, min_contrast: float, max_slant: float
) -> Cut | None:
    height, width = free.shape
    blocks = min(_BLOCKS, width)
    pieces = cv2.resize(free, (blocks, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    reach = min(int(max_slant * width), height // 3)
    step = max(3, width // blocks // 3)
    shears = np.arange(-(reach // step) * step, reach + 1, step)
    profiles = _profiles(pieces, shears)
    thick = cv2.erode(profiles, np.ones((1, 3), np.uint8))
    best: Cut | None = None
    for row in np.flatnonzero(thick[:, min_part : height - min_part].max(axis=1) >= min_cover).tolist():
        shear = int(shears[row])
        found = _best_run(profiles[row], thick[row], vertical, shear, min_part, min_cover, min_contrast)
        if found is not None and (best is None or found.strength - abs(shear) / width > best.strength - abs(best.shear) / width):
            best = found
    return best


def _profiles(pieces: NDArray[np.float32], shears: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean of ``(h, n)`` pieces along lines that rise by each shear over the full width, ``(n_shears, h)``."""
    height, count = pieces.shape
    at = (np.arange(count) + 0.5) / count - 0.5
    shifts = np.round(at[None, :] * shears[:, None]).astype(np.intp)
    reach = int(np.abs(shifts).max(initial=0))
    padded = np.zeros((count, height + 2 * reach), np.float32)
    padded[:, reach : reach + height] = pieces.T
    windows = np.lib.stride_tricks.sliding_window_view(padded, height, axis=1)
    return np.stack([windows[np.arange(count), reach + row].mean(axis=0) for row in shifts])


def _best_run(
    profile: NDArray[np.float32], smooth: NDArray[np.float32], vertical: bool, shear: int, min_part: int, min_cover: float, min_contrast: float
) -> Cut | None:
    height = len(profile)
    inner = smooth[min_part : height - min_part]
    best: Cut | None = None
    if inner.size == 0:
        return None
    starts = np.flatnonzero(inner >= min_cover) + min_part
    if starts.size == 0:
        return None
    breaks = np.flatnonzero(np.diff(starts) > 1)
    firsts = np.concatenate([starts[:1], starts[breaks + 1]])
    lasts = np.concatenate([starts[breaks], starts[-1:]])
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        cover = float(smooth[first : last + 1].max())
        window = 6
        before = float(profile[max(0, first - window) : first].min(initial=1.0))
        after = float(profile[last + 1 : last + 1 + window].min(initial=1.0))
        contrast = cover - max(before, after)
        if contrast < min_contrast:
            continue
        found = Cut(vertical, first, last + 1, shear, cover, contrast)
        if best is None or found.strength > best.strength:
            best = found
    return best
