"""Compare training runs: the document's table (Variant, Final Loss, MPM, POP, RPP) with validation figures and chance.

Writes ``compare.md`` and ``compare.csv`` beside the runs, and ``models/compare.json`` for the report.

Examples:
  comix compare
  comix compare runs=workspace/runs/train/2026-11-22_20-15-35
  comix compare runs=a/runs/train/*,b/runs/train/* format=latex
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comix.apps.common import say, workspace_of
from comix.core.files import json_bytes, write_bytes

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Print and write the table; 0."""
    from comix.train.compare import find_runs, moved_on, notes_of, rendered, table_of

    workspace = workspace_of(cfg)
    found = find_runs(cfg.runs, workspace.root)
    rows, notes = table_of(found.runs), [*notes_of(found), *moved_on(found.runs, workspace.root / "models")]
    as_json = json_bytes({"rows": rows, "notes": notes}, indent=1)
    folder = Path(cfg.output) if cfg.output else _beside([one for one, _ in found.runs])
    write_bytes(folder / "compare.md", rendered(rows, notes, "markdown").encode())
    write_bytes(folder / "compare.csv", rendered(rows, notes, "csv").encode())
    write_bytes(workspace.root / "models" / "compare.json", as_json)
    say((as_json.decode() if cfg.format == "json" else rendered(rows, notes, cfg.format)).rstrip("\n"))
    if cfg.format == "table":
        say(f"\nwritten: {folder / 'compare.md'}, compare.csv")
    return 0


def _beside(folders: list[Path]) -> Path:
    """The folder that holds all runs; a single run's own."""
    parents = {folder.parent for folder in folders}
    if len(folders) == 1:
        return folders[0]
    return parents.pop() if len(parents) == 1 else min(parents)
