"""The `detect` stage: pages in, scored boxes out, and the COCO file derived from the journals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comix.core.files import digest, write_bytes
from comix.core.geometry import Box
from comix.core.ids import escape
from comix.core.journal import Journal
from comix.core.page import Detection, PageRecord
from comix.core.shard import stage_journal
from comix.core.task import Item, Outcome, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.detect.base import Detector, ReducedDetector
from comix.io.coco import PageDetections, write_predictions
from comix.io.draw import draw_boxes
from comix.io.images import decode_reduced, read_bgr, read_image_bytes
from comix.io.tables import count_pages, iter_pages


@dataclass(frozen=True, slots=True)
class DetectJob:
    """One page; ``vis`` is where its drawn copy goes, or None."""

    page_id: str
    image: Path
    vis: Path | None


_SPARE = 1.25
"""Pages are decoded this much larger than a detector looks at them, so that its own reduction still smooths them."""


class PageDetector:
    """Runs a detector on page images; the worker of this stage.

    Args:
        detector: see `Detector`.
        conf_threshold: boxes below this score are dropped.
    """

    def __init__(self, detector: Detector, conf_threshold: float) -> None:
        self.detector, self.conf_threshold = detector, conf_threshold

    def __call__(self, job: DetectJob) -> Outcome:
        """Boxes of one page, clipped to it, as a journal result."""
        image, (width, height) = self._image(job)
        scales = (width / image.shape[1], height / image.shape[0])
        found = []
        for one in (_scaled(one, scales) for one in self.detector.detect(image, job.page_id)):
            box = one.box.clipped(width, height)
            if one.score >= self.conf_threshold and box.area > 0:
                found.append(one._replace(box=box))
        if job.vis is not None:
            write_bytes(job.vis, draw_boxes(image, [one.box for one in found], [f"{one.score:.2f}" for one in found]))
        return Outcome(result={"size": [width, height], "detections": [_as_json(one) for one in found]})

    def _image(self, job: DetectJob) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        """The page's pixels, as many as needed, and its full width and height."""
        if isinstance(self.detector, ReducedDetector) and job.vis is None:
            return decode_reduced(read_image_bytes(job.image), round(_SPARE * self.detector.working_side))
        image = read_bgr(job.image)
        return image, (image.shape[1], image.shape[0])


def _scaled(one: Detection, scales: tuple[float, float]) -> Detection:
    if scales == (1.0, 1.0):
        return one
    across, down = scales
    box = Box(one.box.x * across, one.box.y * down, one.box.w * across, one.box.h * down)
    return one._replace(box=box, polygon=tuple((x * across, y * down) for x, y in one.polygon))


def _as_json(one: Detection) -> dict[str, Any]:
    return {
        "bbox": [round(value, 2) for value in one.box.xywh],
        "score": round(float(one.score), 4),
        "category": one.category,
        "polygon": [[round(x, 2), round(y, 2)] for x, y in one.polygon],
    }


def _from_json(one: dict[str, Any]) -> Detection:
    polygon = tuple((x, y) for x, y in one["polygon"])
    return Detection(Box.from_xywh(one["bbox"]), one["score"], one["category"], polygon)


def run_detect(
    workspace: Workspace,
    build_worker: Callable[[], PageDetector],
    detector: Detector,
    settings: dict[str, Any],
    save_vis: int,
    options: RunOptions,
) -> Summary:
    """Detect panels on every page of the workspace.

    Args:
        workspace: holds the pages; gets ``detections/<detector>/predictions.json``.
        build_worker: makes the worker inside each worker process.
        detector: for its name and version.
        settings: everything that shapes the result, for the fingerprint.
        save_vis: pages of which a drawn copy is kept, the first of the table.
        options: see `RunOptions`; ``limit`` counts pages.

    Returns:
        Counts over pages.
    """
    table = workspace.require_pages()
    items = _items(workspace, detector, settings, save_vis)
    with stage_journal(workspace.journal("detect"), detector.name, options.shard) as journal:
        summary = run_stage("detect", "pages", items, build_worker, journal, options, count_pages(table))
    if not options.shard.is_all:
        return summary
    n_panels, n_empty = derive_predictions(workspace, detector.name)
    summary.notes.append(f"{n_panels} panels, {n_empty} pages without any; {workspace.predictions(detector.name)}")
    return summary


def _items(workspace: Workspace, detector: Detector, settings: dict[str, Any], save_vis: int) -> Iterator[Item]:
    vis_dir = workspace.detections_dir(detector.name) / "vis"
    for position, page in enumerate(iter_pages(workspace.pages_table)):
        vis = vis_dir / f"{escape(page.page_id)}.jpg" if position < save_vis else None
        yield Item(
            key=page.page_id,
            payload=DetectJob(page.page_id, workspace.root / page.image_path, vis),
            fingerprint=digest(detector.version, settings, page.sha256),
            outputs=() if vis is None else (vis,),
            group=page.book_id,
        )


def derive_predictions(workspace: Workspace, detector: str) -> tuple[int, int]:
    """Write ``predictions.json`` from the journals of `detect` and `order`; panels in it, and pages without any.

    An order that was made for other boxes than today's is left out.
    """
    counts = [0, 0]

    def counted() -> Iterator[tuple[PageRecord, PageDetections]]:
        for page, found in _ordered_pages(workspace, detector):
            n_panels = sum(one.category == "panel" for one in found.detections)
            counts[0], counts[1] = counts[0] + n_panels, counts[1] + (n_panels == 0)
            yield page, found

    write_predictions(workspace.predictions(detector), counted(), {"detector": detector, "created_by": "comix detect"})
    return counts[0], counts[1]


def detected_pages(workspace: Workspace, detector: str) -> Iterator[tuple[PageRecord, PageDetections | None]]:
    """Every page with what `detect` found, straight from its journal, not ordered yet; None where it found no answer."""
    with Journal(workspace.journal("detect"), detector) as journal:
        for page, status, result in journal.along(iter_pages(workspace.pages_table), attrgetter("page_id")):
            yield page, _found(page.page_id, result) if status == "done" else None


def _ordered_pages(workspace: Workspace, detector: str) -> Iterator[tuple[PageRecord, PageDetections]]:
    """Pages that have detections, with the order that was made for just these."""
    path = workspace.journal("order")
    detected = ((page, found) for page, found in detected_pages(workspace, detector) if found is not None)
    if not path.is_file():
        yield from detected
        return
    with Journal(path, detector) as journal:
        for (page, found), status, result in journal.along(detected, lambda pair: pair[0].page_id):
            is_current = status == "done" and result.get("boxes") == boxes_digest(found.detections)
            yield page, _with_order(found, result) if is_current else found


def _found(page_id: str, result: dict[str, Any]) -> PageDetections:
    width, height = result["size"]
    return PageDetections(page_id, width, height, tuple(_from_json(one) for one in result["detections"]))


def boxes_digest(detections: tuple[Detection, ...]) -> str:
    """Changes whenever a page's boxes do."""
    return digest([_as_json(one) for one in detections])


def _with_order(page: PageDetections, result: dict[str, Any]) -> PageDetections:
    return replace(
        page,
        order=tuple(result["order"]),
        is_ordered=True,
        reading_direction=result["reading_direction"],
        margin=result["margin"],
        order_notes=tuple(result.get("notes", ())),
        direction_from=result.get("direction_from", ""),
        direction_confidence=result.get("direction_confidence", 0.0),
    )
