"""Straight edges of a page: where frame lines and gutters show even when their colour does not."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.detect.background import Mask

_TONES = np.round(255 * (np.arange(256) / 255) ** 0.6).astype(np.uint8)
"""Grey as the eye sees it: steps between dark tones count more, steps between light ones less."""


@dataclass(frozen=True, slots=True)
class LineMasks:
    """Straight edges of an image.

    Attributes:
        lying: ``(h, w)`` mask of those that lie; ``upright``: of those that stand.
        down: ``(h, w)`` int16, how much lighter it gets downwards over two pixels; ``right``: to the right.
    """

    lying: Mask
    upright: Mask
    down: NDArray[np.int16]
    right: NDArray[np.int16]

    def window(self, rows: slice, columns: slice) -> LineMasks:
        """The edges in a part of the image."""
        return LineMasks(
            self.lying[rows, columns], self.upright[rows, columns], self.down[rows, columns], self.right[rows, columns]
        )


def line_masks(image: NDArray[np.uint8], least_step: int, length: int) -> LineMasks:
    """Edges that run straight.

    Args:
        image: ``(h, w, 3)`` uint8.
        least_step: grey levels between the two sides of an edge.
        length: shortest run in pixels.
    """
    grey = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), _TONES)
    down = cv2.Sobel(grey, cv2.CV_16S, 0, 1, ksize=1)
    right = cv2.Sobel(grey, cv2.CV_16S, 1, 0, ksize=1)
    lying, upright = cv2.convertScaleAbs(down), cv2.convertScaleAbs(right)
    return LineMasks(
        _straight(np.asarray(lying, np.uint8), True, least_step, length),
        _straight(np.asarray(upright, np.uint8), False, least_step, length),
        np.asarray(down, np.int16),
        np.asarray(right, np.int16),
    )


def _straight(strength: NDArray[np.uint8], lying: bool, least: int, length: int) -> Mask:
    """Pixels of at least that strength in runs of that length, a little slant allowed."""
    along, across = ((length, 1), (1, 3)) if lying else ((1, length), (3, 1))
    steep = cv2.threshold(strength, least, 255, cv2.THRESH_BINARY)[1]
    steep = cv2.dilate(steep, cv2.getStructuringElement(cv2.MORPH_RECT, across))
    return np.asarray(cv2.morphologyEx(steep, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, along)), np.uint8)
