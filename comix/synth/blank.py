"""What is on a page and is no panel: covers, text pages, titles, columns of words."""

from __future__ import annotations

import cv2
import numpy as np

from comix.core.geometry import Box
from comix.core.page import Detection
from comix.synth.art import Drawing, Image
from comix.synth.lettering import write_columns, write_lines, write_title
from comix.synth.look import Colour, Look
from comix.synth.treat import cut_piece


def draw_cover(random: np.random.Generator, page: Image, drawing: Drawing, look: Look) -> list[Detection]:
    """A picture over the whole page with a large title, blurbs and a price box; its words."""
    height, width = page.shape[:2]
    if random.random() < 0.85:
        page[:] = cut_piece(random, drawing, width, height, look).image
    elif random.random() < 0.6:
        _picture(random, page, drawing, look, Box(0.15 * width, 0.3 * height, 0.7 * width, 0.4 * height))
    found: list[Detection] = []
    if random.random() < 0.5:
        band = (0, 0, width, int(float(random.uniform(0.1, 0.26)) * height))
        cv2.rectangle(page, band[:2], band[2:], _any_colour(random), -1)
    y = float(random.uniform(0.02, 0.08)) * height
    for _ in range(int(random.integers(1, 4))):
        high = float(random.uniform(0.06, 0.16)) * height
        found += _title(random, page, Box(0.05 * width, y, 0.9 * width, high))
        y += high * 1.02
    for _ in range(int(random.integers(0, 4))):
        wide, high = float(random.uniform(0.2, 0.5)) * width, float(random.uniform(0.03, 0.09)) * height
        x, y = float(random.uniform(0.03, 0.95)) * (width - wide), float(random.uniform(0.4, 0.95)) * (height - high)
        box = Box(x, y, wide, high)
        if random.random() < 0.5:
            cv2.rectangle(page, (int(x), int(y)), (int(box.r), int(box.b)), _any_colour(random), -1)
        found += _title(random, page, box) if random.random() < 0.5 else _paragraph(random, page, box, _ink(random))
    if random.random() < 0.3:
        _bars(random, page)
    return found


def draw_text_areas(
    random: np.random.Generator, page: Image, areas: list[Box], drawing: Drawing, look: Look, pictures: bool
) -> list[Detection]:
    """Words where the layout has them: a title in a low wide area, else paragraphs; now and then a picture among them.

    Args:
        random: see `Look`.
        page: changed in place.
        areas: boxes for words.
        drawing: for pictures.
        look: of the page.
        pictures: whether there may be any, as in advertisements; they have no box.
    """
    found: list[Detection] = []
    for area in areas:
        inner = Box(area.x + 0.04 * area.w, area.y + 0.06 * area.h, 0.92 * area.w, 0.86 * area.h)
        ink = (235, 235, 235) if _is_dark(page, area) else (25, 25, 25)
        if area.w > 3 * area.h and random.random() < 0.7:
            found += _title(random, page, inner, ink)
            continue
        if random.random() < 0.25:
            left, top, right, bottom = (int(v) for v in area.xyxy)
            cv2.rectangle(page, (left + 3, top + 3), (right - 3, bottom - 3), ink, int(random.integers(1, 3)))
        if random.random() < 0.5:
            high = min(0.16 * inner.h, 0.07 * page.shape[0])
            found += _title(random, page, Box(inner.x, inner.y, inner.w, high), ink)
            inner = Box(inner.x, inner.y + 1.2 * high, inner.w, inner.h - 1.2 * high)
        if pictures and random.random() < 0.35 and inner.h > 0.2 * page.shape[0]:
            share = float(random.uniform(0.2, 0.4)) * inner.h
            _picture(random, page, drawing, look, Box(inner.x + 0.2 * inner.w, inner.y, 0.6 * inner.w, share))
            inner = Box(inner.x, inner.y + share * 1.05, inner.w, inner.h - share * 1.05)
        found += _paragraph(random, page, inner, ink, look.vertical)
    return found


def _title(random: np.random.Generator, page: Image, box: Box, ink: Colour | None = None) -> list[Detection]:
    colour = ink or _any_colour(random)
    rim = None if ink is not None and random.random() < 0.7 else ((0, 0, 0) if sum(colour) > 380 else (255, 255, 255))
    words = write_title(random, page, box, colour, rim)
    return [] if words is None else [Detection(words, 1.0, "text")]


def _paragraph(random: np.random.Generator, page: Image, box: Box, ink: Colour, vertical: bool = False) -> list[Detection]:
    size = max(7.0, float(random.uniform(0.01, 0.02)) * max(page.shape[:2]))
    if vertical:
        words = write_columns(random, page, box, ink, size)
    else:
        words = write_lines(random, page, box, ink, size, centred=bool(random.random() < 0.3))
    return [] if words is None else [Detection(words, 1.0, "text")]


def _picture(random: np.random.Generator, page: Image, drawing: Drawing, look: Look, box: Box) -> None:
    """An oval piece of a drawing, with soft edges: an ornament, not a panel."""
    left, top, right, bottom = (max(0, int(v)) for v in box.xyxy)
    area = page[top:bottom, left:right]
    high, wide = area.shape[:2]
    if min(high, wide) < 16:
        return
    mask = np.zeros((high, wide), np.uint8)
    cv2.ellipse(mask, (wide // 2, high // 2), (int(wide * 0.4), int(high * 0.4)), 0, 0, 360, 255, -1)
    alpha = cv2.blur(mask, (wide // 8 + 1, high // 8 + 1))[..., None].astype(np.uint16)
    piece = cut_piece(random, drawing, wide, high, look).image
    area[:] = (piece * alpha + area * (255 - alpha)) // 255


def _bars(random: np.random.Generator, page: Image) -> None:
    height, width = page.shape[:2]
    wide, high = int(0.16 * width), int(0.06 * height)
    x, y = (
        (int(0.04 * width), height - high - int(0.03 * height))
        if random.random() < 0.5
        else (int(0.8 * width), int(0.9 * height))
    )
    cv2.rectangle(page, (x, y), (x + wide, y + high), (255, 255, 255), -1)
    for bar in np.flatnonzero(random.random(wide - 8) < 0.45).tolist():
        page[y + 4 : y + high - 6, x + 4 + bar] = 0


def _any_colour(random: np.random.Generator) -> Colour:
    if random.random() < 0.35:
        return ((255, 255, 255), (0, 0, 0))[int(random.integers(2))]
    blue, green, red = random.integers(0, 256, 3)
    return int(blue), int(green), int(red)


def _ink(random: np.random.Generator) -> Colour:
    return (int(random.choice([15, 245])),) * 3


def _is_dark(page: Image, area: Box) -> bool:
    left, top, right, bottom = (max(0, int(v)) for v in area.xyxy)
    part = page[top:bottom:7, left:right:7]
    return bool(part.size and part.mean() < 110)
