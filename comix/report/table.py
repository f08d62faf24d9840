"""Every page of the workspace as one row: what each stage found on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from comix.core.errors import FileFormatError
from comix.core.journal import Journal, Row
from comix.core.page import PageRecord
from comix.core.workspace import Workspace
from comix.io.dataspec import dataspec_names
from comix.io.tables import read_parquet
from comix.report.logs import NOT_REACHED, StageLog, read_stage

STAGES = ("detect", "order", "analyze", "align", "curate")
"""Stages over pages, in the order of the work."""
_ALIGNED = {"quality_score": "score", "text_coverage": "coverage", "panel_count_ratio": "ratio", "n_all_words": "n_words"}


def variant_of(stage: str, detector: str, reader: str) -> str:
    """Name under which a stage's rows are kept."""
    return {"analyze": reader, "align": f"{detector}+{reader}", "curate": ""}.get(stage, detector)


def read_logs(workspace: Workspace, detector: str, reader: str, page_ids: dict[str, int]) -> dict[str, StageLog]:
    """Logs of the page stages that ran with this detector and reader."""
    logs = {}
    for stage in STAGES:
        log = read_stage(workspace.journal(stage), stage, variant_of(stage, detector, reader), page_ids)
        if log is not None:
            logs[stage] = log
    return logs


def read_page_frame(workspace: Workspace) -> pd.DataFrame:
    """The page table by page id, in its order.

    Raises:
        MissingInputError: no pages yet.
        FileFormatError: not a page table of this version.
    """
    path = workspace.require_pages()
    frame = read_parquet(path)
    missing = sorted(set(PageRecord.columns()) - set(frame.columns))
    if missing:
        raise FileFormatError(f"{path}: not a page table, columns missing: {', '.join(missing)}; run comix extract again")
    return frame.set_index("page_id", drop=False).rename_axis(index=None)


def fill_frame(frame: pd.DataFrame, workspace: Workspace, logs: dict[str, StageLog]) -> pd.DataFrame:
    """Add what the stages found: panels, texts, words, score, page type, training; what is unknown is 0, NaN or "".

    The columns ``why_<stage>`` say why a page did not get through a stage, "" where it did.
    """
    for stage in STAGES:
        state = logs[stage].state if stage in logs else {}
        frame[f"why_{stage}"] = [state.get(page_id, NOT_REACHED) for page_id in frame.index]
    _add(frame, "n_panels", 0, ((row.key, _n_panels(row)) for row in _done(workspace, logs.get("detect"))))
    ordered = _done(workspace, logs.get("order"))
    _add(frame, "direction", "", ((row.key, row.result.get("reading_direction", "")) for row in ordered))
    _add(frame, "n_texts", 0, ((row.key, _n_texts(row)) for row in _done(workspace, logs.get("analyze"))))
    _add_alignment(frame, workspace, logs.get("align"))
    if "curate" in logs:
        guesses = {row.key: row.result for row in _done(workspace, logs["curate"])}
        own = zip(frame.index, frame["page_type"], strict=True)
        frame["page_type"] = [guesses.get(key, {}).get("page_type", kind) for key, kind in own]
        frame["is_duplicate"] = [not guesses.get(key, {}).get("is_canonical", True) for key in frame.index]
    else:
        frame["is_duplicate"] = False
    training = _training_ids(workspace, frame.index) if "align" in logs else set()
    frame["is_training"] = frame.index.isin(training)
    return frame


def _done(workspace: Workspace, log: StageLog | None) -> Iterator[Row]:
    if log is not None:
        with Journal(workspace.journal(log.stage), log.variant) as journal:
            yield from journal.rows("done", parents_only=True)


def _add(frame: pd.DataFrame, column: str, absent: Any, values: Iterator[tuple[str, Any]]) -> None:
    known = dict(values)
    frame[column] = [known.get(key, absent) for key in frame.index]


def _n_panels(row: Row) -> int:
    return sum(one.get("category", "panel") == "panel" for one in row.result.get("detections", ()))


def _n_texts(row: Row) -> int:
    return int(row.result.get("n_texts", 0)) + int(row.result.get("n_unassigned", 0))


def _add_alignment(frame: pd.DataFrame, workspace: Workspace, log: StageLog | None) -> None:
    known = {row.key: row.result for row in _done(workspace, log)}
    for source, column in _ALIGNED.items():
        values = [known.get(key, {}).get(source) for key in frame.index]
        frame[column] = pd.Series(values, index=frame.index, dtype="float64")
    frame["is_aligned"] = frame.index.isin(set(known))


def subset_counts(workspace: Workspace, log: StageLog, names: tuple[str, ...]) -> dict[str, int]:
    """Pages per subset, pages that could not be aligned among the low ones as in the list files."""
    counts = dict.fromkeys(names, 0)
    with Journal(workspace.journal("align"), log.variant) as journal:
        for row in journal.rows(parents_only=True):
            if row.key in log.state:
                for name in row.result.get("subsets", ["low_quality"]):
                    counts[name] = counts.get(name, 0) + 1
    return counts


def _training_ids(workspace: Workspace, page_ids: Iterable[str]) -> set[str]:
    """Those of the pages whose DataSpec is in ``lists/training.txt``; empty when there is no list."""
    path = workspace.lists_dir / "training.txt"
    if not path.is_file():
        return set()
    parent = PurePosixPath("../dataspec")
    listed = (PurePosixPath(line) for line in path.read_text(encoding="utf-8").splitlines() if line)
    names = {one.relative_to(parent).as_posix() for one in listed if one.is_relative_to(parent)}
    return {page_id for page_id in page_ids if not names.isdisjoint(dataspec_names(page_id))}
