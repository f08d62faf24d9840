"""``vlm=tesseract``, where the program is installed: a drawn page through the reader, and languages that are not there."""

from __future__ import annotations

import shutil
from dataclasses import fields
from typing import Any

import cv2
import numpy as np
import pytest

from comix.core.errors import MissingInputError
from comix.core.geometry import Box
from comix.core.page import PageRecord
from comix.vlm.tesseract import TesseractReader

pytestmark = pytest.mark.skipif(shutil.which("tesseract") is None, reason="the program tesseract is not installed")


def test_a_drawn_page() -> None:
    """Two balloons in two panels, each where it belongs."""
    image: Any = np.full((400, 1000, 3), 255, np.uint8)
    for left, words in ((60, ("WHERE IS", "THE COMET")), (560, ("BEHIND THE", "MOUNTAIN"))):
        for row, line in enumerate(words):
            cv2.putText(image, line, (left, 150 + 45 * row), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (0, 0, 0), 3, cv2.LINE_AA)
    values: dict[str, Any] = {one.name: "" if one.type == "str" else 0 for one in fields(PageRecord)}
    page = PageRecord(**(values | {"page_id": "b/0001"}))
    found = TesseractReader().read(image, [Box(0, 0, 500, 400), Box(500, 0, 500, 400)], page)
    assert found.reader.name == "tesseract"
    assert [[item.text for item in panel.dialogue] for panel in found.panels] == [
        ["WHERE IS THE COMET"],
        ["BEHIND THE MOUNTAIN"],
    ]


def test_a_language_that_is_not_installed() -> None:
    """Says what is, and which package has it."""
    with pytest.raises(MissingInputError, match=r"no language data for xx_vert .*tesseract-ocr-xx-vert.*installed: "):
        TesseractReader(language="eng+xx_vert")
