"""The OCR reader: literal text per panel without any language model or network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box
from comix.core.order import order_in_panel
from comix.core.page import PageRecord
from comix.io.analysis import Analysis, PanelReading, ReaderInfo, TextItem, UnassignedText
from comix.vlm.attach import panel_of
from comix.vlm.balloons import Balloon, balloons_of
from comix.vlm.kinds import Kind
from comix.vlm.lettering import is_wide
from comix.vlm.lines import LineEngine, TextLine
from comix.vlm.spelling import respelled

MODEL = "PP-OCRv6 small"


class OcrReader:
    """Reads balloons, captions and sound effects with the bundled PP-OCR models (Latin script, Japanese, Chinese).

    Args:
        det_side: longer side in pixels of the picture the line finder sees.
        max_upscale: how many times a small page may be enlarged for it.
        min_confidence: lines read with less, 0 to 1, are dropped as not being text.
        n_threads: threads of the networks; 1 when several workers read beside each other.
        spelling: mend slips of the eye in English words, see `comix.vlm.spelling`.
    """

    name = "ocr"
    version = "2"
    needs_panels = True

    def __init__(
        self,
        det_side: int = 1280,
        max_upscale: float = 2.0,
        min_confidence: float = 0.5,
        n_threads: int = 1,
        spelling: bool = True,
    ) -> None:
        self._engine = LineEngine(det_side=det_side, max_upscale=max_upscale, n_threads=n_threads)
        self._min_confidence, self._spelling = min_confidence, spelling

    def read(self, image: NDArray[np.uint8], panels: Sequence[Box], page: PageRecord) -> Analysis:
        """Text of a ``(h, w, 3)`` uint8 BGR page, each balloon in its panel; a page without text gives empty panels."""
        balloons = balloons_of(image, kept_lines(self._engine.lines(image), self._min_confidence))
        if self._spelling:
            balloons = well_spelled(balloons)
        return analysis_of(balloons, panels, page, image.shape[1], image.shape[0])


def well_spelled(balloons: Sequence[Balloon]) -> list[Balloon]:
    """The balloons of one page with slips in English words mended."""
    texts = respelled([balloon.text for balloon in balloons])
    return [replace(balloon, text=text) for balloon, text in zip(balloons, texts, strict=True)]


class LinesReader:
    """Every line that the engine reads by itself, in the engine's order: what `OcrReader` starts from, for comparison.

    Args:
        det_side: see `OcrReader`; likewise ``max_upscale`` and ``n_threads``.
    """

    name = "lines"
    version = "1"
    needs_panels = True

    def __init__(self, det_side: int = 1280, max_upscale: float = 2.0, n_threads: int = 1) -> None:
        self._engine = LineEngine(det_side=det_side, max_upscale=max_upscale, n_threads=n_threads)

    def read(self, image: NDArray[np.uint8], panels: Sequence[Box], page: PageRecord) -> Analysis:
        """The lines of a ``(h, w, 3)`` uint8 BGR page."""
        return lines_analysis(self._engine.lines(image), panels, page, image.shape[1], image.shape[0])


def lines_analysis(lines: Sequence[TextLine], panels: Sequence[Box], page: PageRecord, width: int, height: int) -> Analysis:
    """Every line as a text of its own, called dialogue, in the panel that holds most of it."""
    readings = [PanelReading(panel_number=number, box=box.xywh) for number, box in enumerate(panels, 1)]
    outside = []
    for line in lines:
        item = _item(Balloon(line.text, line.box, "dialogue", round(line.confidence, 3)))
        owner = panel_of(line.box, panels, float(np.hypot(width, height)))
        if owner is None:
            outside.append(UnassignedText.model_validate(item))
        else:
            readings[owner].dialogue.append(TextItem.model_validate(item))
    info = ReaderInfo(name=LinesReader.name, model=MODEL, version=LinesReader.version)
    return Analysis(page_id=page.page_id, reader=info, panel_source="given", panels=readings, unassigned=outside)


def kept_lines(lines: Sequence[TextLine], min_confidence: float) -> list[TextLine]:
    """The lines that are text: read surely enough, and no stray marks taken for letters of another script.

    One or two characters are easily a scrap of drawing: alone they must be surer, and of the page's main script.
    Lines of punctuation stay when sure; they may be a balloon's "...?!".
    """
    n_wide = sum(is_wide(character) for line in lines for character in line.text)
    n_latin = sum(character.isalpha() and not is_wide(character) for line in lines for character in line.text)
    return [line for line in lines if is_text(line, min_confidence, n_wide, n_latin)]


def is_text(line: TextLine, min_confidence: float, n_wide: int, n_latin: int) -> bool:
    """Whether one line is worth keeping on a page with so many wide (Japanese, Chinese) and so many other letters."""
    letters = [character for character in line.text if character.isalnum()]
    if not letters:
        return line.confidence >= max(0.85, min_confidence) and bool(set(line.text) & set("!?！？.…‥・"))
    if line.confidence < min_confidence:
        return False
    if len(letters) > 2:
        return True
    foreign = n_wide * 4 < n_latin if is_wide(letters[0]) else n_latin * 4 < n_wide
    return not foreign and line.confidence >= max(min_confidence, 0.9 if len(letters) == 1 else 0.7)


def analysis_of(balloons: Sequence[Balloon], panels: Sequence[Box], page: PageRecord, width: int, height: int) -> Analysis:
    """Every balloon in a panel or in ``unassigned``, all in reading order; all panels appear, with their boxes."""
    rtl = page.reading_direction == "rtl"
    diagonal = float(np.hypot(width, height))
    owners = [panel_of(balloon.box, panels, diagonal, balloon.outline) for balloon in balloons]
    readings = []
    unassigned = []
    for index in [*range(len(panels)), None]:
        mine = [balloon for balloon, owner in zip(balloons, owners, strict=True) if owner == index]
        mine = [mine[place] for place in order_in_panel([balloon.box for balloon in mine], "rtl" if rtl else "ltr")]
        if index is None:
            unassigned = [UnassignedText(**_item(balloon), kind=_kind_outside(balloon)) for balloon in mine]
        else:
            readings.append(_panel_reading(index + 1, panels[index], mine))
    return Analysis(
        page_id=page.page_id,
        reader=ReaderInfo(name=OcrReader.name, model=MODEL, version=OcrReader.version),
        panel_source="given",
        panels=readings,
        unassigned=unassigned,
    )


def _panel_reading(number: int, box: Box, balloons: Sequence[Balloon]) -> PanelReading:
    reading = PanelReading(panel_number=number, box=box.xywh)
    for balloon in balloons:
        getattr(reading, balloon.kind).append(TextItem(**_item(balloon)))
    return reading


def _kind_outside(balloon: Balloon) -> Kind:
    """Text between panels is narration, a title, a page number; seldom speech."""
    return "sfx" if balloon.kind == "sfx" else "narration"


def _item(balloon: Balloon) -> dict[str, object]:
    return {
        "text": balloon.text,
        "bbox": [round(value, 1) for value in balloon.box.xywh],
        "confidence": balloon.confidence,
    }
