"""What a drawing becomes on the page: cut to shape, coloured, toned."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.synth.art import Drawing, Image
from comix.synth.look import Look

_MOST_STRETCH = 1.35
_LEAST_SCALE = 0.6
"""Drawings are not blown up beyond this many of their pixels per pixel of the page, unless the panel asks for it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A drawing as it is on a page; ``window``: left, top, right, bottom of what is shown, as shares of the drawing."""

    image: Image
    window: tuple[float, float, float, float]
    is_mirrored: bool


def whole_piece(random: np.random.Generator, drawing: Drawing, wide: int, high: int, look: Look) -> Piece:
    """As much of a drawing as fills ``wide`` x ``high`` pixels, about its middle, stretched by at most a third."""
    height, width = drawing.image.shape[:2]
    stretch = float(np.clip((width / height) / (wide / high), 1 / _MOST_STRETCH, _MOST_STRETCH))
    scale = min(width / (wide * stretch), height / high)
    w, h = min(width, max(1, round(wide * stretch * scale))), min(height, max(1, round(high * scale)))
    x, y = (width - w) // 2, (height - h) // 2
    way = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    part = np.asarray(cv2.resize(drawing.image[y : y + h, x : x + w], (wide, high), interpolation=way), np.uint8)
    return Piece(treated(random, part, look), (x / width, y / height, (x + w) / width, (y + h) / height), False)


def cut_piece(random: np.random.Generator, drawing: Drawing, wide: int, high: int, look: Look) -> Piece:
    """A part of a drawing that fills ``wide`` x ``high`` pixels, stretched by at most a fifth."""
    if look.whole:
        return whole_piece(random, drawing, wide, high, look)
    height, width = drawing.image.shape[:2]
    stretch = float(np.exp(random.uniform(-0.18, 0.18)))
    fitting = min(width / (wide * stretch), height / high)
    zoom = float(random.choice([1.0, random.uniform(0.55, 1.0)]))
    scale = min(fitting, max(fitting * zoom, _LEAST_SCALE))
    w, h = min(width, max(8, int(wide * stretch * scale))), min(height, max(8, int(high * scale)))
    x, y = int(random.integers(0, width - w + 1)), int(random.integers(0, height - h + 1))
    way = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    part = cv2.resize(drawing.image[y : y + h, x : x + w], (wide, high), interpolation=way)
    mirrored = look.mirrored and bool(random.random() < 0.5)
    image = treated(random, np.asarray(part[:, ::-1] if mirrored else part, np.uint8), look)
    return Piece(image, (x / width, y / height, (x + w) / width, (y + h) / height), mirrored)


def treated(random: np.random.Generator, image: Image, look: Look) -> Image:
    """The page's treatment of one drawing."""
    hue, light, contrast = look.warmth
    match look.treatment:
        case "lines":
            return _lines(random, image)
        case "tone":
            return _tone(random, image)
        case "grey":
            return _as_bgr(_adjusted(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), light, contrast * 1.2))
        case "duotone":
            grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            table = np.linspace(random.integers(0, 90, 3), random.integers(160, 256, 3), 256).astype(np.uint8)
            return np.asarray(table[grey], np.uint8)
        case "posterised":
            levels = int(random.integers(3, 7))
            table = (np.floor(np.arange(256) / 256 * levels) * (255 / (levels - 1))).astype(np.uint8)
            smooth = cv2.blur(image, (3, 3))
            return _coloured(random, np.asarray(cv2.LUT(smooth, table), np.uint8), hue, 1.3)
        case "newsprint":
            return _newsprint(random, image)
        case _:
            return _adjusted(_coloured(random, image, hue, 1.0), light, contrast)


def _as_bgr(grey: NDArray[np.uint8] | cv2.typing.MatLike) -> Image:
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


def _adjusted(image: cv2.typing.MatLike, light: float, contrast: float) -> Image:
    table = np.clip((np.arange(256) - 128) * contrast + 128 + light, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def _coloured(random: np.random.Generator, image: Image, hue: float, saturation: float) -> Image:
    """Hue and saturation moved; pictures in many colours look like many books."""
    if random.random() < 0.3:
        return image
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    turned = ((np.arange(256) + hue) % 180).astype(np.uint8)
    fuller = np.clip(np.arange(256) * saturation * random.uniform(0.6, 1.4), 0, 255).astype(np.uint8)
    same = np.arange(256, dtype=np.uint8)
    table = np.stack([turned, fuller, same], axis=1).reshape(1, 256, 3)
    return np.asarray(cv2.cvtColor(cv2.LUT(hsv, table), cv2.COLOR_HSV2BGR), np.uint8)


def _lines(random: np.random.Generator, image: Image) -> Image:
    """Ink lines on white, now and then with blacks filled in."""
    grey = cv2.blur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (3, 3))
    size = int(random.choice([9, 13, 19]))
    lines = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, size, int(random.integers(4, 11)))
    if random.random() < 0.5:
        lines = cv2.bitwise_and(lines, cv2.threshold(grey, int(random.integers(30, 75)), 255, cv2.THRESH_BINARY)[1])
    return _as_bgr(lines)


def _tone(random: np.random.Generator, image: Image) -> Image:
    """Black and white with middle tones as dots, as manga is printed."""
    grey = _adjusted(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), float(random.uniform(10, 60)), float(random.uniform(1.2, 2.0)))
    if random.random() < 0.3:
        return _as_bgr(grey)
    screen = _screen((grey.shape[0], grey.shape[1]), float(random.uniform(2.5, 6.0)))
    dots = np.where(screen < grey, 250, 25).astype(np.uint8)
    middle = cv2.inRange(grey, 80, 215)
    return _as_bgr(np.where(middle > 0, dots, grey).astype(np.uint8))


def _newsprint(random: np.random.Generator, image: Image) -> Image:
    """Few flat colours under ink, coarse dots, on yellowed paper."""
    smooth = cv2.blur(image, (5, 5))
    table = (np.floor(np.arange(256) / 64) * 85).astype(np.uint8)
    flat = _coloured(random, np.asarray(cv2.LUT(smooth, table), np.uint8), float(random.normal(0, 10)), 1.6)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    ink = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 15, 8)
    if random.random() < 0.6:
        screen = _screen((grey.shape[0], grey.shape[1]), float(random.uniform(3.0, 5.0)))
        flat = np.asarray(cv2.addWeighted(flat, 0.8, cv2.cvtColor(screen, cv2.COLOR_GRAY2BGR), 0.2, 0), np.uint8)
    paper = np.array([200, 228, 245], np.uint8)
    table = np.stack([np.arange(256) * (top / 255) for top in paper], axis=1).astype(np.uint8).reshape(1, 256, 3)
    return np.asarray(cv2.LUT(cv2.bitwise_and(flat, _as_bgr(ink)), table), np.uint8)


def _screen(shape: tuple[int, int], pitch: float) -> NDArray[np.uint8]:
    """A pattern of dots at 45 degrees, grey levels."""
    high, wide = shape
    a = np.cos(np.arange(high + wide) * np.float32(np.pi / pitch)).astype(np.float32)
    rows, columns = np.arange(high)[:, None], np.arange(wide)[None, :]
    return np.asarray((a[rows + columns] + a[rows - columns + wide - 1]) * 63 + 128, np.uint8)
