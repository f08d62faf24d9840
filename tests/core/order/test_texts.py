"""Order of texts, and the direction that they tell."""

from __future__ import annotations

from comix.core.geometry import Box
from comix.core.order import estimate_direction, find_direction, order_in_panel, order_texts


def test_balloons_of_one_panel() -> None:
    boxes = [Box(50, 0, 20, 10), Box(0, 2, 20, 10), Box(0, 20, 20, 10)]
    assert order_in_panel(boxes) == [1, 0, 2]
    assert order_in_panel(boxes, "rtl") == [0, 1, 2]
    assert order_in_panel([]) == []


def test_texts_follow_their_panels() -> None:
    panels = [Box(110, 0, 100, 100), Box(0, 0, 100, 100), Box(150, 60, 50, 30)]  # rtl, the last an inset in the first
    texts = [Box(10, 10, 20, 10), Box(160, 65, 20, 10), Box(120, 10, 20, 10), Box(180, 10, 20, 10), Box(40, 120, 20, 10)]
    assert order_texts(texts, panels, "rtl") == [3, 2, 0, 4, 1]
    assert order_texts(texts[:2], []) == [0, 1]


def test_the_direction_says_where_it_comes_from() -> None:
    columns, lines = [Box(0, 0, 20, 60)] * 4, [Box(0, 0, 60, 20)] * 4
    assert find_direction("ltr", "rtl", "ja", columns).origin == "given"
    assert find_direction("auto", "rtl", "en", lines).direction == "rtl"
    assert find_direction("auto", "", "ja", lines).direction == "rtl"
    assert (found := find_direction("auto", "", "", columns)).direction == "rtl" and found.origin == "page"
    assert find_direction("auto", "", "", lines).origin == "page"
    mixed = find_direction("auto", "", "", [*columns[:2], *lines[:1]])
    assert (mixed.direction, mixed.origin, mixed.confidence) == ("ltr", "default", 0.0)
    assert estimate_direction([Box(0, 0, 10, 10)]) == ("ltr", 0.0)
