"""Words on a page: lines of lettering, columns of strokes that look like Japanese, titles."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from comix.core.geometry import Box
from comix.synth.art import Image
from comix.synth.look import Colour

_SYLLABLES = (
    "a", "ba", "ca", "de", "en", "fo", "go", "he", "i", "jo", "ka", "lo", "ma", "no", "o", "pa", "ra", "so", "the", "un",
    "ver", "with", "you", "that", "th", "ing", "ed", "er", "st", "ly", "an", "to", "is", "ou", "ch", "wh", "and",
)  # fmt: skip
_N_SIGNS = 40
"""Different signs in one piece of vertical lettering."""
_HERSHEY = (
    cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX_SMALL, cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)  # fmt: skip


def words(random: np.random.Generator, count: int, capitals: bool) -> list[str]:
    """Made-up words of one to three syllables, with punctuation here and there."""
    lengths = random.choice([1, 2, 3], count, p=[0.35, 0.45, 0.2])
    picks = random.integers(0, len(_SYLLABLES), int(lengths.sum()))
    found, place = [], 0
    for length in lengths:
        word = "".join(_SYLLABLES[pick] for pick in picks[place : place + length])
        place += int(length)
        found.append((word.upper() if capitals else word) + ("!?.,"[int(random.integers(4))] if random.random() < 0.15 else ""))
    return found


def write_lines(
    random: np.random.Generator, page: Image, box: Box, ink: Colour, size: float, centred: bool = True
) -> Box | None:
    """Lines of words that fill a box from the top; what they take up, None when the box is too small for one.

    Args:
        random: chooses words and typeface.
        page: changed in place.
        box: pixels.
        ink: colour.
        size: height of a line, pixels.
        centred: else set from the left, and the last line ends early.
    """
    left, top = round(box.x), round(box.y)
    wide, high = min(round(box.w), page.shape[1] - left), min(round(box.h), page.shape[0] - top)
    n_lines = int(high / size)
    if n_lines < 1 or wide < 2 * size or left < 0 or top < 0:
        return None
    patch = np.zeros((high, wide), np.uint8)
    capitals = bool(random.random() < 0.7)
    pool = words(random, max(2, int(wide * n_lines / (size * 2.2))) + 2, capitals)
    first = (high - n_lines * size) / 2 if centred else 0.0
    if random.random() < 0.5:
        _by_pillow(patch, pool, n_lines, first, size, centred)
    else:
        face = _HERSHEY[int(random.integers(len(_HERSHEY)))]
        _by_hershey(patch, pool, n_lines, first, size, centred, face, bool(random.random() < 0.25))
    return _blend(page, patch, left, top, ink)


def write_columns(random: np.random.Generator, page: Image, box: Box, ink: Colour, size: float) -> Box | None:
    """Columns of signs from the right, see `write_lines`."""
    left, top = round(box.x), round(box.y)
    wide, high = min(round(box.w), page.shape[1] - left), min(round(box.h), page.shape[0] - top)
    n_columns, n_signs = int(wide / (size * 1.25)), int(high / size)
    if n_columns < 1 or n_signs < 2 or left < 0 or top < 0:
        return None
    patch = np.zeros((high, wide), np.uint8)
    cell = int(size)
    signs = np.zeros((_N_SIGNS, cell, cell), np.uint8)
    for sign in signs:
        _sign(random, sign, size * 0.9)
    margin, top_margin = (wide - n_columns * size * 1.25) / 2, int((high - n_signs * size) / 2)
    lengths = random.integers(max(2, n_signs // 2), n_signs + 1, n_columns)
    chosen = random.integers(0, _N_SIGNS, (n_columns, n_signs))
    for column, length in enumerate(lengths.tolist()):
        x = max(0, min(wide - cell, int(wide - margin - (column + 0.9) * size * 1.25)))
        for row in range(length):
            y = min(high - cell, top_margin + int(row * size))
            patch[y : y + cell, x : x + cell] = signs[chosen[column, row]]
    return _blend(page, patch, left, top, ink)


def write_title(random: np.random.Generator, page: Image, box: Box, ink: Colour, rim: Colour | None) -> Box | None:
    """One to three words as large as the box allows, perhaps with a rim; what they take up."""
    left, top = max(0, round(box.x)), max(0, round(box.y))
    wide, high = min(round(box.w), page.shape[1] - left), min(round(box.h), page.shape[0] - top)
    if wide < 24 or high < 10:
        return None
    text = " ".join(words(random, int(random.integers(1, 4)), bool(random.random() < 0.75)))
    heavy = bool(random.random() < 0.6)
    face = cv2.FONT_HERSHEY_TRIPLEX if heavy else cv2.FONT_HERSHEY_DUPLEX
    (unit, tall), drop = cv2.getTextSize(text, face, 1.0, 1)
    scale = min(wide * 0.92 / unit, high * 0.8 / (tall + drop))
    thick = max(1, round(scale * float(random.uniform(2.5, 6.0) if heavy else random.uniform(1.5, 3.0))))
    origin = (int((wide - unit * scale) / 2), int(high / 2 + tall * scale / 2))
    patch = np.zeros((high, wide), np.uint8)
    if rim is not None:
        cv2.putText(patch, text, origin, face, scale, 255, thick + max(2, round(scale * 3)), cv2.LINE_AA)
        _blend(page, patch, left, top, rim)
        patch = np.zeros((high, wide), np.uint8)
    cv2.putText(patch, text, origin, face, scale, 255, thick, cv2.LINE_AA)
    return _blend(page, patch, left, top, ink)


@lru_cache(maxsize=64)
def _typeface(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _by_pillow(patch: np.ndarray, pool: list[str], n_lines: int, first: float, size: float, centred: bool) -> None:
    canvas = PillowImage.fromarray(patch)
    draw, face = ImageDraw.Draw(canvas), _typeface(max(7, int(size * 0.78)))
    limit, space = patch.shape[1] * 0.98, draw.textlength(" ", face)
    widths = [draw.textlength(word, face) for word in pool]
    for line in range(n_lines):
        taken, length = 0, -space
        while taken < len(pool) and (length + space + widths[taken] <= limit or not taken):
            length += space + widths[taken]
            taken += 1
        text, pool, widths = " ".join(pool[:taken]), pool[taken:], widths[taken:]
        x = max(0.0, (patch.shape[1] - length) / 2) if centred else 0.0
        draw.text((x, first + line * size), text, 255, face)
    patch[:] = np.asarray(canvas)


def _by_hershey(
    patch: np.ndarray, pool: list[str], n_lines: int, first: float, size: float, centred: bool, face: int, bold: bool
) -> None:
    (_, tall), _ = cv2.getTextSize("HAgy", face, 1.0, 1)
    scale = size * 0.58 / tall
    per_sign = cv2.getTextSize("ABCDEFGHIJ", face, scale, 1)[0][0] / 10
    limit = max(1, int(patch.shape[1] * 0.97 / per_sign))
    for line in range(n_lines):
        text = ""
        while pool and len(text) + len(pool[-1]) + 1 <= limit:
            text = f"{text} {pool.pop()}".strip()
        if not text and pool:
            text = pool.pop()[:limit]
        x = int((patch.shape[1] - len(text) * per_sign) / 2) if centred else 0
        cv2.putText(patch, text, (max(0, x), int(first + line * size + size * 0.78)), face, scale, 255, 2 if bold else 1,
                    cv2.LINE_AA)  # fmt: skip


def _sign(random: np.random.Generator, patch: np.ndarray, size: float) -> None:
    """A few strokes, level and upright ones mostly."""
    at = random.uniform(0.1, 0.9, (5, 4)) * size
    thick = max(1, round(size / 11))
    for number in range(int(random.integers(2, 6))):
        x0, y0, x1, y1 = at[number].tolist()
        match number % 3:
            case 0:
                y1 = y0 + 0.05 * size
                x0, x1 = min(x0, x1) * 0.6, max(x0, x1) * 1.1
            case 1:
                x1 = x0
        cv2.line(patch, (int(x0), int(y0)), (int(x1), int(y1)), 255, thick, cv2.LINE_AA)


def _blend(page: Image, patch: np.ndarray, left: int, top: int, ink: Colour) -> Box | None:
    """Ink where the patch is white; the box of it."""
    x, y, wide, high = cv2.boundingRect(patch)
    if not wide:
        return None
    alpha = patch[y : y + high, x : x + wide, None].astype(np.uint16)
    area = page[top + y : top + y + high, left + x : left + x + wide]
    area[:] = (area * (255 - alpha) + np.array(ink, np.uint16) * alpha) // 255
    return Box(float(left + x), float(top + y), float(wide), float(high))
