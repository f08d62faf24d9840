"""Composed pages: repeatable, and their labels fit what is on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from comix.synth.factory import Factory, SynthPage
from comix.synth.layout import FAMILIES
from comix.synth.settings import frozen_settings
from tests.synth.drawn import drawn_art

SETTINGS = frozen_settings()


def factory(family: str = "", seed: int = 3, long_side: int = 500) -> Factory:
    settings = replace(SETTINGS, families={family: 1.0}) if family else SETTINGS
    return Factory(settings, drawn_art(), seed, long_side)


def test_a_page_depends_on_seed_and_number_only() -> None:
    forwards, backwards = factory(), factory()
    first = [forwards.page(index) for index in range(4)]
    assert [backwards.page(index) for index in reversed(range(4))] == first[::-1]
    assert factory(seed=4).page(0) != first[0]


def check_labels(page: SynthPage) -> None:
    image = page.image
    assert image.shape == (page.height, page.width, 3) and image.dtype == np.uint8
    assert (len(page.panels) == 0) == (page.family in ("cover", "text"))
    for number, panel in enumerate(page.panels):
        box = panel.box
        assert box.x >= 0 and box.y >= 0 and box.r <= page.width and box.b <= page.height and box.area > 0
        assert panel.host is None or panel.host < number
        for x, y in panel.polygon:
            assert box.x - 0.1 <= x <= box.r + 0.1 and box.y - 0.1 <= y <= box.b + 0.1
        left, top, right, bottom = panel.source_window
        assert 0 <= left < right <= 1.001 and 0 <= top < bottom <= 1.001
        assert panel.source_page_id.split("/")[0] in ("ink", "paint")
    for mark in page.marks:
        assert mark.category in ("balloon", "text", "onomatopoeia")
        assert mark.box.x >= 0 and mark.box.r <= page.width and mark.box.b <= page.height


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_fit_the_page(family: str) -> None:
    made = factory(family)
    for index in range(6):
        page = made.page(index)
        assert page.family == family
        check_labels(page)


def test_the_settings_weights_are_followed() -> None:
    made = factory(long_side=200)
    pages = [made.page(index) for index in range(120)]
    assert {page.family for page in pages} == set(FAMILIES)
    assert {page.strength for page in pages} == {"none", "mild", "strong"}
    assert {page.direction for page in pages} == {"ltr", "rtl"}


def test_a_sequence_shows_panels_that_follow_each_other() -> None:
    made = Factory(replace(SETTINGS, families={"tiers": 1.0, "spread": 1.0}), drawn_art(), 3, 400, in_sequence=True)
    for index in range(10):
        page = made.page(index)
        check_labels(page)
        assert not any(panel.is_mirrored for panel in page.panels) and len(page.panels) <= 4
        places = [(panel.source_page_id, panel.source_panel) for panel in page.panels]
        assert places == sorted(places) and len(set(places)) == len(places)
        assert len({name.split("/")[0] for name, _ in places}) <= 1
