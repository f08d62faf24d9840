"""How one page looks: paper, gutters, frames, treatment of the drawings, and what a scan does to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from comix.core.page import Direction

Colour = tuple[int, int, int]
Ground = Literal["white", "black", "tint", "paper", "texture", "gradient"]
Treatment = Literal["plain", "grey", "lines", "tone", "newsprint", "duotone", "posterised"]


@dataclass(frozen=True, slots=True)
class Look:
    """Choices that hold for a whole page.

    Attributes:
        ground: kind of what shows in the gutters; ``colour``: its colour, blue, green, red.
        frame: thickness of frame lines in pixels of a page of 1000; 0 for none, 0.5 for a pale one of one pixel.
        frame_colour: of the lines.
        wobble: standard deviation of hand-drawn lines, pixels.
        rounded: radius of corners as a share of the panel's shorter side, 0 for sharp ones.
        double: a second, thin line inside each frame.
        treatment: what is done to the drawings.
        warmth: shift of hue, brightness and contrast of all drawings.
        mirrored: drawings may be flipped.
        inner_sheet: the gutters have another colour than the margin, or None.
        n_balloons: drawn in a panel on average; ``out``: probability that one sticks out.
        vertical: lettering runs down, as in manga.
        blur: standard deviation, pixels; ``noise``: of the scan, grey levels; ``quality``: of the JPEG.
        angle_deg: rotation of the scan.
        shade: strength of uneven light.
        edge: dark edge of a scan beside the paper, pixels by side.
        whole: as much as possible of each drawing is shown.
    """

    ground: Ground
    colour: Colour
    frame: float
    frame_colour: Colour
    wobble: float
    rounded: float
    double: bool
    treatment: Treatment
    warmth: tuple[float, float, float]
    mirrored: bool
    inner_sheet: Colour | None
    n_balloons: float
    out: float
    vertical: bool
    blur: float
    noise: float
    quality: int
    angle_deg: float
    shade: float
    edge: tuple[int, int, int, int]
    whole: bool = False

    @property
    def is_dark(self) -> bool:
        """Whether the ground is dark."""
        return sum(self.colour) < 240


def drawn_look(random: np.random.Generator, family: str, direction: Direction, gap: float) -> Look:
    """A look as pages of a family have it."""
    manga = direction == "rtl" and bool(random.random() < 0.85)
    ground, colour = _ground(random, manga, family)
    dark = sum(colour) < 240
    frame = float(random.choice([0, 0.5, 1, 2, 3, 5, 8], p=[0.13, 0.12, 0.25, 0.25, 0.15, 0.07, 0.03]))
    if gap < 3:
        frame = max(frame, 2.0)
    shade = int(random.integers(0, 60))
    line: Colour = (shade,) * 3
    if dark and (gap < 3 or random.random() < 0.4):
        line = (int(random.integers(200, 256)),) * 3
    scanned = bool(random.random() < 0.55)
    edge = np.where(random.random(4) < 0.12, random.integers(2, 14, 4), 0) if scanned else np.zeros(4, int)
    return Look(
        ground=ground, colour=colour, frame=frame, frame_colour=line,
        wobble=float(random.uniform(0.5, 2.5)) if random.random() < 0.2 else 0.0,
        rounded=float(random.uniform(0.02, 0.12)) if random.random() < 0.08 else 0.0,
        double=bool(random.random() < 0.03), treatment=_treatment(random, manga, ground),
        warmth=(float(random.normal(0, 8)), float(random.normal(0, 12)), float(random.uniform(0.8, 1.2))),
        mirrored=bool(random.random() < 0.5), inner_sheet=_inner_sheet(random, ground, gap),
        n_balloons=float(random.choice([0.0, 0.4, 0.9, 1.6], p=[0.15, 0.35, 0.35, 0.15])),
        out=float(random.choice([0.0, 0.2, 0.6], p=[0.35, 0.4, 0.25])), vertical=manga and bool(random.random() < 0.7),
        blur=float(random.uniform(0.4, 1.1)) if random.random() < 0.35 else 0.0,
        noise=float(random.uniform(1, 9)) if scanned else 0.0,
        quality=int(random.choice([30, 45, 60, 75, 85, 92], p=[0.08, 0.12, 0.2, 0.25, 0.2, 0.15])),
        angle_deg=float(np.clip(random.normal(0, 0.6), -1.8, 1.8)) if scanned and random.random() < 0.6 else 0.0,
        shade=float(random.uniform(0.02, 0.14)) if scanned else 0.0,
        edge=(int(edge[0]), int(edge[1]), int(edge[2]), int(edge[3])),
    )  # fmt: skip


def _ground(random: np.random.Generator, manga: bool, family: str) -> tuple[Ground, Colour]:
    weights = [0.86, 0.08, 0.02, 0.02, 0.01, 0.01] if manga else [0.5, 0.14, 0.1, 0.14, 0.07, 0.05]
    kinds: tuple[Ground, ...] = ("white", "black", "tint", "paper", "texture", "gradient")
    kind = kinds[int(random.choice(len(kinds), p=weights))]
    if kind == "white":
        level = 255 if random.random() < 0.6 else int(random.integers(236, 255))
        return kind, (level, level, level)
    if kind == "black":
        level = 0 if random.random() < 0.5 else int(random.integers(0, 40))
        return kind, (level, level, level)
    if kind == "paper":
        blue, green, red = random.integers([150, 195, 215], [225, 240, 252])
        return kind, (int(blue), int(green), int(red))
    blue, green, red = random.integers(20, 245, 3)
    return kind, (int(blue), int(green), int(red))


def _treatment(random: np.random.Generator, manga: bool, ground: Ground) -> Treatment:
    kinds: tuple[Treatment, ...] = ("plain", "grey", "lines", "tone", "newsprint", "duotone", "posterised")
    weights = [0.38, 0.06, 0.16, 0.06, 0.12, 0.06, 0.16]
    if manga:
        weights = [0.2, 0.15, 0.25, 0.38, 0.0, 0.01, 0.01]
    elif ground == "paper":
        weights = [0.15, 0.05, 0.1, 0.0, 0.6, 0.05, 0.05]
    return kinds[int(random.choice(len(kinds), p=weights))]


def _inner_sheet(random: np.random.Generator, ground: Ground, gap: float) -> Colour | None:
    if gap < 3 or ground == "texture" or random.random() > 0.07:
        return None
    level = 15 if ground in ("white", "paper") else 240
    return (level,) * 3 if random.random() < 0.7 else tuple(int(v) for v in random.integers(20, 245, 3))  # type: ignore[return-value]
