"""Exact duplicates and a first page type for every page; the training list follows them.

Page types come from ComicInfo where it has them, else from the page's place in the book, its panels and its words.
Training takes interior and splash pages, one per duplicate group; search and embeddings keep all.

Examples:
  comix curate
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from comix.apps.common import finish, run_options, workspace_of
from comix.curate.stage import run_curate
from comix.curate.training import derive_training

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    workspace = workspace_of(cfg)
    summary = run_curate(workspace, cfg.detections, run_options(cfg))
    if (workspace.alignment_dir / "alignment.parquet").is_file():
        summary.notes.append(f"{derive_training(workspace)} pages in {workspace.lists_dir / 'training.txt'}")
    return finish(summary, workspace)
