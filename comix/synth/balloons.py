"""Balloons and caption boxes drawn over panels, frames and gutters."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from comix.core.geometry import Box
from comix.core.page import Detection
from comix.synth.art import Image
from comix.synth.lettering import write_columns, write_lines, write_title
from comix.synth.look import Colour, Look
from comix.synth.shapes import Polygon, box_of

Kind = Literal["oval", "round", "cloud", "burst", "caption", "bare"]


def draw_balloons(random: np.random.Generator, page: Image, panels: list[Polygon], look: Look) -> list[Detection]:
    """Balloons for the panels of a page, in and across them; what was drawn, as ``balloon`` and ``text``.

    Args:
        random: see `Look`.
        page: changed in place.
        panels: corners of the panels.
        look: how many, and how many stick out.
    """
    found: list[Detection] = []
    taken: list[Box] = []
    for polygon in panels:
        for _ in range(int(random.poisson(look.n_balloons))):
            box = _place(random, page, polygon, look)
            if box is not None and all(box.intersection(other) == 0 for other in taken):
                taken.append(box)
                found += _draw(random, page, box, polygon, look)
    if random.random() < 0.12 and panels:
        found += _sound(random, page, panels[int(random.integers(len(panels)))])
    return found


def _place(random: np.random.Generator, page: Image, polygon: Polygon, look: Look) -> Box | None:
    """Inside the panel, near its top mostly, or across one of its sides."""
    panel, unit = box_of(polygon), min(page.shape[:2])
    wide = float(random.uniform(0.09, 0.26)) * unit
    high = float(random.uniform(0.05, 0.16)) * unit
    if look.vertical:
        wide, high = high, wide
    wide, high = min(wide, panel.w * 0.7), min(high, panel.h * 0.6)
    if random.random() < look.out:
        corner = int(random.integers(len(polygon)))
        share = float(random.uniform(0.1, 0.9))
        x, y = (polygon[corner] * share + polygon[corner - 1] * (1 - share) + random.normal(0, 0.25, 2) * (wide, high)).tolist()
    else:
        x = float(random.uniform(panel.x + wide / 2, panel.r - wide / 2))
        low, tall = panel.y + high / 2 + 3, max(1.0, panel.h - high - 6)
        y = low + tall * (float(random.beta(1, 2.5)) if random.random() < 0.8 else float(random.random()))
    box = Box(x - wide / 2, y - high / 2, wide, high)
    is_on_page = box.x > 1 and box.y > 1 and box.r < page.shape[1] - 1 and box.b < page.shape[0] - 1
    return box if is_on_page and min(wide, high) > 16 else None


def _draw(random: np.random.Generator, page: Image, box: Box, polygon: Polygon, look: Look) -> list[Detection]:
    kinds: tuple[Kind, ...] = ("oval", "round", "cloud", "burst", "caption", "bare")
    kind = kinds[int(random.choice(6, p=[0.45, 0.17, 0.06, 0.08, 0.17, 0.07]))]
    paper, ink = _colours(random, kind, look)
    thick = int(random.choice([0, 1, 2, 3], p=[0.12, 0.43, 0.33, 0.12]))
    shape = _shape(random, box, kind)
    found = []
    if kind != "bare":
        if kind in ("oval", "round", "burst") and random.random() < 0.7:
            _tail(random, page, box, polygon, paper, ink, thick)
        points = [np.round(shape * 16).astype(np.int32)]
        cv2.fillPoly(page, points, paper, cv2.LINE_AA, 4)
        if thick:
            cv2.polylines(page, points, True, ink, thick, cv2.LINE_AA, 4)
        found.append(Detection(box.clipped(page.shape[1], page.shape[0]), 1.0, "balloon"))
    inset = 0.16 if kind in ("oval", "cloud", "burst") else 0.06
    inner = Box(box.x + inset * box.w, box.y + inset * box.h, box.w * (1 - 2 * inset), box.h * (1 - 2 * inset))
    size = float(random.uniform(0.011, 0.022)) * max(page.shape[:2])
    size = max(7.0, min(size, inner.h / 1.5 if not look.vertical else inner.w / 1.4))
    write = write_columns if look.vertical else write_lines
    words = write(random, page, inner, ink, size)
    return found if words is None else [*found, Detection(words, 1.0, "text")]


def _colours(random: np.random.Generator, kind: Kind, look: Look) -> tuple[Colour, Colour]:
    dark: Colour = (int(random.integers(0, 50)),) * 3
    light: Colour = (int(random.integers(235, 256)),) * 3
    if random.random() < 0.06 or (kind == "bare" and random.random() < 0.4):
        return dark, light
    if kind == "caption" and random.random() < 0.5 and look.treatment not in ("lines", "tone", "grey"):
        blue, green, red = random.integers([120, 170, 190], 256)
        return (int(blue), int(green), int(red)), dark
    return light, dark


def _shape(random: np.random.Generator, box: Box, kind: Kind) -> Polygon:
    if kind in ("caption", "bare"):
        return np.array([(box.x, box.y), (box.r, box.y), (box.r, box.b), (box.x, box.b)])
    n = 64
    angle = np.arange(n) * (2 * np.pi / n)
    power = 0.55 if kind == "round" else float(random.uniform(0.85, 1.0))
    x, y = (np.sign(way) * np.abs(way) ** power for way in (np.cos(angle), np.sin(angle)))
    reach = np.ones(n)
    if kind == "cloud":
        reach = 0.9 + 0.1 * np.abs(np.cos(angle * int(random.integers(4, 8))))
    elif kind == "burst":
        reach = np.where(np.arange(n) % 4 < 2, 1.0, random.uniform(0.72, 0.9)) * random.uniform(0.92, 1.0, n)
    return np.stack([box.cx + x * reach * box.w / 2, box.cy + y * reach * box.h / 2], axis=1)


def _tail(random: np.random.Generator, page: Image, box: Box, polygon: Polygon, paper: Colour, ink: Colour, thick: int) -> None:
    towards = polygon.mean(axis=0) + random.normal(0, 0.2, 2) * np.ptp(polygon, axis=0) - (box.cx, box.cy)
    length = max(float(np.hypot(*towards)), 1e-6)
    reach = min(length, float(random.uniform(0.7, 1.2)) * max(box.w, box.h) * 0.75)
    way = towards / length
    aside = np.array([-way[1], way[0]]) * min(box.w, box.h) * float(random.uniform(0.08, 0.16))
    centre = np.array([box.cx, box.cy])
    points = [np.round(np.array([centre - aside, centre + aside, centre + way * reach]) * 16).astype(np.int32)]
    cv2.fillPoly(page, points, paper, cv2.LINE_AA, 4)
    if thick:
        cv2.polylines(page, points, True, ink, thick, cv2.LINE_AA, 4)


def _sound(random: np.random.Generator, page: Image, polygon: Polygon) -> list[Detection]:
    """Large letters with a rim, over the panel's side as likely as inside."""
    panel = box_of(polygon)
    wide, high = float(random.uniform(0.4, 0.9)) * panel.w, float(random.uniform(0.1, 0.25)) * panel.h
    x = panel.x + float(random.uniform(-0.1, 1.1)) * (panel.w - wide)
    y = panel.y + float(random.uniform(-0.05, 1.05)) * (panel.h - high)
    ink = tuple(int(v) for v in random.integers(0, 256, 3))
    rim = (255, 255, 255) if sum(ink) < 380 else (0, 0, 0)
    words = write_title(random, page, Box(x, y, wide, high), (ink[0], ink[1], ink[2]), rim)
    return [] if words is None else [Detection(words, 1.0, "onomatopoeia")]
