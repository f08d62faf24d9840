"""Reading order of the panels, written into the COCO file; or of any tool's boxes.

The reading direction comes from each book's metadata (ComicInfo ``Manga``, EPUB page progression), then its language,
unless you give one. ``method=cut`` splits the page recursively, ``method=rows`` sorts tier by tier.

Examples:
  comix order
  comix order detections=gutter direction=rtl
  comix order boxes=their_boxes.json output=ordered.json direction=ltr
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comix.apps.common import finish, run_options, say, workspace_of
from comix.core.errors import UsageError
from comix.detect.ordering import order_file, run_order

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    if bool(cfg.boxes) != bool(cfg.output):
        raise UsageError("boxes= and output= go together: comix order boxes=IN.json output=OUT.json")
    if cfg.boxes:
        target = Path(cfg.output)
        n_pages, n_panels = order_file(Path(cfg.boxes), target, cfg.direction, cfg.method)
        say(f"order: {n_panels} panels on {n_pages} pages ordered; {target}")
        return 0
    workspace = workspace_of(cfg)
    return finish(run_order(workspace, cfg.detections, cfg.method, cfg.direction, run_options(cfg)), workspace)
