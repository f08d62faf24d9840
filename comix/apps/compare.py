"""Compare training runs: the document's table (Variant, Final Loss, MPM, POP, RPP) with validation figures and chance.

Runs that differ in their seed only become one row, mean ± standard deviation. Writes ``compare.md``, ``compare.csv`` (every
run) and ``compare_mean.csv`` beside the runs, and ``models/compare.json`` for the report. With ``readers=`` it
compares readers of the same pages instead: what they read, where they agree, what they cost, how long they take, what failed.

Examples:
  comix compare
  comix compare runs=workspace/runs/train/2026-11-22_20-15-35
  comix compare runs=a/runs/train/*,b/runs/train/* format=latex
  comix compare readers=ocr,gemma3-4b-page workspace=my_comics
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from comix.apps.common import say, workspace_of
from comix.core.errors import UsageError
from comix.core.files import json_bytes, write_bytes
from comix.core.workspace import Workspace
from comix.schema.base import listed

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Print and write the table; 0."""
    workspace = workspace_of(cfg)
    if cfg.readers:
        return _readers(cfg, workspace)
    from comix.train.compare import averaged, find_runs, moved_on, notes_of, rendered, table_of

    found = find_runs(cfg.runs, workspace.root)
    rows, notes = table_of(found.runs), [*notes_of(found), *moved_on(found.runs, workspace.root / "models")]
    means = averaged(rows)
    as_json = json_bytes({"rows": rows, "means": means, "notes": notes}, indent=1)
    folder = Path(cfg.output) if cfg.output else _beside([one for one, _ in found.runs])
    write_bytes(folder / "compare.md", rendered(means, notes, "markdown").encode())
    write_bytes(folder / "compare.csv", rendered(rows, notes, "csv").encode())
    write_bytes(folder / "compare_mean.csv", rendered(means, notes, "csv").encode())
    write_bytes(workspace.root / "models" / "compare.json", as_json)
    shown = rows if cfg.format == "csv" else means
    say((as_json.decode() if cfg.format == "json" else rendered(shown, notes, cfg.format)).rstrip("\n"))
    if cfg.format == "table":
        say(f"\nwritten: {folder / 'compare.md'}, compare.csv (every run), compare_mean.csv")
    return 0


def _readers(cfg: DictConfig, workspace: Workspace) -> int:
    """The tables of readers; 0."""
    from comix.bench.figures import as_table
    from comix.bench.readers import AGREEMENT, READERS, compare_readers

    if cfg.runs or cfg.format not in ("table", "markdown", "json"):
        raise UsageError("readers= goes with format=table, markdown or json, and not with runs=")
    names = listed(cfg.readers)
    found = compare_readers(workspace, names)
    rows, agreements = [asdict(row) for row in found.readers], [asdict(row) for row in found.agreements]
    as_json = json_bytes({"readers": rows, "agreement": agreements, "notes": found.notes}, indent=1)
    folder = Path(cfg.output) if cfg.output else workspace.root / "analysis"
    write_bytes(folder / "compare_readers.json", as_json)
    if cfg.format == "json":
        say(as_json.decode().rstrip("\n"))
        return 0
    markdown = cfg.format == "markdown"
    for table in (
        as_table(found.readers, READERS, markdown),
        "",
        as_table(found.agreements, AGREEMENT, markdown),
        *found.notes,
    ):
        say(table)
    if not markdown:
        say(f"\nwritten: {folder / 'compare_readers.json'}")
    return 0


def _beside(folders: list[Path]) -> Path:
    """The folder that holds all runs; a single run's own."""
    parents = {folder.parent for folder in folders}
    if len(folders) == 1:
        return folders[0]
    return parents.pop() if len(parents) == 1 else min(parents)
