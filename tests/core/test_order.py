"""Reading order by rows and by cuts."""

from __future__ import annotations

import itertools
import random

import pytest

from comix.core.geometry import Box
from comix.core.order import Direction, Method, order_panels


def grid(rows: int, columns: int, direction: Direction) -> list[Box]:
    """Panels of a regular page in reading order."""
    across = range(columns) if direction == "ltr" else reversed(range(columns))
    return [Box(110 * x, 160 * y, 100, 150) for y, x in itertools.product(range(rows), list(across))]


@pytest.mark.parametrize("method", ["rows", "cut"])
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (2, 3), (3, 3), (6, 4)])
def test_regular_pages_with_jitter(method: Method, direction: Direction, shape: tuple[int, int]) -> None:
    truth = grid(*shape, direction)
    rng = random.Random(1)
    for _ in range(20):
        shuffled = list(range(len(truth)))
        rng.shuffle(shuffled)
        boxes = [Box(*(value + rng.uniform(-3, 3) for value in truth[index].xywh)) for index in shuffled]
        assert [shuffled[index] for index in order_panels(boxes, direction, method).indices] == list(range(len(truth)))


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_a_tall_panel_beside_a_stack(direction: Direction) -> None:
    tall, upper, lower = Box(0, 0, 100, 300), Box(110, 0, 100, 145), Box(110, 155, 100, 145)
    read = order_panels([lower, upper, tall], direction, "cut").indices
    assert read == ((2, 1, 0) if direction == "ltr" else (1, 0, 2))


def test_what_cannot_be_cut_has_no_margin() -> None:
    pinwheel = [Box(0, 0, 60, 30), Box(70, 0, 30, 60), Box(40, 70, 60, 30), Box(0, 40, 30, 60)]
    assert order_panels(pinwheel, "ltr", "cut").margin == 0
    assert order_panels([], "ltr", "cut").indices == ()
