"""Tesseract as line finder and recogniser: an optional engine (Apache-2.0), called as a program."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.errors import MissingInputError
from comix.core.geometry import Box
from comix.core.page import PageRecord
from comix.io.analysis import Analysis
from comix.vlm.balloons import balloons_of
from comix.vlm.lettering import is_wide
from comix.vlm.lines import TextLine
from comix.vlm.ocr import analysis_of, kept_lines

_COLUMNS = ("block_num", "par_num", "line_num")


class TesseractReader:
    """Reads pages with the ``tesseract`` program; lines are joined and attached as `comix.vlm.ocr.OcrReader` does.

    Args:
        language: codes of installed language data, joined by ``+``: ``eng``, ``jpn_vert+jpn``.
        page_mode: ``--psm``: 12 finds scattered text, columns too; 11 only lines.
        min_confidence: lines read with less, 0 to 1, are dropped.
        side: longer side, pixels, to which smaller pages are enlarged, at most twice their size.

    Raises:
        MissingInputError: no such program, or no data for the language.
    """

    name = "tesseract"
    needs_panels = True

    def __init__(self, language: str = "eng", page_mode: int = 12, min_confidence: float = 0.5, side: int = 2400) -> None:
        program = shutil.which("tesseract")
        if program is None:
            raise MissingInputError("vlm=tesseract: no program tesseract on the PATH (Debian: apt install tesseract-ocr)")
        known = _run([program, "--list-langs"]).splitlines()[1:]
        lacking = [one for one in language.split("+") if one not in known]
        if lacking:
            package = f"tesseract-ocr-{lacking[0].replace('_', '-')}"
            raise MissingInputError(
                f"vlm.language={language}: no language data for {', '.join(lacking)} (Debian: apt install {package}); "
                f"installed: {', '.join(known)}"
            )
        self._words = [program, "-", "-", "-l", language, "--psm", str(page_mode)]
        self._min_confidence, self._side = min_confidence, side
        self.version = f"1 with {_run([program, '--version']).split()[1]}, {language}"

    def read(self, image: NDArray[np.uint8], panels: Sequence[Box], page: PageRecord) -> Analysis:
        """Text of a ``(h, w, 3)`` uint8 BGR page, each balloon in its panel."""
        scale = min(2.0, max(1.0, self._side / max(image.shape[:2])))
        shown = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) if scale > 1 else image
        table = _run([*self._words, "tsv"], cv2.imencode(".png", shown)[1].tobytes())
        lines = kept_lines(lines_of(table, scale), self._min_confidence)
        found = analysis_of(balloons_of(image, lines), panels, page, image.shape[1], image.shape[0])
        info = found.reader.model_copy(update={"name": self.name, "model": "tesseract", "version": self.version})
        return found.model_copy(update={"reader": info})


def lines_of(table: str, scale: float = 1.0) -> list[TextLine]:
    """The lines in Tesseract's TSV, whose rows of level 5 are words; a line twice as high as wide is a column.

    ``scale`` is how many times the picture was enlarged; lines are given in the pixels that it had before.

    >>> head = "level page_num block_num par_num line_num word_num left top width height conf text".replace(" ", chr(9))
    >>> rows = ["5 1 1 1 1 1 10 10 40 12 96 HELLO", "5 1 1 1 1 2 60 10 30 12 86 YOU", "4 1 1 1 1 0 10 10 80 12 -1"]
    >>> table = chr(10).join([head, *(row.replace(" ", chr(9)) for row in rows)])
    >>> [(line.text, line.box.xywh, round(line.confidence, 2)) for line in lines_of(table)]
    [('HELLO YOU', [10.0, 10.0, 80.0, 12.0], 0.92)]
    """
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["level"] == "5" and (row["text"] or "").strip():
            groups.setdefault(tuple(row[column] for column in _COLUMNS), []).append(row)
    return [_line(words, scale) for words in groups.values()]


def _line(words: Sequence[dict[str, str]], scale: float) -> TextLine:
    text = ""
    for word in (one["text"].strip() for one in words):
        text += word if not text or (is_wide(text[-1]) and is_wide(word[0])) else f" {word}"
    left, top = (min(float(one[key]) for one in words) / scale for key in ("left", "top"))
    right = max(float(one["left"]) + float(one["width"]) for one in words) / scale
    bottom = max(float(one["top"]) + float(one["height"]) for one in words) / scale
    weights = [len(one["text"]) for one in words]
    confidence = float(np.average([max(0.0, float(one["conf"])) for one in words], weights=weights)) / 100
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return TextLine(text, corners, confidence, vertical=bottom - top >= 2 * (right - left))


def _run(words: Sequence[str], sent: bytes = b"") -> str:
    """What the program prints.

    Raises:
        RuntimeError: it fails; with its last line.
    """
    limited = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(words, input=sent, capture_output=True, check=False, env=limited)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise RuntimeError(f"tesseract ended with {done.returncode}: {last[0]}")
    return done.stdout.decode(errors="replace")
