"""DataSpec v0.3: one checked training example per page, ``dataspec/<page_id>.json``.

The document's fields (``page_image_path``, ``panels[].panel_coords``, ``panels[].text``) keep their names and meaning; ours
come after them. Panels are listed in reading order.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from comix.core.errors import FileFormatError
from comix.core.files import json_bytes, read_json, write_if_changed
from comix.core.ids import escape
from comix.io.analysis import UnassignedText

DATASPEC_VERSION = "0.3"
TextKind = Literal["dialogue", "thought", "narration", "sfx"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PanelText(_Strict):
    """Literal words by kind, in reading order inside the panel; descriptions are never among them."""

    dialogue: list[str] = []
    narration: list[str] = []
    sfx: list[str] = []
    thought: list[str] = []

    def all(self) -> list[str]:
        """Every text, dialogue first."""
        return [*self.dialogue, *self.thought, *self.narration, *self.sfx]


class PanelTextItem(_Strict):
    """One text with where it stands. ``bbox`` is ``[x, y, w, h]`` in page pixels where the reader gave one."""

    kind: TextKind
    text: str
    speaker: str | None = None
    bbox: list[float] | None = Field(default=None, min_length=4, max_length=4)
    confidence: float | None = None


class PanelSpec(_Strict):
    """One panel.

    Attributes:
        panel_coords: ``[x, y, w, h]`` pixels of the page image, upright.
        order: reading position from 0; equals the place in the list.
        confidence: the detector's score, 0 to 1.
        text_confidence: how sure it is that this text belongs to this panel, 0 to 1; None without text.
        polygon: corner points where the panel is no upright rectangle.
        description: the reader's own words, kept apart from the literal text.
    """

    panel_coords: list[float] = Field(min_length=4, max_length=4)
    text: PanelText
    order: int = Field(ge=0)
    confidence: float
    text_confidence: float | None = None
    texts: list[PanelTextItem] = []
    polygon: list[list[float]] = []
    characters: list[str] = []
    description: str = ""


class Provenance(_Strict):
    """Where everything came from."""

    detector: str
    reader: str
    reader_model: str = ""
    panel_source: Literal["given", "reader", "none"]
    assignment: str
    container: str
    member: str
    sha256: str


class Quality(_Strict):
    """How well detections and reading agree; see docs/quality.md."""

    score: int = Field(ge=0, le=4)
    panel_count_ratio: float | None
    text_coverage: float
    order_margin: float | None
    assigned_text_share: float | None


class DataSpec(_Strict):
    """One page. ``page_image_path`` is relative to the workspace (``image_root`` of the training stage)."""

    page_image_path: str
    panels: list[PanelSpec]
    version: Literal["0.3"] = "0.3"
    page_id: str
    page_size: list[int] = Field(min_length=2, max_length=2)
    reading_direction: Literal["ltr", "rtl"]
    page_type: str = ""
    unassigned_text: list[UnassignedText] = []
    provenance: Provenance
    quality: Quality


def dataspec_path(folder: Path, page_id: str) -> Path:
    """Where the DataSpec of a page lies."""
    return folder / f"{escape(page_id)}.json"


def write_dataspec(path: Path, spec: DataSpec) -> bool:
    """Write one DataSpec atomically; whether the file changed."""
    return write_if_changed(path, json_bytes(spec.model_dump(mode="json"), indent=1))


def read_dataspec(path: Path) -> DataSpec:
    """One DataSpec.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not DataSpec v0.3; says which field.
    """
    try:
        return DataSpec.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FileFormatError(
            f"{path}: {where}: {first['msg']} ({error.error_count()} faults); wanted DataSpec v{DATASPEC_VERSION}"
        ) from error


def write_list(path: Path, files: Iterable[Path]) -> int:
    """Write a list file, one path a line, relative to the list's own folder; the number of lines."""
    lines = [_relative(path.parent, file) for file in files]
    write_if_changed(path, "".join(f"{line}\n" for line in lines).encode())
    return len(lines)


def _relative(folder: Path, file: Path) -> str:
    return Path(os.path.relpath(file, folder)).as_posix()
