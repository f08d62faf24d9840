"""A mask summed along slanted lines: what a straight cut across a region would pass through."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.detect.background import Mask

Floats = NDArray[np.float32]
Ints = NDArray[np.intp]

_PIECES = 24
"""A line across a region is sampled in this many pieces."""


class Sheared:
    """A ``(run, extent)`` mask looked at along slanted lines, in pieces.

    Attributes:
        profiles: mean along every line of every shear, ``(n_shears, extent)``, 0 to 1.

    Args:
        mask: 255 where true.
        shears: how far each line moves across over the whole run, in pixels.
    """

    def __init__(self, mask: Mask, shears: NDArray[np.signedinteger]) -> None:
        run, extent = mask.shape
        piece = max(1, round(run / _PIECES))
        count = run // piece
        means = cv2.resize(mask[: count * piece], (extent, count), interpolation=cv2.INTER_AREA)
        at = (np.arange(count) + 0.5) * piece / run - 0.5
        self.shifts = np.round(at[None, :] * shears[:, None]).astype(np.intp)
        self.reach = int(np.abs(self.shifts).max(initial=0))
        self.columns = np.arange(count)
        self.padded = np.zeros((count, extent + 2 * self.reach), np.uint8)
        self.padded[:, self.reach : self.reach + extent] = means
        windows = np.lib.stride_tricks.sliding_window_view(self.padded, extent, axis=1)
        lines = windows[self.columns, self.reach + self.shifts].reshape(len(shears) * count, extent)
        profiles = cv2.resize(lines, (extent, len(shears)), interpolation=cv2.INTER_AREA)
        self.profiles: Floats = profiles.astype(np.float32) * np.float32(1 / 255)

    def keep(self, index: Ints) -> None:
        """Leaves out all shears but these."""
        self.shifts, self.profiles = self.shifts[index], self.profiles[index]

    def at(self, index: Ints, row: Ints) -> Floats:
        """Pieces along lines given by ``(n,)`` shears and ``(n, k)`` rows of each, ``(n, k, n_pieces)``, 0 to 1."""
        where = self.reach + row[:, :, None] + self.shifts[index][:, None, :]
        np.clip(where, 0, self.padded.shape[1] - 1, out=where)
        return np.asarray(self.padded[self.columns, where] * np.float32(1 / 255), np.float32)
