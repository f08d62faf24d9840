"""Detections and text joined per page, scored, and written as DataSpecs and lists.

Joins by page id only. Writes ``alignment/`` (table, CSV, subset lists, manifests), ``dataspec/`` (one DataSpec v0.3 per
page) and ``lists/``. A page that lacks detections or text stays in the table with score 0 and is counted as skipped.

Examples:
  comix align
  comix align reader=replay min_text_coverage=0.5
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from comix.align.stage import run_align
from comix.apps.common import finish, run_options, workspace_of
from comix.curate.training import derive_training

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    workspace = workspace_of(cfg)
    names = ("reader", "min_det_score", "min_text_coverage", "require_image_exists")
    settings = {"detector": cfg.detections, **{name: cfg[name] for name in names}}
    options = run_options(cfg)
    summary = run_align(workspace, settings, cfg.min_score, options)
    if not options.shard.is_all:
        return finish(summary, workspace)
    n_training = derive_training(workspace)
    summary.notes.append(f"{n_training} pages in {workspace.lists_dir / 'training.txt'}")
    return finish(summary, workspace)
