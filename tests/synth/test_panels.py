"""The box of a drawn panel: with its frame, or around what can be seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from comix.core.geometry import Box
from comix.synth.art import Drawing
from comix.synth.layout import Cell
from comix.synth.look import Look, drawn_look
from comix.synth.panels import draw_panel

CELL = Cell(((60, 40), (260, 40), (260, 340), (60, 340)))
GREEN = Drawing(np.full((100, 100, 3), (40, 160, 60), np.uint8), "book", "book/0001", 0, False)
WHITE = Drawing(np.full((100, 100, 3), 255, np.uint8), "book", "book/0001", 1, True)


def look(frame: float) -> Look:
    plain = drawn_look(np.random.default_rng(0), "tiers", "ltr", 10)
    return replace(
        plain, frame=frame, frame_colour=(0, 0, 0), wobble=0, rounded=0, double=False, treatment="plain", warmth=(0, 0, 1)
    )


def drawn(cell: Cell, drawing: Drawing, frame: float) -> tuple[Box, bool, Box]:
    """The box, whether there is a frame, and the box of all pixels that are not white."""
    page = np.full((400, 320, 3), 255, np.uint8)
    panel = draw_panel(np.random.default_rng(1), page, cell, drawing, look(frame * 1000 / 400), 4)
    rows, columns = np.flatnonzero(page.min(axis=(1, 2)) < 180), np.flatnonzero(page.min(axis=(0, 2)) < 180)
    return panel.box, panel.framed, Box.from_xyxy(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


@pytest.mark.parametrize("frame", [1, 2, 4, 7])
@pytest.mark.parametrize("drawing", [GREEN, WHITE])
def test_a_frame_is_part_of_the_box(frame: float, drawing: Drawing) -> None:
    box, framed, seen = drawn(CELL, drawing, frame)
    assert framed
    assert np.abs(np.array(box.xyxy) - np.array(seen.xyxy)).max() <= 1.5


def test_without_a_frame_the_box_is_the_drawing() -> None:
    box, framed, seen = drawn(replace(CELL, framed=False), GREEN, 3)
    assert not framed and np.abs(np.array(box.xyxy) - np.array(seen.xyxy)).max() <= 1


def test_what_could_not_be_seen_gets_a_frame() -> None:
    _, framed, _ = drawn(replace(CELL, framed=False), WHITE, 3)
    assert framed
