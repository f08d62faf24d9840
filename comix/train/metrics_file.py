"""``metrics.json`` of a run folder: the truth about a run; everything else mirrors it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comix.core.errors import ComixError, FileFormatError
from comix.core.files import json_bytes, read_json, write_bytes
from comix.train.card import WEIGHTS

METRICS = "metrics.json"
STATE = "training.json"
FORMAT = 1
_NEEDED = {"name", "variant", "seed", "final", "validation", "baselines", "n_pages"}


def write_metrics(folder: Path, facts: dict[str, Any]) -> None:
    """Write ``metrics.json``; see docs/training.md for its keys."""
    write_bytes(folder / METRICS, json_bytes({"format": FORMAT, **facts}, indent=1))


def read_metrics(folder: Path) -> dict[str, Any]:
    """What ``metrics.json`` of a run folder says.

    Raises:
        MissingInputError: the run is unfinished, or the folder is none.
        FileFormatError: not such a file.
    """
    facts = read_json(folder / METRICS)
    if not isinstance(facts, dict) or not set(facts) >= _NEEDED or int(facts.get("format", 0)) > FORMAT:
        raise FileFormatError(f"{folder / METRICS}: not the metrics of a training run of this CoMix; train that run again")
    return facts


def write_state(folder: Path, fingerprint: str, state: str) -> None:
    """Mark a run folder ``running`` or ``done``, so that the same command finds it again."""
    write_bytes(folder / STATE, json_bytes({"fingerprint": fingerprint, "state": state}))


def runs_of(root: Path, fingerprint: str, state: str) -> list[Path]:
    """Run folders with these settings and pages in this state, newest first.

    Args:
        root: ``workspace/runs/train``.
    """
    found = []
    for file in [*root.glob(f"*/{STATE}"), *root.glob(f"*/*/{STATE}")]:
        try:
            marks = read_json(file)
        except ComixError:
            continue
        if marks.get("fingerprint") == fingerprint and marks.get("state") == state:
            found.append((file.stat().st_mtime, file.parent))
    return [folder for _, folder in sorted(found, reverse=True)]


def runs_of_model(root: Path, model_hash: str) -> list[Path]:
    """Run folders below ``runs/train`` that keep the weights with this hash, by name."""
    found = []
    for file in sorted([*root.glob(f"*/{METRICS}"), *root.glob(f"*/*/{METRICS}")]):
        try:
            facts = read_metrics(file.parent)
        except ComixError:
            continue
        if facts.get("model_hash") == model_hash and (file.parent / WEIGHTS).is_file():
            found.append(file.parent)
    return found


@dataclass(frozen=True, slots=True)
class FoundRuns:
    """Runs of some folders: those with metrics, and a line for each whose metrics cannot be read."""

    runs: list[tuple[Path, dict[str, Any]]]
    broken: list[str]


def finished_runs(folders: Sequence[Path]) -> FoundRuns:
    """Run folders below the given ones that have metrics, by name; a sweep's folder stands for its jobs."""
    found: dict[Path, dict[str, Any]] = {}
    broken: list[str] = []
    for folder in folders:
        for file in sorted([*folder.glob(METRICS), *folder.glob(f"*/{METRICS}")]):
            try:
                found[file.parent] = read_metrics(file.parent)
            except ComixError as error:
                broken.append(f"Left out: {error}")
    return FoundRuns(list(found.items()), broken)
