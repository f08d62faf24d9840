"""Straight edges of a page: where frame lines and gutters show even when their colour does not."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.detect.background import Mask


@dataclass(frozen=True, slots=True)
class LineMasks:
    """Straight edges of an image, ``(h, w)`` masks: the ``lying`` ones and the ``upright`` ones."""

    lying: Mask
    upright: Mask

    def window(self, rows: slice, columns: slice) -> LineMasks:
        """The edges in a part of the image."""
        return LineMasks(self.lying[rows, columns], self.upright[rows, columns])


def line_masks(image: NDArray[np.uint8], least_step: int, length: int) -> LineMasks:
    """Edges that run straight.

    Args:
        image: ``(h, w, 3)`` uint8.
        least_step: grey levels between the two sides of an edge.
        length: shortest run in pixels.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    lying = cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, 0, 1, ksize=1))
    upright = cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, 1, 0, ksize=1))
    return LineMasks(
        _straight(np.asarray(lying, np.uint8), True, least_step, length),
        _straight(np.asarray(upright, np.uint8), False, least_step, length),
    )


def _straight(strength: NDArray[np.uint8], lying: bool, least: int, length: int) -> Mask:
    """Pixels of at least that strength in runs of that length, a little slant allowed."""
    along, across = ((length, 1), (1, 3)) if lying else ((1, length), (3, 1))
    steep = cv2.threshold(strength, least, 255, cv2.THRESH_BINARY)[1]
    steep = cv2.dilate(steep, cv2.getStructuringElement(cv2.MORPH_RECT, across))
    return np.asarray(cv2.morphologyEx(steep, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, along)), np.uint8)
