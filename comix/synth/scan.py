"""What printing, scanning and saving do to a page."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.synth.art import Image
from comix.synth.look import Look

Grain = NDArray[np.int8]


def grain() -> Grain:
    """``(512, 512)`` numbers of a normal distribution with standard deviation 32, the same every time."""
    return np.clip(np.random.default_rng(0).normal(0, 32, (512, 512)), -127, 127).astype(np.int8)


def rotation(width: int, height: int, angle_deg: float) -> NDArray[np.float64]:
    """The ``(2, 3)`` matrix that turns a page about its centre."""
    return np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, 1.0), np.float64)


def scanned(random: np.random.Generator, page: Image, look: Look, noise: Grain) -> bytes:
    """The page as a JPEG file: turned, unevenly lit, noisy, soft, with edges."""
    height, width = page.shape[:2]
    if look.angle_deg:
        page = np.asarray(
            cv2.warpAffine(page, rotation(width, height, look.angle_deg), (width, height), flags=cv2.INTER_LINEAR,
                           borderMode=cv2.BORDER_CONSTANT, borderValue=_beyond(random, look)), np.uint8)  # fmt: skip
    if look.blur:
        page = np.asarray(cv2.GaussianBlur(page, (0, 0), look.blur), np.uint8)
    if look.shade:
        page = _shaded(random, page, look.shade)
    if look.noise:
        page = _noisy(random, page, look.noise, noise)
    left, top, right, bottom = look.edge
    dark = int(random.integers(0, 120))
    for side in (page[:, :left], page[:top], page[:, width - right :], page[height - bottom :]):
        side[:] = dark
    return cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, look.quality])[1].tobytes()


def _beyond(random: np.random.Generator, look: Look) -> tuple[int, int, int]:
    return look.colour if random.random() < 0.6 else (int(random.integers(0, 256)),) * 3


def _shaded(random: np.random.Generator, page: Image, strength: float) -> Image:
    """Light that falls off to a side, and a fold."""
    rows, columns = np.mgrid[-1:1:24j, -1:1:24j]
    light = 1 - strength * np.abs(random.uniform(-1, 1) * rows + random.uniform(-1, 1) * columns)
    if random.random() < 0.4:
        fold = -1.0 if random.random() < 0.5 else 1.0
        light -= 2 * strength * np.exp(-((columns - fold) ** 2) / 0.02)
    small = np.clip(light * 255, 0, 255).astype(np.uint8)
    large = cv2.resize(small, page.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(page, cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), scale=1 / 255), np.uint8)


def _noisy(random: np.random.Generator, page: Image, level: float, noise: Grain) -> Image:
    height, width = page.shape[:2]
    y, x = random.integers(0, 512, 2).tolist()
    tile = np.roll(noise, (y, x), (0, 1)).astype(np.float32) * (level / 32)
    rows, columns = -(-height // 512), -(-width // 512)
    field = np.round(np.tile(tile, (rows, columns))[:height, :width]).astype(np.int16)
    merged = cv2.merge([field, field, field])
    return np.asarray(cv2.add(page, merged, dtype=cv2.CV_8U), np.uint8)
