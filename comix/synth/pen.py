"""What cuts a page: its size, margins and gutters, and the two cuts that layouts are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from comix.core.page import Direction
from comix.synth.shapes import Polygon, cut, rectangle

_LEAST = 0.09
"""No panel gets a side shorter than this share of the page's shorter side."""


@dataclass(frozen=True, slots=True)
class Pen:
    """Cuts one page.

    Attributes:
        random: where every choice comes from.
        direction: ``rtl`` gives the pieces of a tier from the right.
        width: pixels; likewise ``height``.
        margins: left, top, right, bottom, pixels.
        gap: height of the gutters between tiers, pixels; ``gap_across``: width of those between columns.
        slant: greatest slant of a cut, sideways per unit along it.
    """

    random: np.random.Generator
    direction: Direction
    width: int
    height: int
    margins: tuple[float, float, float, float]
    gap: float
    gap_across: float
    slant: float = 0.0

    @classmethod
    def drawn(cls, random: np.random.Generator, family: str, direction: Direction, long_side: int) -> Pen:
        """Size, margins and gutters as pages of a family have them."""
        width, height = _size(random, family, long_side)
        unit = min(max(width, height), 2 * min(width, height))
        gap = float(random.choice([0.0, random.uniform(0.003, 0.01), random.uniform(0.01, 0.022), random.uniform(0.022, 0.045)],
                                  p=[0.08, 0.27, 0.45, 0.2])) * unit  # fmt: skip
        ratio = float(random.uniform(0.35, 0.95) if direction == "rtl" else random.uniform(0.75, 1.0))
        wide = float(random.choice([0.0, random.uniform(0.008, 0.03), random.uniform(0.03, 0.08)], p=[0.08, 0.45, 0.47]))
        left, top, right, bottom = (max(0.0, wide * unit * float(random.uniform(0.6, 1.4))) for _ in range(4))
        slant = float(random.uniform(0.05, 0.25)) if family == "slanted" else 0.0
        return cls(random, direction, width, height, (left, top, right, bottom), gap, gap * ratio, slant)

    @property
    def sheet(self) -> Polygon:
        """The page without its margins."""
        left, top, right, bottom = self.margins
        return rectangle(left, top, self.width - right, self.height - bottom)

    @property
    def least(self) -> float:
        """The shortest side that a panel may have, pixels."""
        return _LEAST * min(self.width, self.height)

    def down(self, sheet: Polygon, count: int, uneven: float = 0.0) -> list[Polygon]:
        """Tiers from top to bottom.

        Args:
            sheet: what is cut.
            count: tiers wanted; fewer where they would be too low.
            uneven: 0 for equal heights, 1 for anything.
        """
        return cut(sheet, 1, self._shares(count, uneven), self.gap, self._slants(count - 1, 0.5), self.least)

    def across(self, sheet: Polygon, count: int, uneven: float = 0.0) -> list[Polygon]:
        """Columns in reading direction, see `down`."""
        pieces = cut(sheet, 0, self._shares(count, uneven), self.gap_across, self._slants(count - 1, 1.0), self.least)
        return pieces[::-1] if self.direction == "rtl" else pieces

    def number(self, *weights: float) -> int:
        """A number from 1, drawn by weights."""
        return 1 + int(self.random.choice(len(weights), p=np.array(weights) / sum(weights)))

    def happens(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.random.random() < probability)

    def _shares(self, count: int, uneven: float) -> list[float]:
        raw = 1.0 + uneven * self.random.uniform(-0.65, 0.65, count)
        return [float(one) for one in raw / raw.sum()]

    def _slants(self, count: int, factor: float) -> list[float]:
        drawn = self.random.uniform(-self.slant, self.slant, count) * (self.random.random(count) < 0.75) * factor
        return [float(one) for one in drawn]


def _size(random: np.random.Generator, family: str, long_side: int) -> tuple[int, int]:
    if family == "webtoon":
        width = int(long_side * random.uniform(0.42, 0.55))
        return width, int(width * random.uniform(1.6, 4.5))
    if family == "strip":
        return long_side, int(long_side / random.uniform(1.0, 3.6))
    if family == "spread":
        return long_side, int(long_side / random.uniform(1.28, 1.55))
    if family in ("splash", "cover", "text") and random.random() < 0.08:
        return long_side, int(long_side / random.uniform(1.2, 1.5))
    return int(long_side / random.uniform(1.28, 1.62)), long_side
