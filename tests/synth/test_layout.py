"""Layouts: the same anywhere, on the page, in a known order."""

from __future__ import annotations

from itertools import pairwise

import pytest

from comix.core.order import order_panels
from comix.synth.layout import FAMILIES, layout
from comix.synth.settings import frozen_settings

STRENGTHS = list(frozen_settings().strengths.values())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("strength", STRENGTHS, ids=lambda one: one.name)
def test_layouts_are_repeatable_and_on_the_page(family: str, strength: object) -> None:
    for index in range(12):
        page = layout(7, index, family, strength)
        assert page == layout(7, index, family, strength)
        assert (len(page.cells) == 0) == (family in ("cover", "text"))
        for number, cell in enumerate(page.cells):
            box = cell.box
            assert min(box.x, box.y) >= 0 and box.r <= page.width and box.b <= page.height and min(box.w, box.h) > 20
            assert cell.host is None or cell.host < number


def test_other_index_other_layout() -> None:
    none = STRENGTHS[0]
    assert len({layout(7, index, "tiers", none).cells for index in range(20)}) == 20


@pytest.mark.parametrize("family", ["grid", "tiers", "slanted", "webtoon", "strip"])
def test_regular_layouts_read_as_a_cut_reads_them(family: str) -> None:
    none = frozen_settings().strengths["none"]
    for index in range(40):
        page = layout(3, index, family, none)
        assert order_panels(page.boxes, page.direction, "cut").indices == tuple(range(len(page.cells)))


def test_four_panel_columns_are_read_one_after_the_other() -> None:
    none = frozen_settings().strengths["none"]
    for index in range(20):
        boxes = layout(3, index, "yonkoma", none, direction="rtl").boxes
        for column in (boxes[:4], boxes[4:]):
            assert all(above.b < below.y + 1 for above, below in pairwise(column))
        assert not boxes[4:] or boxes[4].r < boxes[0].x


def test_spreads_are_read_page_by_page() -> None:
    none = frozen_settings().strengths["none"]
    for index in range(20):
        page = layout(3, index, "spread", none)
        is_first = [(box.cx < page.width / 2) == (page.direction == "ltr") for box in page.boxes]
        assert is_first == sorted(is_first, reverse=True) and 0 < sum(is_first) < len(is_first)


def test_the_direction_can_be_given() -> None:
    assert layout(1, 2, "grid", STRENGTHS[0], direction="rtl").direction == "rtl"
    with pytest.raises(ValueError, match="ltr or rtl"):
        layout(1, 2, "grid", STRENGTHS[0], direction="up")
    with pytest.raises(ValueError, match="yonkoma"):
        layout(1, 2, "griid", STRENGTHS[0])
