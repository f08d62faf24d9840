"""Where the pages to align come from: our own workspace, or a foreign COCO file with a folder of JSONs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from comix.align.job import PageJob
from comix.core.errors import MissingInputError
from comix.core.workspace import Workspace
from comix.io.analysis import analysis_path
from comix.io.coco import read_predictions
from comix.io.tables import count_pages, iter_pages


class PageFacts(NamedTuple):
    """What the alignment table says of a page beside its result; ``json_path`` and ``key`` are "" without a reading."""

    page_id: str
    book_id: str
    image_path: str
    images: tuple[str, ...]
    key: str
    json_path: str


class Source(Protocol):
    """Pages in table order, twice: as jobs, and as facts for the table.

    Attributes:
        variant: keeps the rows of one pair of detector and reader apart.
        n_pages: how many there are.
        notes: what the user should know of how they were found.
    """

    variant: str
    n_pages: int
    notes: list[str]

    def jobs(self) -> Iterator[PageJob]:
        """One job after another."""

    def facts(self) -> Iterator[PageFacts]:
        """One page after another, in the same order."""


@dataclass
class WorkspaceSource:
    """Pages of the page table, joined by page id with detections and analyses.

    Args:
        workspace: where they lie.
        detector: whose boxes.
        reader: whose text; "" for none.
        second: whose text to compare with; "" for nobody's.

    Raises:
        MissingInputError: no pages, no detections, no analyses, or panels that were never ordered; names the command.
    """

    workspace: Workspace
    detector: str
    reader: str
    second: str = ""
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        workspace = self.workspace
        self._table = workspace.require_pages()
        predictions = workspace.require_predictions(self.detector)
        self._found = read_predictions(predictions)
        waiting = self._found.first_unordered()
        if waiting is not None:
            command = f"comix order detections={self.detector} workspace={workspace.root}"
            raise MissingInputError(f"{predictions}: panels without a reading order (first: {waiting}); first run: {command}")
        self._folder = workspace.require_analyses(self.reader) if self.reader else None
        self._second = workspace.require_analyses(self.second) if self.second else None
        self.variant = f"{self.detector}+{self.reader or 'none'}"
        self.n_pages = count_pages(self._table)
        made = str(self._found.info.get("created_by", "comix"))
        self._order_source = str(self._found.info.get("order_source", "rule" if made.startswith("comix") else "annotated"))

    def jobs(self) -> Iterator[PageJob]:
        """One job after another."""
        root = os.fspath(self.workspace.root)
        for page in iter_pages(self._table):
            row = self._found.row(page.page_id)
            packed = None if row is None else self._found.packed(row)
            rtl = 2 if page.reading_direction == "rtl" else 1
            direction = rtl if packed is None else packed.direction
            second = analysis_path(self._second, page.page_id) if self._second else None
            yield PageJob(
                page.page_id, page.book_id, page.image_path, (f"{root}/{page.image_path}",), page.width, page.height,
                "rtl" if direction == 2 else "ltr", page.page_type, page.container, page.member, page.sha256, packed,
                self._order_source, os.fspath(analysis_path(self._folder, page.page_id)) if self._folder else "",
                os.fspath(second) if second is not None and second.is_file() else "", page.page_id,
            )  # fmt: skip

    def facts(self) -> Iterator[PageFacts]:
        """One page after another, in the same order."""
        root = self.workspace.root
        for page in iter_pages(self._table):
            path = analysis_path(self._folder, page.page_id).relative_to(root).as_posix() if self._folder else ""
            key = page.page_id if path else ""
            yield PageFacts(page.page_id, page.book_id, page.image_path, (page.image_path,), key, path)


def stamp(path: str) -> str:
    """Size and time of change of a file, "" when it is not there."""
    try:
        status = os.stat(path)  # noqa: PTH116  (a third of the time)
    except OSError:
        return ""
    return f"{status.st_size}.{status.st_mtime_ns}"


def as_folder(key: str, path: str) -> Path:
    """A folder that is there.

    Raises:
        MissingInputError: it is not.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise MissingInputError(f"{key}={path}: no such folder")
    return folder
