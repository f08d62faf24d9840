"""One HTML page that shows the workspace: pages with panels, order and text, quality, books, failures.

The file is complete in itself: no network, no other file. Counts come from the journals and add up; the same workspace
gives the same bytes. What has not run yet is named with the command that runs it.

Examples:
  comix report
  comix report max_pages=200 title="My comics"
  comix report reader=replay
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from comix.apps.common import detections_of, say, workspace_of
from comix.report.stage import run_report

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    from comix.bundled import credits

    makers = credits() if cfg.credits else []
    workspace = workspace_of(cfg)
    path = run_report(workspace, detections_of(cfg, workspace), cfg.reader, cfg.max_pages, cfg.title, makers)
    say(f"report: {path}")
    return 0
