"""Reading order of the panels, written into the COCO file; or of any tool's boxes.

``method=auto`` tells double pages, four-panel strips, insets and webtoons, cuts the page recursively, and decides pair by pair
where no cut runs; the other methods are for comparison. Each page keeps how sure its order is (``order_margin``,
``order_notes``) and where its direction comes from: given by you, the book's metadata, its language, the shapes of texts
found on the page, or the default, from the left.

Examples:
  comix order
  comix order direction=rtl
  comix order look=3
  comix order boxes=their_boxes.json output=ordered.json direction=ltr
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comix.apps.common import detections_of, finish, run_options, say, workspace_of
from comix.core.errors import UsageError
from comix.detect.orderfile import order_file
from comix.detect.ordering import OrderRule, run_order

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    if bool(cfg.boxes) != bool(cfg.output):
        raise UsageError("boxes= and output= go together: comix order boxes=IN.json output=OUT.json")
    rule = OrderRule(cfg.method, cfg.direction, {"single": False, "double": True}.get(cfg.pages), cfg.look)
    if cfg.boxes:
        target = Path(cfg.output)
        n_pages, n_panels = order_file(Path(cfg.boxes), target, rule)
        say(f"order: {n_panels} panels on {n_pages} pages ordered; {target}")
        return 0
    workspace = workspace_of(cfg)
    return finish(run_order(workspace, detections_of(cfg, workspace), rule, run_options(cfg)), workspace)
