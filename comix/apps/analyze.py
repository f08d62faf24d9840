"""Text of every page: literal words per panel, as one analysis JSON per page.

``vlm=ocr`` (the offline default) reads the page with an OCR engine whose models come inside a Python package, joins lines
into balloons and attaches them to the panels. Finished pages are left alone.

Examples:
  comix analyze
  comix analyze limit=20 workers=4
  comix analyze vlm=replay vlm.path=analyses_made_elsewhere
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from comix.apps.common import finish, plain, run_options, workspace_of
from comix.build import instantiate
from comix.vlm.stage import PageReader, run_analyze

if TYPE_CHECKING:
    from omegaconf import DictConfig


def build_worker(reader: dict[str, Any]) -> PageReader:
    """The worker, made inside each worker process."""
    return PageReader(instantiate(reader))


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    workspace = workspace_of(cfg)
    settings = plain(cfg.vlm)
    reader = instantiate(settings)
    summary = run_analyze(workspace, partial(build_worker, settings), reader, settings, cfg.detections, run_options(cfg))
    return finish(summary, workspace)
