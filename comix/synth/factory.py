"""Whole pages: a layout, drawings in it, words on it, scanned; with everything that is known of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from comix.core.errors import UsageError
from comix.core.geometry import Box
from comix.core.page import Detection, Direction
from comix.io.images import decode_bgr
from comix.synth.art import Art, Drawing, Image
from comix.synth.balloons import draw_balloons
from comix.synth.blank import draw_cover, draw_text_areas
from comix.synth.ground import laid_ground
from comix.synth.layout import Layout, layout
from comix.synth.look import Look, drawn_look
from comix.synth.panels import DrawnPanel, draw_panel
from comix.synth.perturb import Strength
from comix.synth.scan import grain, rotation, scanned
from comix.synth.settings import FactorySettings, drawn
from comix.synth.shapes import Polygon, box_of, is_upright, within

__all__ = ["Factory", "SynthPage", "SynthPanel"]

_OTHER_BOOK = 0.1
"""Share of the pages whose drawings come from all books."""


_ATTEMPTS = 20
_FAR = 1_000_000_007
"""Layouts that stand in for one with too many panels have numbers this far away."""


@dataclass(frozen=True, slots=True)
class SynthPanel:
    """A panel of a composed page.

    Attributes:
        box: with its frame line, on the page; of what can be seen where there is no frame.
        polygon: corners ``((x, y), ...)``, empty when the box says it all.
        framed: whether it has a line around it.
        host: for an inset, the order number of the panel that it sits in.
        source_page_id: page that its drawing comes from; ``source_panel``: the panel there, by its order from 0.
        source_window: left, top, right, bottom of the part shown, as shares of that panel.
        is_mirrored: the drawing was flipped.
    """

    box: Box
    polygon: tuple[tuple[float, float], ...]
    framed: bool
    host: int | None
    source_page_id: str
    source_panel: int
    source_window: tuple[float, float, float, float]
    is_mirrored: bool


@dataclass(frozen=True, slots=True)
class SynthPage:
    """A composed page.

    Attributes:
        jpeg: the file; ``image`` decodes it.
        width: pixels; likewise ``height``.
        seed: series of pages; ``index``: number in it.
        family: layout family; ``strength``: of the perturbation.
        direction: reading direction.
        panels: in reading order.
        marks: balloons, texts and sound words that were drawn; those inside the drawings are not known.
    """

    jpeg: bytes
    width: int
    height: int
    seed: int
    index: int
    family: str
    strength: str
    direction: Direction
    panels: tuple[SynthPanel, ...]
    marks: tuple[Detection, ...]

    @property
    def image(self) -> Image:
        """``(h, w, 3)`` uint8, blue, green, red."""
        return decode_bgr(self.jpeg)


class Factory:
    """Composes pages; the same settings, art, seed and index give the same bytes.

    Args:
        settings: which pages, how often.
        art: drawings for the panels.
        seed: chooses the series.
        long_side: pixels of a page's longer side; a webtoon is about half as wide, and longer.
        in_sequence: panels of a page are panels of one book, one after the other as the story has them, shown as whole as their
            shape allows, with no balloon drawn over them: what they say can be joined by ``source_page_id`` and
            ``source_panel``.

    Raises:
        UsageError: ``in_sequence`` with books of fewer than two panels each.
    """

    def __init__(
        self, settings: FactorySettings, art: Art, seed: int = 0, long_side: int = 1000, in_sequence: bool = False
    ) -> None:
        self.settings, self.art, self.seed, self.long_side, self.in_sequence = settings, art, seed, long_side, in_sequence
        self._longest = max(len(drawings) for drawings in art.books.values())
        if in_sequence and self._longest < 2:
            raise UsageError("in_sequence: every book has one panel only; wanted books with panels that follow each other")
        self._grain = grain()

    def page(self, index: int) -> SynthPage:
        """One page of the series, ``index`` from 0."""
        random = np.random.default_rng([self.seed, index])
        family = drawn(random, self.settings.families)
        strength = self.settings.strengths[drawn(random, self.settings.weights)]
        plan = self._plan(index, family, strength)
        look = drawn_look(random, family, plan.direction, plan.gap)
        if self.in_sequence:
            look = replace(look, n_balloons=0.0, whole=True)
            drawings = self._sequence(random, len(plan.cells))
        else:
            drawings = self._drawings(random, len(plan.cells) + 1)
        image, panels, marks = _composed(random, plan, look, drawings)
        jpeg = scanned(random, image, look, self._grain)
        if look.angle_deg:
            turn = rotation(plan.width, plan.height, look.angle_deg)
            panels = [replace(one, polygon=_turned(one.polygon, turn), box=_turned_box(one, turn, plan)) for one in panels]
            marks = [one._replace(box=_around(_turned(_corners(one.box), turn), plan)) for one in marks]
        known = _as_panels(panels, plan)
        return SynthPage(
            jpeg, plan.width, plan.height, self.seed, index, family, plan.strength, plan.direction, known, tuple(marks)
        )

    def _plan(self, index: int, family: str, strength: Strength) -> Layout:
        """The layout; in a sequence, the first of several that has no more panels than the longest book."""
        plan = layout(self.seed, index, family, strength, self.long_side)
        attempt = 0
        while self.in_sequence and len(plan.cells) > self._longest:
            attempt += 1
            family = family if attempt < _ATTEMPTS else "splash"
            plan = layout(self.seed, index + attempt * _FAR, family, strength, self.long_side)
        return plan

    def _sequence(self, random: np.random.Generator, count: int) -> list[Drawing]:
        """Drawings that follow each other in one book, and one more for the ground."""
        names = [name for name in self.art.names if len(self.art.books[name]) >= count]
        book = self.art.books[names[int(random.integers(len(names)))]]
        start = int(random.integers(len(book) - count + 1))
        return [*book[start : start + count], book[int(random.integers(len(book)))]]

    def _drawings(self, random: np.random.Generator, count: int) -> list[Drawing]:
        """Of one book mostly; the last one is for the ground."""
        names = self.art.names
        book = self.art.books[names[int(random.integers(len(names)))]]
        pool = book
        if random.random() < _OTHER_BOOK:
            pool = tuple(one for name in names for one in self.art.books[name])
        rounds = [random.permutation(len(pool)) for _ in range(-(-count // len(pool)))]
        return [pool[int(pick)] for pick in np.concatenate(rounds)[:count]]


def _composed(
    random: np.random.Generator, plan: Layout, look: Look, drawings: list[Drawing]
) -> tuple[Image, list[DrawnPanel], list[Detection]]:
    page = laid_ground(random, plan, look, drawings[-1])
    if plan.family == "cover":
        return page, [], draw_cover(random, page, drawings[-1], look)
    panels = [
        draw_panel(random, page, cell, drawing, look, plan.gap) for cell, drawing in zip(plan.cells, drawings, strict=False)
    ]
    marks = draw_text_areas(random, page, list(plan.text_areas), drawings[-1], look, pictures=plan.family == "text")
    if not look.whole:
        marks += draw_balloons(random, page, [one.polygon for one in panels], look)
    return page, panels, marks


def _as_panels(panels: list[DrawnPanel], plan: Layout) -> tuple[SynthPanel, ...]:
    found = []
    for one, cell in zip(panels, plan.cells, strict=True):
        polygon = within(one.polygon, one.box)
        points = () if is_upright(polygon) else tuple((round(x, 2), round(y, 2)) for x, y in polygon.tolist())
        found.append(
            SynthPanel(
                one.box, points, one.framed, cell.host, one.drawing.page_id, one.drawing.panel, one.piece.window,
                one.piece.is_mirrored,
            )
        )  # fmt: skip
    return tuple(found)


def _turned(polygon: Polygon, turn: Polygon) -> Polygon:
    return np.asarray(cv2.transform(polygon[None], turn)[0], np.float64)


def _turned_box(panel: DrawnPanel, turn: Polygon, plan: Layout) -> Box:
    """The box of the turned panel, frame line included."""
    return _around(_turned(panel.outer, turn), plan)


def _around(polygon: Polygon, plan: Layout) -> Box:
    return box_of(polygon).clipped(plan.width, plan.height)


def _corners(box: Box) -> Polygon:
    return np.array([(box.x, box.y), (box.r, box.y), (box.r, box.b), (box.x, box.b)])
