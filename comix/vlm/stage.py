"""The `analyze` stage: pages and their panels in, one analysis JSON per page out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from comix.core.files import digest
from comix.core.journal import Journal
from comix.core.shard import stage_journal
from comix.core.task import Item, Outcome, RunOptions
from comix.core.work import MENDED_ELSEWHERE, Summary, run_stage
from comix.core.workspace import Workspace
from comix.io.analysis import Analysis, analysis_path, write_analysis
from comix.io.coco import PageDetections, read_predictions, require_order
from comix.io.images import read_bgr
from comix.io.tables import count_pages, iter_pages
from comix.vlm.base import Reader, ReadJob, SelfRunning


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
    reader: Reader | SelfRunning,
    settings: Mapping[str, Any],
    detector: str,
    options: RunOptions,
    output: Path | None = None,
) -> Summary:
    """Read every page of the workspace.

    Args:
        workspace: holds the pages; gets ``analysis/<reader>/<page_id>.json``.
        build_worker: makes the worker inside each worker process.
        reader: for its name and version; one that runs itself is asked directly, without worker processes.
        settings: everything that shapes the result, for the fingerprint.
        detector: whose panels the text is attached to; not asked for when the reader needs none.
        options: see `RunOptions`; ``limit`` counts pages.
        output: folder for the analyses instead of ``analysis/<reader>/``.

    Returns:
        Counts over pages.

    Raises:
        MissingInputError: no pages, no detections, or panels that were never ordered; names the command.
    """
    n_pages = count_pages(workspace.require_pages())
    folder = output or workspace.analysis_dir(reader.name)
    items = _items(workspace, reader, settings, panels_of(workspace, reader, detector), folder)
    own_way = reader.run if isinstance(reader, SelfRunning) else None
    with stage_journal(workspace.journal("analyze"), reader.name, options.shard) as journal:
        summary = run_stage("analyze", "pages", items, build_worker, journal, options, n_pages, own_way)
        if isinstance(reader, SelfRunning):
            summary.notes += reader.notes()
        if not options.shard.is_all:
            return summary
        pages = journal.along(iter_pages(workspace.pages_table), attrgetter("page_id"))
        n_texts = sum(result["n_texts"] + result["n_unassigned"] for _, status, result in pages if status == "done")
    summary.notes.append(f"{n_texts} texts; {folder}")
    return summary


def panels_of(workspace: Workspace, reader: Reader | SelfRunning, detector: str) -> Mapping[str, PageDetections]:
    """``page id -> detections`` where the reader needs panels, or can use them and there are any in order.

    Raises:
        MissingInputError: it needs them and there are none, or they were never ordered; names the command.
    """
    command = f"comix order detections={detector} workspace={workspace.root}"
    if reader.needs_panels:
        found = read_predictions(workspace.require_predictions(detector))
        require_order(workspace.predictions(detector), found.values(), command)
        return found
    if getattr(reader, "uses_panels", False) and workspace.predictions(detector).is_file():
        found = read_predictions(workspace.predictions(detector))
        if all(page.is_ordered or not page.detections for page in found.values()):
            return found
    return {}


def jobs_to_do(
    workspace: Workspace, reader: Reader | SelfRunning, settings: Mapping[str, Any], detector: str, limit: int | None
) -> Iterator[ReadJob]:
    """The pages that a run would work on now, without changing anything; for forecasts."""
    workspace.require_pages()
    folder = workspace.analysis_dir(reader.name)
    items = _items(workspace, reader, settings, panels_of(workspace, reader, detector), folder)
    path = workspace.journal("analyze")
    known: Mapping[str, tuple[str, str, str]] = {}
    if path.is_file():
        with Journal(path, reader.name, read_only=True) as journal:
            known = journal.state()
    for number, item in enumerate(items):
        if limit is not None and number >= limit:
            return
        status, fingerprint, reason = known.get(item.key, ("", "", ""))
        if (
            fingerprint != item.fingerprint
            or reason in MENDED_ELSEWHERE
            or (status == "done" and not Path(item.outputs[0]).exists())
        ):
            yield item.payload


def _items(
    workspace: Workspace,
    reader: Reader | SelfRunning,
    settings: Mapping[str, Any],
    found: Mapping[str, PageDetections],
    folder: Path,
) -> Iterator[Item]:
    input_digest = getattr(reader, "input_digest", lambda page: "")
    for page in iter_pages(workspace.pages_table):
        panels = tuple(one.box for one in found[page.page_id].panels()) if page.page_id in found else ()
        target = analysis_path(folder, page.page_id)
        boxes = [box.xywh for box in panels] if reader.needs_panels else []
        fingerprint = digest(reader.version, settings, page.sha256, boxes, page.reading_direction, input_digest(page))
        job = ReadJob(page, workspace.root / page.image_path, panels, target)
        yield Item(page.page_id, job, fingerprint, (target,), page.book_id)
