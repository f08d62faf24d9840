"""The pages that went worst, drawn; and one HTML page that shows them below the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from comix.bench.figures import Row, as_table
from comix.core.files import write_bytes
from comix.core.geometry import Box
from comix.io.images import image_exists, read_bgr

_TRUE, _FOUND = (60, 170, 0), (30, 30, 220)
_LONG_SIDE = 1000


@dataclass(frozen=True, slots=True)
class Mark:
    """A box to draw: what the truth says (green, thick) or what was found (red, thin), with its label."""

    box: Box
    label: str
    is_truth: bool


@dataclass(frozen=True, slots=True)
class BadPage:
    """A page to look at: its image, what is wrong in a few words, and the boxes."""

    key: str
    image: Path
    trouble: str
    marks: tuple[Mark, ...]


def draw_marks(image: NDArray[np.uint8], marks: Sequence[Mark]) -> bytes:
    """PNG bytes of a ``(h, w, 3)`` BGR page, at most 1000 pixels on its longer side, with the boxes on it."""
    scale = min(1.0, _LONG_SIDE / max(image.shape[:2]))
    canvas: Any = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for mark in sorted(marks, key=lambda mark: not mark.is_truth):
        colour, thickness = (_TRUE, 5) if mark.is_truth else (_FOUND, 2)
        left, top, right, bottom = (round(value * scale) for value in mark.box.xyxy)
        cv2.rectangle(canvas, (left, top), (right, bottom), colour, thickness)
        if mark.label:
            at = (left + 6, top + 26) if mark.is_truth else (max(left, right - 18 * len(mark.label) - 8), top + 26)
            cv2.putText(canvas, mark.label, at, cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 5, cv2.LINE_AA)
            cv2.putText(canvas, mark.label, at, cv2.FONT_HERSHEY_SIMPLEX, 0.8, colour, 2, cv2.LINE_AA)
    return cv2.imencode(".png", canvas)[1].tobytes()


def write_pictures(
    folder: Path, title: str, rows: Sequence[Row], columns: dict[str, str], pages: Sequence[BadPage], notes: Sequence[str],
    plots: Sequence[tuple[str, str]] = (),
) -> int:  # fmt: skip
    """``worst/NNN.png`` of every page whose image is there, and ``index.html``; how many were drawn."""
    shown = []
    for number, page in enumerate(pages, start=1):
        name = f"worst/{number:03d}.png"
        is_there = image_exists(page.image)
        if is_there:
            write_bytes(folder / name, draw_marks(read_bgr(page.image), page.marks))
        shown.append({"key": page.key, "trouble": page.trouble, "picture": name if is_there else ""})
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page_text = environment.get_template("evaluate.html.j2").render(
        title=title, table=as_table(rows, columns), pages=shown, notes=list(notes), plots=list(plots)
    )
    write_bytes(folder / "index.html", page_text.encode())
    return sum(bool(one["picture"]) for one in shown)
