"""What each stage has done in a workspace, in counts that add up.

Examples:
  comix status
  comix status workspace=my_comics
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from comix.apps.common import say, workspace_argument
from comix.core.errors import MissingInputError
from comix.core.overview import stage_counts, waiting_shards
from comix.core.workspace import Workspace
from comix.io.tables import read_pages

if TYPE_CHECKING:
    from omegaconf import DictConfig


def existing_workspace(cfg: DictConfig) -> Workspace:
    """The workspace, which must be there already.

    Raises:
        MissingInputError: no such folder, or one without journals.
    """
    workspace = Workspace(Path(cfg.workspace))
    if not (workspace.root / "journal").is_dir():
        what = "holds no work of CoMix" if workspace.root.is_dir() else "no such folder"
        raise MissingInputError(f"workspace={workspace.root}: {what}; first run: comix pipeline library=FOLDER workspace=DIR")
    return workspace


def main(cfg: DictConfig) -> int:
    """Print the table; 0."""
    workspace = existing_workspace(cfg)
    show_counts(workspace)
    if workspace.report.is_file():
        say(f"Report: {workspace.report.resolve().as_uri()}")
    say(f"What failed and why: comix failures {workspace_argument(workspace)}")
    return 0


def show_counts(workspace: Workspace) -> None:
    """Print one line per stage whose counts add up."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("stage", "of", "inputs", "done", "failed", "skipped", "to do"):
        table.add_column(name, justify="left" if name in ("stage", "of") else "right")
    pages = read_pages(workspace.pages_table) if workspace.pages_table.is_file() else []
    for one in stage_counts(workspace, {page.page_id for page in pages}):
        label = f"{one.unit} ({one.variant})" if one.variant else one.unit
        numbers = [str(number) for number in (one.inputs, one.done, one.failed, one.skipped, one.to_do)]
        table.add_row(one.stage, Text(label), *numbers, style="yellow" if one.failed else None)
    Console().print(table)
    for stage, parts in waiting_shards(workspace).items():
        say(f"{stage}: shards {', '.join(parts)} are not put together yet; when all are through: comix {stage}, without shard=")
