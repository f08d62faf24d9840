"""Pages of any shape on canvases of about one area: letterboxed, sides multiples of 32; each page alone decides its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

STRIDE = 32
"""Sides of a canvas are multiples of it: the coarsest map of the backbone."""
PAD = 127
"""Grey beside the page; 0 after `pixels_of`."""
_LONGEST = 16.0
"""Height over width, or its inverse, at most: longer strips are squeezed no further."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a page lies on its canvas: ``x * scale + left``, ``y * scale + top``.

    Attributes:
        height: of the canvas, likewise ``width``.
        scale: canvas pixels per page pixel.
        left: of the page on the canvas, likewise ``top``.
    """

    height: int
    width: int
    scale: float
    left: int
    top: int


def canvas_size(width: float, height: float, area: float) -> tuple[int, int]:
    """Height and width of the canvas of a page: about ``area`` pixels, the page's shape, multiples of 32.

    >>> canvas_size(1250, 1875, 110_000), canvas_size(800, 6400, 110_000)
    ((416, 288), (960, 128))
    """
    aspect = min(max(height / width, 1 / _LONGEST), _LONGEST)
    wide = math.sqrt(area / aspect)
    high, wide = (STRIDE * math.ceil(side / STRIDE - 1e-6) for side in (wide * aspect, wide))
    return int(high), int(wide)


def placement(width: int, height: int, area: float) -> Placement:
    """The page in the middle of its canvas, as large as it fits.

    >>> placement(1250, 1875, 110_000)
    Placement(height=416, width=288, scale=0.22186666666666666, left=5, top=0)
    """
    high, wide = canvas_size(width, height, area)
    scale = min(high / height, wide / width)
    return Placement(high, wide, scale, (wide - max(1, round(width * scale))) // 2, (high - max(1, round(height * scale))) // 2)


def placed(image: NDArray[np.uint8], where: Placement) -> NDArray[np.uint8]:
    """A ``(h, w, 3)`` page on its canvas."""
    size = max(1, round(image.shape[1] * where.scale)), max(1, round(image.shape[0] * where.scale))
    method = cv2.INTER_AREA if where.scale < 1 else cv2.INTER_LINEAR
    canvas = np.full((where.height, where.width, 3), PAD, np.uint8)
    canvas[where.top : where.top + size[1], where.left : where.left + size[0]] = cv2.resize(image, size, interpolation=method)
    return canvas


def pixels_of(canvases: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """What the network sees: ``(n, 3, h, w)`` float32, red green blue, ``(value - 127) / 128``.

    Args:
        canvases: of one size, blue-green-red.
    """
    stacked = np.stack(canvases)[..., ::-1].transpose(0, 3, 1, 2)
    values: NDArray[np.float32] = (stacked.astype(np.float32) - 127.0) / 128.0
    return values
