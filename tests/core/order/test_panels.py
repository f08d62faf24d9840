"""Reading order of panels: every method on regular pages, and what the default does where the others go wrong."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from comix.core.geometry import Box
from comix.core.order import METHODS, Direction, Method, order_panels
from comix.synth.layout import layout
from comix.synth.perturb import Strength


def grid(rows: int, columns: int, direction: Direction, gap: tuple[float, float] = (10, 10)) -> list[Box]:
    """Panels of a regular page in reading order; ``gap`` beside and below."""
    across = range(columns) if direction == "ltr" else reversed(range(columns))
    return [Box((100 + gap[0]) * x, (150 + gap[1]) * y, 100, 150) for y, x in itertools.product(range(rows), list(across))]


def mirrored(boxes: Sequence[Box], width: float, direction: Direction) -> list[Box]:
    """The page as it is, or seen in a mirror for ``rtl``: the same page of the other tradition."""
    return list(boxes) if direction == "ltr" else [Box(width - one.r, one.y, one.w, one.h) for one in boxes]


def read(truth: Sequence[Box], direction: Direction, size: tuple[float, float] = (0, 0), method: Method = "auto") -> list[int]:
    """Numbers of the true order in the order that is found for shuffled boxes."""
    shuffled = list(range(len(truth)))
    random.Random(3).shuffle(shuffled)
    found = order_panels([truth[index] for index in shuffled], direction, method, size)
    return [shuffled[index] for index in found.indices]


BOTH: list[Direction] = ["ltr", "rtl"]


@pytest.mark.parametrize("method", [method for method in METHODS if method != "center"])
@pytest.mark.parametrize("direction", BOTH)
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (2, 3), (3, 3), (6, 4)])
def test_regular_pages_with_jitter(method: Method, direction: Direction, shape: tuple[int, int]) -> None:
    truth = grid(*shape, direction)
    rng = random.Random(1)
    for _ in range(20):
        boxes = [Box(*(value + rng.uniform(-3, 3) for value in one.xywh)) for one in truth]
        assert read(boxes, direction, method=method) == list(range(len(truth)))


SHEET = (600.0, 900.0)
WESTERN: dict[str, list[Box]] = {
    "a tall panel beside a stack": [Box(0, 0, 290, 900), Box(310, 0, 290, 440), Box(310, 460, 290, 440),
    ],
    "a stack beside a tall panel": [Box(0, 0, 290, 760), Box(0, 780, 290, 120), Box(310, 0, 290, 900)],
    "a tier whose panels hang unevenly": [
        Box(0, 0, 290, 400), Box(310, 0, 290, 460), Box(0, 420, 290, 480), Box(310, 480, 290, 420),
    ],
    "columns of unlike stacks": [Box(0, 0, 290, 300), Box(0, 320, 290, 580), Box(310, 0, 290, 600), Box(310, 620, 290, 280)],
    "a swirl": [
        Box(0, 0, 400, 280), Box(0, 300, 180, 600), Box(200, 300, 200, 280), Box(420, 0, 180, 580), Box(200, 600, 400, 300),
    ],
    "slanted panels one above the other": [Box(0, 0, 290, 500), Box(5, 250, 285, 650), Box(310, 0, 290, 900)],
    "an inset": [Box(0, 0, 600, 440), Box(400, 20, 180, 150), Box(0, 460, 600, 440)],
    "an inset in the corner where reading starts": [Box(0, 0, 600, 440), Box(10, 10, 180, 150), Box(0, 460, 600, 440)],
    "insets side by side": [Box(0, 0, 600, 600), Box(20, 400, 150, 150), Box(200, 400, 150, 150), Box(0, 620, 600, 280)],
    "an inset in an inset": [Box(0, 0, 600, 600), Box(300, 50, 280, 400), Box(400, 200, 100, 100), Box(0, 620, 600, 280)],
    "an inset over two panels": [Box(0, 0, 600, 440), Box(0, 445, 600, 440), Box(400, 350, 180, 200)],
    "a panel over the corner of the next": [Box(0, 0, 200, 320), Box(0, 60, 600, 820)],
    "an empty corner": [Box(320, 0, 280, 440), Box(320, 450, 280, 450), Box(0, 250, 310, 650)],
    "a tall title in front of the first tier": [
        Box(0, 100, 290, 340), Box(310, 0, 290, 440), Box(0, 460, 290, 440), Box(310, 460, 290, 440),
    ],
}  # fmt: skip


@pytest.mark.parametrize("direction", BOTH)
@pytest.mark.parametrize("name", WESTERN)
def test_pages_and_their_mirror_images(name: str, direction: Direction) -> None:
    truth = mirrored(WESTERN[name], SHEET[0], direction)
    assert read(truth, direction, SHEET) == list(range(len(truth)))


@pytest.mark.parametrize("direction", BOTH)
def test_four_panel_strips_are_read_column_by_column(direction: Direction) -> None:
    strips = mirrored([Box(x, y, 250, 180) for x in (0, 300) for y in (50, 245, 440, 635)], 550, direction)
    assert read(strips, direction, (550, 850)) == list(range(8))
    assert "columns" in order_panels(strips, direction).notes
    lacking = strips[:2] + strips[3:]
    assert read(lacking, direction, (550, 850)) == list(range(7))
    even = grid(4, 2, direction)
    assert read(even, direction) == list(range(8))


def spread(fold: float) -> list[Box]:
    """Two western pages of a tier of two and a wide panel, ``fold`` pixels apart."""
    page = [Box(0, 0, 240, 350), Box(260, 0, 240, 350), Box(0, 370, 500, 330)]
    return [*page, *(Box(one.x + 500 + fold, one.y, one.w, one.h) for one in page)]


@pytest.mark.parametrize("direction", BOTH)
def test_a_double_page_is_read_page_by_page(direction: Direction) -> None:
    truth = mirrored(spread(60), 1060, direction)
    assert read(truth, direction, (1060, 700)) == list(range(6))
    found = order_panels(truth, direction, size=(1060, 700))
    assert "spread" in found.notes
    opened = [Box(0, 0, 1060, 300), *(Box(one.x, one.y + 320, one.w, one.h) for one in truth)]
    assert read(opened, direction, (1060, 1020 - 320)) == list(range(7))


def test_a_wide_strip_is_no_double_page_unless_said() -> None:
    tiers = [Box(x, y, 250, 300) for y in (0, 310) for x in (0, 260, 520, 780)]
    assert read(tiers, "ltr", (1030, 610)) == list(range(8))
    assert order_panels(tiers, "ltr", size=(1030, 610), spread=True).indices == (0, 1, 4, 5, 2, 3, 6, 7)
    uneven = mirrored(spread(60), 1060, "ltr")
    assert order_panels(uneven, "ltr", size=(1060, 700), spread=False).indices == (0, 1, 3, 4, 2, 5)


def test_a_webtoon_is_read_downwards() -> None:
    zigzag = [Box(0, 0, 380, 500), Box(400, 300, 380, 500), Box(0, 650, 380, 500), Box(300, 2000, 480, 600)]
    found = order_panels(zigzag, size=(800, 3000))
    assert (found.indices, "webtoon" in found.notes) == ((0, 1, 2, 3), True)


def test_doubt_is_reported() -> None:
    clean = order_panels(grid(2, 2, "ltr"))
    assert (clean.margin, clean.notes) == (1.0, ())
    hanging = order_panels(WESTERN["a tier whose panels hang unevenly"])
    assert 0 < hanging.margin < 1
    twins = order_panels([Box(0, 0, 9, 9), Box(0, 0, 9, 9)])
    assert (twins.margin, "tie" in twins.notes) == (0.0, True)
    assert "tie" in order_panels(mirrored(WESTERN["an empty corner"], 600, "ltr"), size=SHEET).notes
    assert order_panels([]).indices == ()


def test_any_number_of_panels_and_boxes_without_extent() -> None:
    for n in (50, 200):
        assert order_panels(grid(n, 3, "ltr")).indices == tuple(range(3 * n))
    rng = random.Random(5)
    for method in METHODS:
        for n in range(1, 15):
            boxes = [
                Box(rng.uniform(0, 99), rng.uniform(0, 99), rng.choice([0, 20, 60]), rng.choice([0, 30])) for _ in range(n)
            ]
            assert sorted(order_panels(boxes, "rtl", method).indices) == list(range(n))


@pytest.mark.parametrize(
    ("family", "least"), [("grid", 1.0), ("tiers", 1.0), ("yonkoma", 1.0), ("spread", 0.96), ("webtoon", 1.0)]
)
def test_composed_layouts_whose_order_is_known(family: str, least: float) -> None:
    pages = [layout(101, index, family, Strength("none")) for index in range(25)]
    right = [read(page.boxes, page.direction, (page.width, page.height)) == list(range(len(page.boxes))) for page in pages]
    assert sum(right) >= least * len(pages)
