"""How far panels move from where the grammar puts them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from comix.core.geometry import Box
from comix.synth.pen import Pen
from comix.synth.shapes import Polygon, box_of, least_side, within


@dataclass(frozen=True, slots=True)
class Strength:
    """A perturbation, frozen with the factory's settings.

    Attributes:
        name: what figures are reported by.
        edge: standard deviation of the log of each side's growth, about the centre.
        move: standard deviation of the shift along each axis, as a share of the panel's side there.
        tilt_deg: standard deviation of the rotation of a panel.
        overlap: no panel moves so far that more than this share of it, or of another, is shared.
        moved: share of the panels that are moved at all.
        drop: probability that a panel is missing and leaves a hole.
        cross: probability that a spread opens with a panel across both pages.
    """

    name: str
    edge: float = 0.0
    move: float = 0.0
    tilt_deg: float = 0.0
    overlap: float = 0.0
    moved: float = 0.0
    drop: float = 0.0
    cross: float = 0.0

    @property
    def number(self) -> int:
        """Tells the random numbers of one strength from those of another."""
        return int.from_bytes(self.name.encode()[:6], "big")


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel of a page in the making; ``host``: for an inset, the number of the panel that it sits in."""

    polygon: Polygon
    framed: bool = True
    host: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """Panels in reading order, insets anywhere after their hosts, and boxes for words that are no panel."""

    panels: list[Panel]
    text_areas: list[Box] = field(default_factory=list)


def perturbed(random: np.random.Generator, draft: Draft, strength: Strength, pen: Pen) -> Draft:
    """The draft with panels grown, shifted, turned and left out; the reading order stays what it was."""
    panels = list(draft.panels)
    for number, one in enumerate(draft.panels):
        moved = _moved(random, one, strength, pen)
        if _is_clear(panels, number, moved, strength.overlap):
            panels[number] = moved
    hosts = {one.host for one in panels if one.host is not None}
    gone = {
        number for number, one in enumerate(panels)
        if one.host is None and number not in hosts and random.random() < strength.drop
    }  # fmt: skip
    if len(panels) - len(gone) < 3:
        gone = set()
    numbers = {old: new for new, old in enumerate(old for old in range(len(panels)) if old not in gone)}
    kept = [
        replace(one, host=None if one.host is None else numbers[one.host])
        for old, one in enumerate(panels) if old not in gone
    ]  # fmt: skip
    return Draft(kept, draft.text_areas)


def _moved(random: np.random.Generator, panel: Panel, strength: Strength, pen: Pen) -> Panel:
    chosen = random.random() < strength.moved
    grown, shift = np.exp(random.normal(0, 1, 2) * strength.edge), random.normal(0, 1, 2) * strength.move
    angle = float(np.radians(random.normal(0, 1) * strength.tilt_deg))
    if not chosen:
        return panel
    centre, sides = panel.polygon.mean(axis=0), np.ptp(panel.polygon, axis=0)
    page = Box(0, 0, pen.width, pen.height)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    polygon = within((panel.polygon - centre) * grown @ turn.T + centre + shift * sides, page)
    return panel if least_side(polygon) < pen.least else replace(panel, polygon=polygon)


def _is_clear(panels: list[Panel], number: int, moved: Panel, overlap: float) -> bool:
    """Whether a moved panel shares little enough with every other; an inset and its host do not count."""
    box = box_of(moved.polygon)
    for other, one in enumerate(panels):
        if other in (number, moved.host) or one.host == number:
            continue
        beside = box_of(one.polygon)
        if box.intersection(beside) > overlap * min(box.area, beside.area):
            return moved is panels[number]
    return True
