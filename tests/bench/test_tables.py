"""The saved detectors of a table are those that ship, so that its figures are what a user gets."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SAVED = sorted(
    path for path in (ROOT / "experiments").glob("*_open/*.yaml") if (ROOT / "conf" / "detector" / path.name).is_file()
)


@pytest.mark.parametrize("saved", SAVED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_saved_detector_is_the_one_that_ships(saved: Path) -> None:
    shipped = ROOT / "conf" / "detector" / saved.name
    assert yaml.safe_load(saved.read_text()) == yaml.safe_load(shipped.read_text())


def test_there_are_saved_detectors() -> None:
    assert {path.name for path in SAVED} >= {"gutter.yaml", "faster_rcnn.yaml", "ensemble.yaml"}
