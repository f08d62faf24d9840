"""Direction from the letters of a page."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.detect.letterlines import letter_votes, lettering_direction


def lettered(columns: bool) -> NDArray[np.uint8]:
    """A white page with blocks of letters set in columns or in lines."""
    image = np.full((1100, 800, 3), 255, np.uint8)
    for block in range(4):
        for one in range(6):
            for two in range(8):
                along, aside = 40 + 15 * two, 60 + 34 * one
                x, y = (aside, along + 250 * block) if columns else (along, aside + 250 * block)
                cv2.putText(image, "AHKE"[(one + two) % 4], (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return image


def test_columns_are_read_from_the_right(tmp_path: Path) -> None:
    for columns, direction in ((True, "rtl"), (False, "ltr")):
        image = lettered(columns)
        down, along = letter_votes(image)
        assert (down > 3 * along) if columns else (along > 3 * down)
        cv2.imwrite(str(tmp_path / "page.png"), image)
        found = lettering_direction([tmp_path / "page.png"])
        assert (found[0], found[1] > 0.5) == (direction, True)


def test_a_page_without_letters_has_no_vote(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((300, 200, 3), 200, np.uint8))
    (tmp_path / "broken.png").write_bytes(b"no image")
    assert lettering_direction([tmp_path / "blank.png", tmp_path / "broken.png"]) == ("ltr", 0.0)
    assert lettering_direction([]) == ("ltr", 0.0)
