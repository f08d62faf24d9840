"""Page images small enough to live inside the report."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import cv2

from comix.io.images import BgrImage

QUALITY = 74


def page_scale(width: int, height: int, long_side: int = 700) -> float:
    """Factor that brings a page to ``long_side``; strips keep enough of their short side to be readable, at most 1.

    >>> round(page_scale(1400, 2100), 3), round(page_scale(800, 8000), 3), page_scale(100, 100)
    (0.333, 0.5, 1.0)
    """
    scale = long_side / max(width, height)
    if height > 2.2 * width:
        scale = max(scale, min(400 / width, 4000 / height))
    elif width > 1.5 * height:
        scale = 1000 / width
    return min(1.0, scale)


def data_uri(image: BgrImage, scale: float) -> str:
    """A ``(h, w, 3)`` BGR image scaled down as WebP, ready for an ``src`` attribute."""
    small: Any = image
    if scale < 1:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    return "data:image/webp;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def crop_uri(image: BgrImage, xywh: Sequence[float], height: int = 220) -> str:
    """A panel cut out of a page, ``height`` pixels high, as in `data_uri`."""
    x, y, w, h = (max(0, round(value)) for value in xywh)
    part = image[y : y + max(1, h), x : x + max(1, w)]
    return data_uri(part, min(1.0, height / part.shape[0])) if part.size else ""
