"""The saved tables below ``experiments/``: a claim, its source, and rows with expected figures and tolerances."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.order import Method


class RowSpec(BaseModel):
    """One row of a table.

    Attributes:
        name: what stands in the first column.
        set: which pages: a key of the table's ``sets``.
        detector: frozen detector config beside the table, whose boxes are measured (or, in an order table, ordered).
        method: in an order table, how they are ordered; on the true boxes where there is no detector.
        quoted: figures measured elsewhere, shown and never run; ``source`` says where.
        expected: figure -> value that this row must reproduce.
        tolerance: greatest difference, else the table's.
        note: shown beside the row.
    """

    model_config = ConfigDict(extra="forbid")
    name: str
    set: str = "all"
    detector: str = ""
    method: Method | None = None
    quoted: dict[str, float] = {}
    source: str = ""
    expected: dict[str, float] = {}
    tolerance: float | None = Field(default=None, ge=0)
    note: str = ""

    @model_validator(mode="after")
    def _has_something_to_show(self) -> RowSpec:
        if not (self.detector or self.method or self.quoted):
            raise ValueError("a row names a detector, a method, or quoted figures")
        if self.quoted and (self.detector or self.method or self.expected):
            raise ValueError("a quoted row is not run: it has no detector, method or expected figures")
        if self.quoted and not self.source:
            raise ValueError("quoted figures need their source")
        return self


class TableSpec(BaseModel):
    """One ``table.yaml``.

    Attributes:
        claim: what the table shows, one sentence; ``source``: of the comparison.
        task: what is measured.
        truth: ground-truth files below ``data=``; ``images``: folder below it that their paths begin in.
        sets: name -> stems of truth files, or beginnings of image paths (with a ``/``); ``all`` is there without being named.
        columns: figure -> heading.
        tolerance: for all rows that have none of their own.
    """

    model_config = ConfigDict(extra="forbid")
    claim: str
    source: str
    task: Literal["detection", "order"]
    truth: list[str] = Field(min_length=1)
    images: str
    sets: dict[str, list[str]] = {}
    columns: dict[str, str] = Field(min_length=1)
    tolerance: float = Field(ge=0)
    rows: list[RowSpec] = Field(min_length=1)

    def selects(self, name: str, truth_file: str, path: str) -> bool:
        """Whether a page, by the stem of its truth file and its image path, is in a set."""
        return name == "all" or any(truth_file == one or ("/" in one and path.startswith(one)) for one in self.sets[name])

    @model_validator(mode="after")
    def _rows_fit(self) -> TableSpec:
        for row in self.rows:
            if row.set != "all" and row.set not in self.sets:
                raise ValueError(f"row {row.name!r}: there is no set {row.set!r}")
            if self.task == "order" and not row.quoted and row.method is None:
                raise ValueError(f"row {row.name!r}: an order table needs a method")
        return self


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BookSpec(_Strict):
    """Pages of one book: ``files`` below the data folder (``*`` allowed), read from the right where ``manga``."""

    files: list[str] = Field(min_length=1)
    manga: bool = False


class TrainedRow(_Strict):
    """One row.

    Attributes:
        name: what stands in the first column.
        train: words for ``comix train`` beside the table's.
        baseline: in place of a model, what needs no training, measured on the same pages.
        quoted: figures measured elsewhere, shown and never run; ``source`` says where.
        expected: figure -> mean over the seeds that this row must reproduce.
        tolerance: greatest difference, else the table's.
    """

    name: str
    train: list[str] = []
    baseline: str = ""
    quoted: dict[str, float] = {}
    source: str = ""
    expected: dict[str, float] = {}
    tolerance: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _is_one_of_three(self) -> TrainedRow:
        if sum(map(bool, (self.train, self.baseline, self.quoted))) != 1:
            raise ValueError(f"row {self.name!r}: wanted one of train, baseline, quoted")
        return self


class LearningTable(_Strict):
    """One ``table.yaml`` with ``task: learning``.

    Attributes:
        claim: what the table shows; ``source``: of the comparison.
        library: book -> its pages.
        prepare: stages with their words, run one after another; ``{workspace}``, ``{library}`` and ``{here}`` (the table's
            folder) stand for paths.
        train: words that all rows share; likewise ``seeds``.
        columns: figure -> heading; a figure is ``<test>.<figure of metrics.json>``, or ``final.<loss>``.
        tolerance: for all rows that have none of their own.
    """

    claim: str
    source: str
    task: Literal["learning"]
    library: dict[str, BookSpec] = Field(min_length=1)
    prepare: list[list[str]]
    train: list[str]
    seeds: list[int] = Field(min_length=1)
    columns: dict[str, str] = Field(min_length=1)
    tolerance: float = Field(ge=0)
    rows: list[TrainedRow] = Field(min_length=1)


def read_table(folder: Path) -> TableSpec | LearningTable:
    """The table of one experiment, of detectors and rules or of trained models, by its ``task``.

    Raises:
        MissingInputError: no ``table.yaml`` there.
        FileFormatError: it is not a table that can be run; names the key.
    """
    path = folder / "table.yaml"
    if not path.is_file():
        known = sorted(one.parent.name for one in folder.parent.glob("*/table.yaml"))
        raise MissingInputError(f"{path}: no such table; there are {', '.join(known) or 'none'} in {folder.parent}")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        is_learning = isinstance(document, dict) and document.get("task") == "learning"
        return (LearningTable if is_learning else TableSpec).model_validate(document)
    except yaml.YAMLError as error:
        raise FileFormatError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "table"
        raise FileFormatError(f"{path}: {where}: {first['msg']}; tables that cannot be run are not reproduced") from error
