"""Panel boxes for every page, as one COCO file, with drawn pages to look at.

Writes ``detections/<detector>/predictions.json`` (pages without panels are in it too). Finished pages are left alone;
a changed setting or image is worked on again.

Examples:
  comix detect
  comix detect save_vis=50 workers=4
  comix detect detector=ensemble
  comix detect detector=faster_rcnn detector.weights=theirs.pth detector.sha256=...
  comix detect detector=replay detector.path=my_boxes.json
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from comix.apps.common import finish, plain, run_options, workspace_of
from comix.build import instantiate
from comix.detect.replay import ReplayDetector
from comix.detect.stage import PageDetector, run_detect
from comix.io.tables import read_pages

if TYPE_CHECKING:
    from omegaconf import DictConfig


def build_worker(detector: dict[str, Any], conf_threshold: float) -> PageDetector:
    """The worker, made inside each worker process."""
    return PageDetector(instantiate(detector), conf_threshold)


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    workspace = workspace_of(cfg)
    settings = plain(cfg.detector)
    detector = instantiate(settings)
    build = partial(build_worker, settings, cfg.conf_threshold)
    fingerprint = {"detector": settings, "conf_threshold": cfg.conf_threshold}
    summary = run_detect(workspace, build, detector, fingerprint, cfg.save_vis, run_options(cfg))
    if isinstance(detector, ReplayDetector):
        unknown = sorted(detector.page_ids() - {page.page_id for page in read_pages(workspace.pages_table)})
        if unknown:
            summary.notes.append(f"{len(unknown)} images of the replayed file match no page, first: {unknown[0]!r}")
    return finish(summary, workspace)
