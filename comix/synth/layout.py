"""Page layouts with a known reading order: where the panels are, without art.

A layout is a pure function of seed, index, family and strength, so that pages can be made anywhere, in any order. The order
is that of the construction: tiers from the top, panels of a tier in reading direction, a column beside a tall panel
together, the columns of a four-panel page one after the other, a spread page by page, an inset after its host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np

from comix.core.geometry import Box
from comix.core.page import Direction
from comix.synth.pen import Pen
from comix.synth.perturb import Draft, Strength, perturbed
from comix.synth.shapes import Polygon, box_of
from comix.synth.sheets import FAMILIES, draft_page

__all__ = ["FAMILIES", "Cell", "Layout", "layout"]

_RTL = {"yonkoma": 0.8, "slanted": 0.6, "bleed": 0.55, "borderless": 0.5, "spread": 0.5, "strip": 0.1, "webtoon": 0.0}
"""Share of pages of a family that read from right to left; 0.4 for the others."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a panel is.

    Attributes:
        polygon: corners ``((x, y), ...)`` in pixels, clockwise; on the page.
        framed: whether a line may be drawn around it; False for panels that are meant to have none.
        host: for an inset, the order number of the panel that it sits in.
    """

    polygon: tuple[tuple[float, float], ...]
    framed: bool = True
    host: int | None = None

    @property
    def box(self) -> Box:
        """The bounding box."""
        return box_of(np.array(self.polygon))


@dataclass(frozen=True, slots=True)
class Layout:
    """A page without art.

    Attributes:
        family: one of `FAMILIES`; ``strength``: name of the perturbation.
        width: pixels; likewise ``height``.
        direction: ``ltr`` or ``rtl``.
        cells: panels in reading order.
        text_areas: boxes where the page has words that are no panel: titles, text columns.
        gap: height of the gutters between tiers, pixels.
    """

    family: str
    strength: str
    width: int
    height: int
    direction: Direction
    cells: tuple[Cell, ...]
    text_areas: tuple[Box, ...]
    gap: float

    @property
    def boxes(self) -> list[Box]:
        """Bounding boxes of the panels in reading order."""
        return [cell.box for cell in self.cells]


def layout(
    seed: int, index: int, family: str, strength: Strength, long_side: int = 1000, direction: Direction | None = None
) -> Layout:
    """The layout of one page; the same arguments give the same layout anywhere.

    Args:
        seed: chooses the series of pages.
        index: number of the page in it.
        family: one of `FAMILIES`.
        strength: how far panels move from where the grammar puts them.
        long_side: pixels of a page's longer side; a webtoon is about half as wide, and longer.
        direction: chosen by the seed unless given.

    Raises:
        ValueError: no such family or direction.

    >>> page = layout(1, 0, "yonkoma", Strength("none"))
    >>> len(page.cells) % 4, page.direction
    (0, 'ltr')
    """
    if family not in FAMILIES:
        raise ValueError(f"no layout family {family!r}; there are {', '.join(FAMILIES)}")
    if direction is not None and direction not in get_args(Direction):
        raise ValueError(f"direction={direction!r}; wanted ltr or rtl")
    random = np.random.default_rng([seed, index, FAMILIES.index(family), strength.number])
    drawn: Direction = "rtl" if random.random() < _RTL.get(family, 0.4) else "ltr"
    chosen = direction or drawn
    pen = Pen.drawn(random, family, chosen, long_side)
    draft = perturbed(random, draft_page(pen, family, strength), strength, pen)
    return Layout(
        family=family, strength=strength.name, width=pen.width, height=pen.height, direction=chosen,
        cells=_in_order(draft), text_areas=tuple(draft.text_areas), gap=pen.gap,
    )  # fmt: skip


def _in_order(draft: Draft) -> tuple[Cell, ...]:
    """Panels as cells, each inset right after its host."""
    cells: list[Cell] = []
    for number, one in enumerate(draft.panels):
        if one.host is not None:
            continue
        place = len(cells)
        cells.append(Cell(_as_points(one.polygon), one.framed))
        cells.extend(Cell(_as_points(inset.polygon), inset.framed, place) for inset in draft.panels if inset.host == number)
    return tuple(cells)


def _as_points(polygon: Polygon) -> tuple[tuple[float, float], ...]:
    return tuple((round(x, 2), round(y, 2)) for x, y in polygon.tolist())
