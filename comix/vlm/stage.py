"""The `analyze` stage: pages and their panels in, one analysis JSON per page out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from comix.core.files import digest
from comix.core.geometry import Box
from comix.core.page import PageRecord
from comix.core.shard import stage_journal
from comix.core.task import Item, Outcome, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.io.analysis import Analysis, analysis_path, write_analysis
from comix.io.coco import PageDetections, read_predictions, require_order
from comix.io.images import read_bgr
from comix.io.tables import count_pages, iter_pages
from comix.vlm.base import Reader


@dataclass(frozen=True, slots=True)
class ReadJob:
    """One page: its image, its panels in reading order, and where the analysis goes."""

    page: PageRecord
    image: Path
    panels: tuple[Box, ...]
    target: Path


@dataclass(frozen=True, slots=True)
class PageReader:
    """Runs a reader on page images; the worker of this stage."""

    reader: Reader

    def __call__(self, job: ReadJob) -> Outcome:
        """Read one page and write its analysis."""
        analysis = self.reader.read(read_bgr(job.image), job.panels, job.page)
        write_analysis(job.target, analysis)
        return Outcome(result=_facts(analysis))


def _facts(analysis: Analysis) -> dict[str, Any]:
    n_texts = sum(len(panel.dialogue) + len(panel.thought) + len(panel.narration) + len(panel.sfx) for panel in analysis.panels)
    return {"n_panels": len(analysis.panels), "n_texts": n_texts, "n_unassigned": len(analysis.unassigned)}


def run_analyze(
    workspace: Workspace,
    build_worker: Callable[[], PageReader],
    reader: Reader,
    settings: dict[str, Any],
    detector: str,
    options: RunOptions,
) -> Summary:
    """Read every page of the workspace.

    Args:
        workspace: holds the pages; gets ``analysis/<reader>/<page_id>.json``.
        build_worker: makes the worker inside each worker process.
        reader: for its name and version.
        settings: everything that shapes the result, for the fingerprint.
        detector: whose panels the text is attached to; not asked for when the reader needs none.
        options: see `RunOptions`; ``limit`` counts pages.

    Returns:
        Counts over pages.

    Raises:
        MissingInputError: no pages, no detections, or panels that were never ordered; names the command.
    """
    n_pages = count_pages(workspace.require_pages())
    found: Mapping[str, PageDetections] = {}
    if reader.needs_panels:
        found = read_predictions(workspace.require_predictions(detector))
        command = f"comix order detections={detector} workspace={workspace.root}"
        require_order(workspace.predictions(detector), found.values(), command)
    items = _items(workspace, reader, settings, found)
    with stage_journal(workspace.journal("analyze"), reader.name, options.shard) as journal:
        summary = run_stage("analyze", "pages", items, build_worker, journal, options, n_pages)
        if not options.shard.is_all:
            return summary
        pages = journal.along(iter_pages(workspace.pages_table), attrgetter("page_id"))
        n_texts = sum(result["n_texts"] + result["n_unassigned"] for _, status, result in pages if status == "done")
    summary.notes.append(f"{n_texts} texts; {workspace.analysis_dir(reader.name)}")
    return summary


def _items(
    workspace: Workspace, reader: Reader, settings: dict[str, Any], found: Mapping[str, PageDetections]
) -> Iterator[Item]:
    folder = workspace.analysis_dir(reader.name)
    input_digest = getattr(reader, "input_digest", lambda page: "")
    for page in iter_pages(workspace.pages_table):
        panels = tuple(one.box for one in found[page.page_id].panels()) if page.page_id in found else ()
        target = analysis_path(folder, page.page_id)
        boxes = [box.xywh for box in panels]
        fingerprint = digest(reader.version, settings, page.sha256, boxes, page.reading_direction, input_digest(page))
        job = ReadJob(page, workspace.root / page.image_path, panels, target)
        yield Item(page.page_id, job, fingerprint, (target,), page.book_id)
