"""A labelled page as training shows it: cropped, mirrored, recoloured, compressed, another way each time."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.detect.rcnn.canvas import PAD

Boxes = NDArray[np.float32]
Image = NDArray[np.uint8]
_LEAST_SIDE = 6.0
"""Canvas pixels: what is left of a box beside a cut is no box when it is narrower."""


@dataclass(frozen=True, slots=True)
class Variation:
    """How far pages are changed.

    Attributes:
        zoom: smallest and largest scale, 1 for the page as large as it fits.
        stretch: widths against heights by up to this share.
        mirror: probability of left and right changed; likewise ``grey``, ``invert``, ``jpeg``, ``blur`` and ``noise``.
        light: contrast and brightness by up to this share, per colour a third of it.
        keep: share of a box that must be left on the canvas, else it is no box.
    """

    zoom: tuple[float, float] = (0.75, 1.35)
    stretch: float = 0.12
    mirror: float = 0.5
    light: float = 0.3
    grey: float = 0.25
    invert: float = 0.04
    jpeg: float = 0.3
    blur: float = 0.1
    noise: float = 0.15
    keep: float = 0.3


def varied_page(
    image: Image, boxes: Boxes, size: tuple[int, int], how: Variation, random: np.random.Generator
) -> tuple[Image, Boxes, NDArray[np.bool_]]:
    """The page on a canvas, differently with every draw.

    Args:
        image: ``(h, w, 3)`` uint8 blue-green-red.
        boxes: ``(k, 4)`` xyxy, pixels of ``image``.
        size: height and width of the canvas.
        random: all chance comes from it.

    Returns:
        The canvas ``(height, width, 3)`` uint8; the boxes left on it ``(j, 4)`` xyxy; which those are, ``(k,)``.
    """
    canvas, boxes, kept = _framed(image, boxes, size, how, random)
    if random.random() < how.mirror:
        canvas = canvas[:, ::-1]
        boxes = np.stack([size[1] - boxes[:, 2], boxes[:, 1], size[1] - boxes[:, 0], boxes[:, 3]], axis=1)
    return recoloured(np.ascontiguousarray(canvas), how, random), boxes, kept


def _framed(
    image: Image, boxes: Boxes, size: tuple[int, int], how: Variation, random: np.random.Generator
) -> tuple[Image, Boxes, NDArray[np.bool_]]:
    high, wide = size
    zoom = float(np.exp(random.uniform(np.log(how.zoom[0]), np.log(how.zoom[1]))))
    stretch = float(np.exp(random.uniform(-how.stretch, how.stretch) / 2))
    fit = min(high / image.shape[0], wide / image.shape[1]) * zoom
    scale_x, scale_y = fit * stretch, fit / stretch
    new_w, new_h = max(8, round(image.shape[1] * scale_x)), max(8, round(image.shape[0] * scale_y))
    method = cv2.INTER_AREA if fit < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(image, (new_w, new_h), interpolation=method), np.uint8)
    left, top = (round(random.uniform(min(0, room), max(0, room))) for room in (wide - new_w, high - new_h))
    canvas = np.full((high, wide, 3), PAD, np.uint8)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(wide, left + new_w), min(high, top + new_h)
    canvas[y0:y1, x0:x1] = small[y0 - top : y1 - top, x0 - left : x1 - left]
    factors = np.array([new_w / image.shape[1], new_h / image.shape[0]] * 2, np.float32)
    moved = boxes * factors + np.array([left, top] * 2, np.float32)
    cut = np.stack([moved[:, at].clip(0, limit) for at, limit in enumerate((wide, high, wide, high))], axis=1)
    before = (moved[:, 2] - moved[:, 0]) * (moved[:, 3] - moved[:, 1])
    sides = cut[:, 2:] - cut[:, :2]
    kept = (sides.min(axis=1, initial=1e9) >= _LEAST_SIDE) & (sides.prod(axis=1) >= how.keep * before)
    return canvas, cut[kept].astype(np.float32), kept


def recoloured(canvas: Image, how: Variation, random: np.random.Generator) -> Image:
    """Other light, colours, sharpness and compression."""
    if random.random() < how.grey:
        canvas = np.asarray(cv2.cvtColor(cv2.cvtColor(canvas, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)
    if random.random() < how.invert:
        canvas = 255 - canvas
    gain = 1 + random.uniform(-how.light, how.light) + random.uniform(-how.light, how.light, 3) / 3
    shift = 255 * (random.uniform(-how.light, how.light) + random.uniform(-how.light, how.light, 3) / 3) / 2
    levels = np.arange(256)[:, None] * gain + shift + 127 * (1 - gain)
    canvas = np.asarray(cv2.LUT(canvas, levels.clip(0, 255).astype(np.uint8).reshape(256, 1, 3)), np.uint8)
    if random.random() < how.blur:
        canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), random.uniform(0.4, 1.0)), np.uint8)
    if random.random() < how.noise:
        noise = random.normal(0, random.uniform(2, 12), canvas.shape[:2])[..., None]
        canvas = (canvas + noise).clip(0, 255).astype(np.uint8)
    if random.random() < how.jpeg:
        done, data = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(20, 80))])
        canvas = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8) if done else canvas
    return canvas
