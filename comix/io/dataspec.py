"""DataSpec v0.3: one checked training example per page, ``dataspec/<page_id>.json``.

The document's fields (``page_image_path``, ``panels[].panel_coords``, ``panels[].text``) keep their names and meaning; ours
come after them. Panels are listed in reading order.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from comix.core.errors import FileFormatError
from comix.core.files import read_json, write_if_changed
from comix.core.ids import escape
from comix.io.analysis import UnassignedText
from comix.io.oldspecs import upgrade

DATASPEC_VERSION = "0.3"
NAMINGS = ("preserve_tree", "hash")
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
        text_agreement: how far a second reader read the same words here, 0 to 1; None where nobody read any.
        polygon: corner points where the panel is no upright rectangle.
        description: the reader's own words, kept apart from the literal text.
    """

    panel_coords: list[float] = Field(min_length=4, max_length=4)
    text: PanelText
    order: int = Field(ge=0)
    confidence: float
    text_confidence: float | None = None
    text_agreement: float | None = None
    texts: list[PanelTextItem] = []
    polygon: list[list[float]] = []
    characters: list[str] = []
    description: str = ""


class ObjectSpec(_Strict):
    """Something else that was found on the page: a character, face, balloon, text or sound effect.

    Attributes:
        bbox: ``[x, y, w, h]`` pixels.
        score: the detector's, None where it gave none.
        panel: place in ``panels`` of the panel that an earlier file listed it under.
    """

    category: str
    bbox: list[float] = Field(min_length=4, max_length=4)
    score: float | None = None
    panel: int | None = None


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
    second_reader: str = ""


class Quality(_Strict):
    """How well detections and reading agree; see docs/quality.md."""

    score: int = Field(ge=0, le=4)
    panel_count_ratio: float | None
    text_coverage: float
    order_margin: float | None
    assigned_text_share: float | None
    order_agreement: float | None = None
    mean_iou: float | None = None
    text_agreement: float | None = None


class DataSpec(_Strict):
    """One page.

    Attributes:
        page_image_path: relative to the workspace (``image_root`` of the training stage), or absolute.
        page_size: ``[width, height]`` pixels; ``[0, 0]`` where an older file does not say.
        order_source: where the panels' order comes from: ``annotated`` by people, ``constructed`` with the page, a
            ``rule`` over the boxes, or the ``reader``'s own sequence. Only the first two are ground truth.
    """

    page_image_path: str
    panels: list[PanelSpec]
    version: Literal["0.3"] = "0.3"
    page_id: str
    page_size: list[int] = Field(min_length=2, max_length=2)
    reading_direction: Literal["ltr", "rtl"]
    order_source: Literal["annotated", "constructed", "rule", "reader"] = "rule"
    page_type: str = ""
    objects: list[ObjectSpec] = []
    unassigned_text: list[UnassignedText] = []
    provenance: Provenance
    quality: Quality


def dataspec_path(folder: Path, page_id: str, naming: str = "preserve_tree") -> Path:
    """Where the DataSpec of a page lies."""
    return folder / dataspec_name(page_id, naming)


def find_dataspec(folder: Path, page_id: str) -> Path:
    """Where the DataSpec of a page lies under either naming; where it would lie by its page id when there is none."""
    hashed = dataspec_path(folder, page_id, "hash")
    plain = dataspec_path(folder, page_id)
    return hashed if not plain.is_file() and hashed.is_file() else plain


def dataspec_names(page_id: str) -> tuple[str, ...]:
    """Every name that `dataspec_name` may give."""
    return tuple(dataspec_name(page_id, naming) for naming in NAMINGS)


def dataspec_name(page_id: str, naming: str = "preserve_tree") -> str:
    """Its file name below ``dataspec/``: the page id, or (``naming="hash"``) a hash of it in 256 folders."""
    if naming == "hash":
        name = hashlib.sha256(page_id.encode()).hexdigest()[:32]
        return f"{name[:2]}/{name}.json"
    return f"{escape(page_id)}.json"


def read_dataspec(path: Path) -> DataSpec:
    """One DataSpec, today's or of any older shape (see `comix.io.oldspecs`).

    Raises:
        MissingInputError: no such file.
        FileFormatError: not DataSpec v0.3; says which field.
    """
    document = read_json(path)
    try:
        return DataSpec.model_validate(upgrade(document, str(path)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FileFormatError(
            f"{path}: {where}: {first['msg']} ({error.error_count()} faults); wanted DataSpec v{DATASPEC_VERSION}"
        ) from error


def dataspec_schema() -> dict[str, Any]:
    """The JSON Schema that ``docs/dataspec.schema.json`` publishes."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **DataSpec.model_json_schema()}


def write_list(path: Path, files: Iterable[Path]) -> int:
    """Write a list file, one path a line, relative to the list's own folder; the number of lines."""
    lines = [_relative(path.parent, file) for file in files]
    write_if_changed(path, "".join(f"{line}\n" for line in lines).encode())
    return len(lines)


def _relative(folder: Path, file: Path) -> str:
    return Path(os.path.relpath(file, folder)).as_posix()
