"""Analysis JSON: what a reader saw on one page, ``analysis/<reader>/<page_id>.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from comix.core.errors import FileFormatError
from comix.core.files import json_bytes, read_json, write_bytes
from comix.core.ids import escape

ANALYSIS_VERSION = 1


class TextItem(BaseModel):
    """One balloon, caption or sound effect: the words as printed.

    Attributes:
        text: lines joined with single spaces; end-of-line hyphenation undone.
        bbox: ``[x, y, w, h]`` pixels of the page, when the reader knows it.
        confidence: 0 to 1, when the reader gives one.
    """

    model_config = ConfigDict(extra="forbid")
    text: str
    speaker: str | None = None
    bbox: list[float] | None = Field(default=None, min_length=4, max_length=4)
    confidence: float | None = None


class UnassignedText(TextItem):
    """Text that lies in no panel: titles, columns between panels, page numbers, covers."""

    kind: Literal["dialogue", "thought", "narration", "sfx"] = "narration"


class PanelReading(BaseModel):
    """What the reader saw in one panel. ``box`` is ``[x, y, w, h]`` in page pixels where known."""

    model_config = ConfigDict(extra="forbid")
    panel_number: int = Field(ge=1)
    box: list[float] | None = Field(default=None, min_length=4, max_length=4)
    dialogue: list[TextItem] = []
    thought: list[TextItem] = []
    narration: list[TextItem] = []
    sfx: list[TextItem] = []
    characters: list[str] = []
    description: str = ""


class ReaderInfo(BaseModel):
    """Which reader, model and prompt made an analysis."""

    model_config = ConfigDict(extra="forbid")
    name: str
    model: str = ""
    prompt_id: str = ""
    version: str = ""


class ArtStyle(BaseModel):
    """How the page is drawn, in the reader's words."""

    model_config = ConfigDict(extra="forbid")
    tradition: str = ""
    medium: str = ""
    colour: str = ""
    line: str = ""
    shading: str = ""
    tags: list[str] = []


class Disagreement(BaseModel):
    """Where two readers of one page differ: ``kept`` stands in the analysis, ``other`` is what the second one saw.

    Attributes:
        panel_number: None for text outside the panels.
        what: ``text``, ``kind``, ``only_kept`` or ``only_other``.
    """

    model_config = ConfigDict(extra="forbid")
    panel_number: int | None = None
    what: Literal["text", "kind", "only_kept", "only_other"]
    kept: str = ""
    other: str = ""


class PageReading(BaseModel):
    """What the reader says of the page as a whole."""

    model_config = ConfigDict(extra="forbid")
    summary: str = ""
    reading_direction: Literal["ltr", "rtl"] | None = None
    page_type: str | None = None
    style: ArtStyle | None = None


class Analysis(BaseModel):
    """One page read; ``panel_source`` is ``given`` when the reader was handed our boxes, ``reader`` when it found its own."""

    model_config = ConfigDict(extra="forbid")
    version: int = ANALYSIS_VERSION
    page_id: str
    reader: ReaderInfo
    panel_source: Literal["given", "reader"]
    panels: list[PanelReading] = []
    unassigned: list[UnassignedText] = []
    page: PageReading = PageReading()
    usage: dict[str, Any] = {}
    status: str = "ok"
    disagreements: list[Disagreement] | None = None


def analysis_path(folder: Path, page_id: str) -> Path:
    """Where the analysis of a page lies below ``analysis/<reader>/``."""
    return folder / f"{escape(page_id)}.json"


def write_analysis(path: Path, analysis: Analysis) -> None:
    """Write one analysis atomically.

    Raises:
        WorkspaceError: the file cannot be written.
    """
    write_bytes(path, json_bytes(analysis.model_dump(mode="json", exclude_none=True), indent=1))


def read_analysis(path: Path) -> Analysis:
    """One analysis.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not an analysis of a version known here; says which field.
    """
    document = read_json(path)
    try:
        analysis = Analysis.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FileFormatError(f"{path}: {where}: {first['msg']} ({error.error_count()} faults); see docs/formats.md") from error
    if analysis.version > ANALYSIS_VERSION:
        raise FileFormatError(f"{path}: version {analysis.version} is newer than {ANALYSIS_VERSION}; update comix")
    return analysis
