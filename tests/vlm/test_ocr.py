from __future__ import annotations

import socket
from dataclasses import fields
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from comix.core.geometry import Box
from comix.core.page import TEXT_KINDS, PageRecord
from comix.io.analysis import Analysis
from comix.metrics.text import words_of
from comix.vlm.balloons import Balloon
from comix.vlm.base import Reader
from comix.vlm.lines import TextLine, doubtful_lines, tiles_of, without_repeats
from comix.vlm.ocr import OcrReader, analysis_of, kept_lines

PANELS = [Box(10, 10, 380, 280), Box(410, 10, 380, 280), Box(10, 310, 780, 280)]


def record(direction: str = "ltr") -> PageRecord:
    values: dict[str, Any] = {one.name: "" if one.type == "str" else 0 for one in fields(PageRecord)}
    return PageRecord(**(values | {"page_id": "book/0001", "reading_direction": direction}))


def comic_page() -> NDArray[np.uint8]:
    image = Image.new("RGB", (800, 600), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=22)
    for panel in PANELS:
        draw.rectangle((panel.x, panel.y, panel.r, panel.b), outline="black", fill=(200, 220, 235), width=3)
    draw.ellipse((40, 40, 330, 150), fill="white", outline="black", width=2)
    draw.multiline_text((185, 95), "WHO GOES\nTHERE TONIGHT?", fill="black", font=font, anchor="mm", align="center")
    draw.ellipse((440, 60, 740, 180), fill="white", outline="black", width=2)
    draw.multiline_text((590, 120), "ONLY THE OLD\nGARDENER, SIR", fill="black", font=font, anchor="mm", align="center")
    draw.rectangle((14, 314, 340, 384), fill=(250, 230, 120), outline="black", width=2)
    draw.multiline_text((24, 322), "LATER, IN THE QUIET\nHOUSE BY THE RIVER", fill="black", font=font)
    return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])


@pytest.fixture(scope="module")
def reader() -> OcrReader:
    return OcrReader()


def all_words(analysis: Analysis) -> list[str]:
    items = [item for panel in analysis.panels for kind in TEXT_KINDS for item in getattr(panel, kind)]
    return sorted(word for item in [*items, *analysis.unassigned] for word in words_of(item.text))


def test_reads_balloons_into_their_panels_without_network(reader: OcrReader, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the reader asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    analysis = reader.read(comic_page(), PANELS, record())
    first, second, third = analysis.panels
    assert [words_of(item.text) for item in first.dialogue] == [["who", "goes", "there", "tonight"]]
    assert [words_of(item.text) for item in second.dialogue] == [["only", "the", "old", "gardener", "sir"]]
    assert [words_of(item.text) for item in third.narration] == [words_of("LATER IN THE QUIET HOUSE BY THE RIVER")]
    assert [panel.panel_number for panel in analysis.panels] == [1, 2, 3]
    assert [panel.box for panel in analysis.panels] == [panel.xywh for panel in PANELS]
    assert (analysis.panel_source, analysis.reader.name, analysis.unassigned) == ("given", "ocr", [])
    assert first.dialogue[0].bbox and Box.from_xywh(first.dialogue[0].bbox).iou(Box(80, 70, 210, 52)) > 0.5


def test_without_panels_everything_is_unassigned(reader: OcrReader) -> None:
    analysis = reader.read(comic_page(), [], record())
    assert analysis.panels == []
    assert len(analysis.unassigned) == 3


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 900, 3), (700, 500, 3), (40, 40, 3)])
def test_no_text_gives_empty_panels(reader: OcrReader, shape: tuple[int, int, int]) -> None:
    panels = [Box(0, 0, shape[1], shape[0])]
    analysis = reader.read(np.full(shape, 255, dtype=np.uint8), panels, record())
    assert len(analysis.panels) == 1
    assert all_words(analysis) == []


def test_small_page_is_read(reader: OcrReader) -> None:
    small = np.asarray(cv2.resize(comic_page(), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    assert "gardener" in all_words(reader.read(small, [panel.scaled(0.6) for panel in PANELS], record()))


def test_tall_strip_is_read_once_from_top_to_bottom(reader: OcrReader) -> None:
    image = Image.new("RGB", (300, 1200), "white")
    draw = ImageDraw.Draw(image)
    words = ["morning", "harvest", "lantern", "evening", "midnight"]
    for index, word in enumerate(words):
        draw.text((60, 60 + 260 * index), word.upper(), fill="black", font=ImageFont.load_default(size=26))
    strip = np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
    analysis = reader.read(strip, [Box(0, 0, 300, 1200)], record())
    panel = analysis.panels[0]
    assert [word for item in panel.dialogue + panel.narration for word in words_of(item.text)] == words


def test_tiles_cover_a_strip_and_overlap() -> None:
    tiles = tiles_of(800, 6336)
    assert tiles[0].top == 0
    assert tiles[-1].bottom == 6336
    assert all(after.top < before.bottom for before, after in pairwise(tiles))


def test_building_a_reader_loads_nothing() -> None:
    built: Reader = OcrReader(n_threads=2, det_side=960, min_confidence=0.6)
    assert (built.name, built.version, built.needs_panels) == ("ocr", "2", True)


def quad(x: float, y: float, w: float, h: float) -> NDArray[np.float32]:
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], dtype=np.float32)


def test_a_line_found_in_two_tiles_is_kept_once_whole() -> None:
    kept = without_repeats([quad(0, 0, 100, 8), quad(0, 0, 100, 20), quad(0, 40, 100, 20)])
    assert sorted(float(item[2, 1] - item[0, 1]) for item in kept) == [20.0, 20.0]


def line(text: str, confidence: float, height: float = 20) -> TextLine:
    return TextLine(text, ((0, 0), (100, 0), (100, height), (0, height)), confidence)


def test_high_badly_read_lines_get_a_second_look() -> None:
    lines = [line("FINE", 0.99), line("GOOD", 0.98), line("EMBGENNS", 0.48, 64), line("BIG TITLE", 0.99, 64)]
    assert [one.text for one in doubtful_lines(lines)] == ["EMBGENNS"]
    assert doubtful_lines([]) == []


def test_stray_marks_are_not_text() -> None:
    lines = [line("WHAT A PITY", 0.97), line("小", 0.8), line("~", 0.99), line("?!", 0.95), line("x", 0.6), line("OH", 0.9)]
    assert [one.text for one in kept_lines(lines, 0.5)] == ["WHAT A PITY", "?!", "OH"]
    assert [one.text for one in kept_lines([line("そんな借金なんて", 0.9), line("小", 0.95)], 0.5)][1:] == ["小"]


def test_right_to_left_pages_read_the_right_balloon_first() -> None:
    balloons = [Balloon("left", Box(20, 20, 50, 40), "dialogue", 1.0), Balloon("right", Box(120, 25, 50, 40), "dialogue", 1.0)]
    panels = [Box(0, 0, 200, 200)]
    orders = {
        way: [item.text for item in analysis_of(balloons, panels, record(way), 200, 200).panels[0].dialogue]
        for way in ("ltr", "rtl", "")
    }
    assert orders == {"ltr": ["left", "right"], "rtl": ["right", "left"], "": ["left", "right"]}
