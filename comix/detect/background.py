"""What of a page is background: the colours the gutters may have, and the pixels of such a colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
"""``(h, w)`` uint8, 255 where true, 0 elsewhere."""

_SAME_COLOUR = 40
"""Two colours closer than this in every channel are one hypothesis."""
_UNEVEN = 8.0
"""Spread from which a background is taken for aged paper or a photograph."""


def working_copy(image: NDArray[np.uint8], short_side: int) -> NDArray[np.uint8]:
    """The page reduced to ``short_side`` pixels on its shorter side; itself when it is not larger."""
    height, width = image.shape[:2]
    factor = min(1.0, short_side / min(height, width))
    if factor == 1.0:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    step = int(1 / factor)
    if step > 1:  # averaging whole pixels is fast, any other averaging ten times slower than interpolating
        image = image[: height - height % step, : width - width % step]
        image = np.asarray(cv2.resize(image, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


@dataclass(frozen=True, slots=True)
class Ground:
    """A colour the gutters may have.

    Attributes:
        colour: ``(3,)`` blue, green, red.
        spread: how far its pixels lie from it: paper and scans are uneven, drawn files are not.
        share: part of the page side it was found on, 0 to 1; 0 for a mere guess.
    """

    colour: NDArray[np.int16]
    spread: float
    share: float


def background_colours(image: NDArray[np.uint8], limit: int = 4) -> list[Ground]:
    """Colours the gutters may have, most likely first: those of the four page sides, then white and black.

    Args:
        image: ``(h, w, 3)`` uint8.
        limit: most colours given.

    Returns:
        At most ``limit`` colours, no two alike.
    """
    height, width = image.shape[:2]
    band = max(2, round(0.012 * min(height, width)))
    sides = [image[:band], image[-band:], image[:, :band], image[:, -band:]]
    found = sorted((_commonest(_some(side)) for side in sides), key=lambda ground: -ground.share)
    found = [ground for ground in found if ground.share >= 0.25]
    found += [Ground(np.array([level] * 3, np.int16), 3.0, 0.0) for level in (252, 3)]
    kept: list[Ground] = []
    for ground in found:
        if all(np.abs(ground.colour - other.colour).max() >= _SAME_COLOUR for other in kept):
            kept.append(ground)
    return kept[:limit]


def _some(side: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """About two thousand pixels of a side, ``(n, 3)``."""
    pixels = side.reshape(-1, 3)
    return pixels[:: max(1, len(pixels) // 2000)]


def _commonest(pixels: NDArray[np.uint8]) -> Ground:
    """The commonest colour of ``(n, 3)`` pixels, its spread, and the share of pixels near it."""
    codes = (pixels >> 5).astype(np.int32) @ np.array([64, 8, 1], np.int32)
    fullest = int(np.bincount(codes, minlength=512).argmax())
    colour = np.median(pixels[codes == fullest], axis=0).astype(np.int16)
    away = np.abs(pixels.astype(np.int16) - colour).max(axis=1)
    close = away <= _SAME_COLOUR
    return Ground(colour, float(np.percentile(away[close], 80)), float(close.mean()))


def ground_mask(image: NDArray[np.uint8], ground: Ground, least: int, most: int) -> Mask:
    """Pixels of the background colour, its slow change over an uneven page followed.

    Args:
        image: ``(h, w, 3)`` uint8.
        ground: the colour.
        least: tolerance per channel for an even background; an uneven one gets more, up to ``most``.
        most: largest tolerance.
    """
    lowest = round(min(least + 3 * ground.spread, most))
    if ground.spread > _UNEVEN:
        away = np.asarray(cv2.absdiff(image, _paper(image, ground, most)), np.uint8)
        tolerance = _valley(_strongest(away[::3, ::3]), lowest, most)
        return np.asarray(cv2.inRange(away, (0.0, 0.0, 0.0), (float(tolerance),) * 3), np.uint8)
    sample = np.ascontiguousarray(image[::3, ::3])
    away = np.asarray(cv2.absdiff(sample, np.append(ground.colour, 0).astype(np.float64)), np.uint8)
    tolerance = _valley(_strongest(away), lowest, most)
    low = tuple((ground.colour - tolerance).astype(float).tolist())
    high = tuple((ground.colour + tolerance).astype(float).tolist())
    return np.asarray(cv2.inRange(image, low, high), np.uint8)


def _strongest(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest channel of every pixel, ``(h, w)``."""
    blue, green, red = cv2.split(image)
    return np.asarray(cv2.max(cv2.max(blue, green), red), np.uint8)


def _valley(distance: NDArray[np.uint8], least: int, most: int) -> int:
    """Where the fewest pixels lie between ``least`` and ``most`` from the background colour; the nearest such place."""
    if least >= most:
        return most
    counts = np.bincount(distance.ravel(), minlength=256).astype(np.float64)
    density = np.convolve(counts, np.ones(7) / 7, mode="same")[least : most + 1]
    return least + int(np.argmax(density <= density.min()))


def _paper(image: NDArray[np.uint8], ground: Ground, tolerance: int) -> NDArray[np.uint8]:
    """The background colour at every pixel of an unevenly lit or aged page: a quadratic surface per channel."""
    height, width = image.shape[:2]
    stride = max(4, min(height, width) // 50)
    sample = image[::stride, ::stride].astype(np.float32)
    rows, columns = np.mgrid[-1 : 1 : sample.shape[0] * 1j, -1 : 1 : sample.shape[1] * 1j]
    terms = np.stack([np.ones_like(rows), rows, columns, rows**2, rows * columns, columns**2], axis=-1)
    surface = np.broadcast_to(ground.colour.astype(np.float32), sample.shape)
    for _ in range(4):
        close = np.abs(sample - surface).max(axis=2) <= tolerance
        if np.count_nonzero(close) < 50:
            break
        known = terms[close]
        square = np.einsum("ni,nj->ij", known, known)  # not a product, which would start BLAS threads
        weights = np.linalg.solve(square + 1e-6 * np.eye(6), np.einsum("ni,nc->ic", known, sample[close]))
        surface = np.einsum("hwi,ic->hwc", terms, weights).astype(np.float32)
    small = np.clip(surface, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def connected_to_border(mask: Mask, min_width: int) -> Mask:
    """The part of ``mask`` that reaches the page border through passages of at least ``min_width`` pixels."""
    kernel = np.ones((min_width, min_width), np.uint8)
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=255)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, kernel)
    opened[[0, -1]] = 255
    opened[:, [0, -1]] = 255
    cv2.floodFill(opened, None, (0, 0), 128)
    return np.asarray(cv2.inRange(opened[1:-1, 1:-1], 128, 128), np.uint8)
