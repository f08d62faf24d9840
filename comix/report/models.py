"""Trained models: the table of `compare` with every figure beside its baselines, and the losses of every epoch."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from comix.core.errors import ComixError, FileFormatError
from comix.core.files import read_json
from comix.core.workspace import Workspace
from comix.metrics.retrieval import difference_by_chance
from comix.report.curves import CurveChart, History, curve_charts
from comix.train.compare import find_runs, labels_of, moved_on, notes_of, table_of
from comix.train.metrics_file import read_metrics

LOSS_COLUMNS = ("Final Loss", "MPM Loss", "POP Loss", "RPP Loss")
MAX_ROWS, MAX_CHARTS = 40, 8
_ALL = "comix train -m mpm_variant=base,denoise,context_recon,denoise_context"


@dataclass(frozen=True, slots=True)
class Figure:
    """One validation figure from 0 to 1; ``baselines`` are ``(name, value)``, chance first; None where there is none."""

    value: float | None
    baselines: tuple[tuple[str, float], ...]
    is_best: bool = False

    @property
    def chance(self) -> float | None:
        """What guessing gives."""
        return dict(self.baselines).get("chance")


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One run; ``losses`` in the order of `LOSS_COLUMNS`, None for a head that the variant does not have."""

    name: str
    losses: tuple[float | None, ...]
    figures: tuple[Figure, ...]
    facts: str


@dataclass(frozen=True, slots=True)
class ModelsView:
    """What the section shows; with no ``rows``, ``problem`` says why and ``command`` mends it."""

    rows: tuple[ModelRow, ...] = ()
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    charts: tuple[CurveChart, ...] = ()
    n_rows: int = 0
    n_models: int = 0
    problem: str = ""
    command: str = ""


def read_models(workspace: Workspace, where: str) -> ModelsView:
    """The newest comparison of this workspace; without one the runs themselves.

    Args:
        workspace: as elsewhere.
        where: ``workspace=...`` as the commands name it.
    """
    n_models = len(list(workspace.root.glob("models/*/model.yaml")))
    table = workspace.root / "models" / "compare.json"
    try:
        rows, notes = _read_table(table) if table.is_file() else _made_table(workspace)
        return _view(workspace, rows, [*notes, *_newer(workspace, rows, where)], n_models)
    except FileFormatError as error:
        return ModelsView(n_models=n_models, problem=f"The table cannot be read: {error}", command=f"comix compare {where}")
    except ComixError:
        return ModelsView(n_models=n_models, problem="No model is trained yet.", command=f"{_ALL} {where}")


