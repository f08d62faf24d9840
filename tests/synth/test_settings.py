"""The factory's settings are checked by name and number."""

from __future__ import annotations

from typing import Any

import pytest

from comix.core.errors import FileFormatError
from comix.synth.settings import factory_settings

GOOD: dict[str, Any] = {"version": 1, "families": {"grid": 1}, "strengths": {"none": {"weight": 1, "edge": 0.0}}}


def test_settings_are_read() -> None:
    read = factory_settings(GOOD)
    assert read.families == {"grid": 1.0} and read.strengths["none"].edge == 0.0 and read.weights == {"none": 1.0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version is 2"),
        ({"families": {"gird": 1}}, "gird"),
        ({"families": {}}, "none"),
        ({"strengths": {"none": {"egde": 1}}}, "egde"),
        ({"strengths": {}}, "weight above 0"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(FileFormatError, match=words):
        factory_settings({**GOOD, **change})