def _read_table(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    found = read_json(path)
    rows = found.get("rows") if isinstance(found, dict) else None
    if not rows or not all(isinstance(row, dict) and {"Variant", "Run", *LOSS_COLUMNS} <= set(row) for row in rows):
        raise FileFormatError(f"{path.name}: not a table of comix compare")
    return rows, [str(note) for note in found.get("notes", [])]


def _made_table(workspace: Workspace) -> tuple[list[dict[str, Any]], list[str]]:
    found = find_runs("", workspace.root)
    return table_of(found.runs), [*notes_of(found), *moved_on(found.runs, workspace.root / "models")]


def _newer(workspace: Workspace, rows: Sequence[Mapping[str, Any]], where: str) -> list[str]:
    """A sentence when there are runs that started after all that are in the table."""
    parts = [PurePath(str(row["Run"])).parts for row in rows]
    started = [own[own.index("train") + 1] for own in parts if "train" in own[:-1]]
    finished = {path.relative_to(workspace.root / "runs" / "train").parts[0] for path in _metrics(workspace)}
    newer = sorted(one for one in finished if started and one > max(started))
    return [f"Newer runs are not in this table ({', '.join(newer[:3])}): comix compare {where}"] if newer else []


def _metrics(workspace: Workspace) -> list[Path]:
    root = workspace.root / "runs" / "train"
    return [*root.glob("*/metrics.json"), *root.glob("*/*/metrics.json")]


def _view(workspace: Workspace, rows: Sequence[Mapping[str, Any]], notes: Sequence[str], n_models: int) -> ModelsView:
    columns = [name.removesuffix(" chance") for name in rows[0] if name.endswith(" chance")]
    figures = [[_figure(row, column) for column in columns] for row in rows]
    n_pages = min((int(row["Held out"]) for row in rows if row.get("Held out")), default=0)
    best = [_best([one[place] for one in figures], n_pages) for place in range(len(columns))]
    labels = labels_of(rows)
    shown: list[ModelRow] = []
    curves: list[tuple[str, str, History, int]] = []
    for row, own, name in zip(rows[:MAX_ROWS], figures, labels, strict=False):
        run = _run_folder(workspace, str(row["Run"]))
        epochs, kept = _epochs(run)
        marked = tuple(
            Figure(one.value, one.baselines, one.value is not None and top is not None and round(one.value, 3) == top)
            for one, top in zip(own, best, strict=True)
        )
        shown.append(ModelRow(name, _losses(row), marked, _facts(row, epochs, kept)))
        history = read_history(run)
        if history and len(curves) < MAX_CHARTS:
            curves.append((name, f"{len(history)} epochs", history, kept))
    charts = tuple(curve_charts(curves))
    return ModelsView(tuple(shown), tuple(columns), tuple(notes), charts, len(rows), n_models)


def _figure(row: Mapping[str, Any], column: str) -> Figure:
    others = [name for name in row if name.startswith(f"{column} ") and row[name] is not None]
    others.sort(key=lambda name: not name.endswith(" chance"))
    baselines = tuple((name.removeprefix(f"{column} ").replace("_", " "), float(row[name])) for name in others)
    value = row.get(column)
    return Figure(None if value is None else float(value), baselines)


def _best(figures: Sequence[Figure], n_pages: int) -> float | None:
    """The highest value of a column to three digits; None unless it is ahead of the others and of chance by more than chance.

    Panels of one page are no independent answers, so a page counts once.
    """
    values = sorted((one.value for one in figures if one.value is not None), reverse=True)
    if len(values) < 2 or not n_pages:
        return None
    rivals = [values[1], *(one.chance for one in figures if one.chance is not None)]
    is_ahead = all(values[0] - rival > difference_by_chance(values[0], rival, n_pages) for rival in rivals)
    return round(values[0], 3) if is_ahead else None


def _losses(row: Mapping[str, Any]) -> tuple[float | None, ...]:
    """Losses as in the table; one that is 0 to the last digit belongs to a head that is not there."""
    values = [row.get(name) for name in LOSS_COLUMNS]
    return tuple(None if value is None or (value == 0 and place) else float(value) for place, value in enumerate(values))


def _run_folder(workspace: Workspace, named: str) -> Path:
    """The run's folder, found again in a workspace that has moved."""
    parts = PurePath(named).parts
    here = workspace.root.joinpath(*parts[parts.index("runs") :]) if "runs" in parts else Path(named)
    return here if here.is_dir() else Path(named)


def _epochs(run: Path) -> tuple[int, int]:
    """Epochs of a run, and the one whose weights were kept; 0 for unknown."""
    try:
        facts = read_metrics(run)
    except ComixError:
        return 0, 0
    return int(facts.get("epochs") or 0), int(facts.get("best_epoch") or 0)


def _facts(row: Mapping[str, Any], epochs: int, kept: int) -> str:
    parts = [f"{row['Pages']} pages" if row.get("Pages") is not None else ""]
    parts.append(f"{row['Held out']} held out" if row.get("Held out") is not None else "")
    parts.append(f"{epochs} epochs, {kept} kept" if epochs else "")
    parts.append(f"seed {row['Seed']}" if row.get("Seed") is not None else "")
    return " · ".join(part for part in parts if part)


def read_history(run: Path) -> History:
    """Losses per epoch of a run folder; empty when it keeps none that can be read."""
    try:
        lines = (run / "history.csv").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [
        {name: value for name, text in row.items() if name and "loss" in name and (value := _number(text)) is not None}
        for row in csv.DictReader(lines)
    ]


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
