"""The `export` stage: pages, panels in order, words and facts of a workspace in a format of others."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path

from comix.core.errors import UsageError
from comix.core.files import atomic_writer, digest, json_bytes, write_if_changed
from comix.core.page import PageRecord
from comix.core.shard import stage_journal
from comix.core.task import Item, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.interop.source import BookJob, PageJob, book_name, by_book, kept_path, page_jobs, read_marker, stamp
from comix.interop.writers import BOOK_SUFFIX, NEEDS_ORDER, SHARD_NAME, WHOLE_NAME, Exporter, ExportSettings, build_exporter
from comix.io.coco import PageDetections, read_predictions, require_order
from comix.io.formats.cocoexchange import write_coco
from comix.io.formats.huggingface import write_metadata
from comix.io.tables import read_pages

EXPORT_VERSION = "1"
"""Part of every fingerprint."""
MARKER = ".comix-export.json"
"""Says that a folder was made by an export, and which files are its own."""


def run_export(workspace: Workspace, settings: ExportSettings, pages_per_shard: int, options: RunOptions) -> Summary:
    """Write a workspace's pages in a foreign format.

    Args:
        workspace: holds pages and ``detections/<detector>/predictions.json``; DataSpecs where words shall go along.
        settings: see `ExportSettings`.
        pages_per_shard: of Parquet and WebDataset.
        options: see `RunOptions`; ``limit`` counts books (or shards).

    Returns:
        Counts over books, or over shards for the formats that have them.

    Raises:
        MissingInputError: no pages, no detections, or none in order where the format is about order.
        UsageError: the output folder holds other things.
    """
    pages = read_pages(workspace.require_pages())
    path = workspace.require_predictions(settings.detector)
    found = read_predictions(path)
    if settings.format in NEEDS_ORDER:
        require_order(path, found.values(), f"comix order detections={settings.detector} workspace={workspace.root}")
    marker = _claim(workspace, settings)
    n_jobs = -(-len(pages) // pages_per_shard) if settings.format in SHARD_NAME else len({page.book_id for page in pages})
    unit = "shards" if settings.format in SHARD_NAME else "books"
    fingerprints: list[str] = []
    items = _items(workspace, settings, pages, found, pages_per_shard, fingerprints)
    build: Callable[[], Exporter] = partial(build_exporter, settings)
    variant = f"{settings.format}-{digest(str(settings.output.resolve()))[:8]}"
    with stage_journal(workspace.journal("export"), variant, options.shard) as journal:
        summary = run_stage("export", unit, items, build, journal, options, n_jobs)
        if not options.shard.is_all:
            return summary
        done = {row.key: row.result for row in journal.rows("done", parents_only=True)}
    if settings.format in WHOLE_NAME and not summary.interrupted:
        jobs = page_jobs(workspace, pages, found)
        chosen = _chosen(jobs, set(done), options.limit)
        _put_together(settings, chosen, marker, digest(fingerprints, sorted(done), options.limit))
    if options.limit is None and not summary.interrupted:
        _tidy(settings, marker, [job.target for job in _jobs(workspace, settings, pages, {}, pages_per_shard)])
    _note(summary, done, settings)
    return summary


def _claim(workspace: Workspace, settings: ExportSettings) -> Path:
    """Make the output folder ours, or refuse it.

    Raises:
        UsageError: it holds things that no export wrote, or an export of another format, or is the workspace itself.
    """
    output, marker = settings.output, settings.output / MARKER
    if output.resolve() == workspace.root.resolve() or workspace.root.resolve().is_relative_to(output.resolve()):
        raise UsageError(f"output={output}: is the workspace or holds it; name a folder of its own")
    if output.is_file():
        raise UsageError(f"output={output}: is a file; wanted a folder")
    said = read_marker(marker)
    if said and said.get("format") != settings.format:
        raise UsageError(f"output={output}: holds an export in format={said.get('format')}; name another folder")
    if not said and output.is_dir() and any(output.iterdir()):
        raise UsageError(f"output={output}: is not empty and no export wrote it; name a new folder")
    if not said:
        write_if_changed(marker, json_bytes({"created_by": "comix export", "format": settings.format, "files": []}))
    return marker


def _jobs(
    workspace: Workspace, settings: ExportSettings, pages: list[PageRecord], found: Mapping[str, PageDetections],
    pages_per_shard: int,
) -> Iterator[BookJob]:  # fmt: skip
    numbers = {book_id: number for number, book_id in enumerate(dict.fromkeys(page.book_id for page in pages))}
    jobs = page_jobs(workspace, pages, found)
    if settings.format in SHARD_NAME:
        total = -(-len(pages) // pages_per_shard)
        for number in range(total):
            part = tuple(islice(jobs, pages_per_shard))
            name = SHARD_NAME[settings.format].format(number=number, total=total)
            places = tuple(numbers[job.page.book_id] for job in part)
            yield BookJob(name, part, settings.output / name, Path(), places)
        return
    suffix = BOOK_SUFFIX.get(settings.format, "")
    for book_id, part in by_book(jobs):
        target = settings.output / (WHOLE_NAME.get(settings.format) or book_name(part[0].page) + suffix)
        places = (numbers[book_id],) * len(part)
        yield BookJob(book_id, part, target, kept_path(workspace, settings.detector, book_id), places)


def _items(
    workspace: Workspace, settings: ExportSettings, pages: list[PageRecord], found: Mapping[str, PageDetections],
    pages_per_shard: int, fingerprints: list[str],
) -> Iterator[Item]:  # fmt: skip
    """Books or shards one after another; what each depends on is noted in ``fingerprints``."""
    said = (EXPORT_VERSION, settings.format, settings.detector, settings.include_images, settings.id_map)
    for job in _jobs(workspace, settings, pages, found, pages_per_shard):
        facts = [(repr(one.page), repr(one.found), stamp(one.spec)) for one in job.pages]
        place = job.pages[0].position if settings.format == "manga109" else job.numbers
        fingerprint = digest(said, facts, stamp(job.kept), place)
        fingerprints.append(fingerprint)
        outputs = [job.target] if settings.format not in WHOLE_NAME else []
        if settings.include_images and settings.format not in SHARD_NAME:
            outputs += [settings.output / settings.file_name(one.page) for one in job.pages]
        yield Item(job.name, job, fingerprint, tuple(outputs), job.pages[0].page.book_id)


def _chosen(jobs: Iterator[PageJob], done: set[str], limit: int | None) -> Iterator[PageJob]:
    """Pages of the books that are done, of the first ``limit`` books."""
    for book_id, part in islice(by_book(jobs), limit):
        if book_id in done:
            yield from part


def _put_together(settings: ExportSettings, jobs: Iterator[PageJob], marker: Path, state: str) -> None:
    """Write the one file of a format that has one, unless it is there and says the same."""
    target = settings.output / WHOLE_NAME[settings.format]
    said = read_marker(marker)
    if target.is_file() and said.get("state") == state:
        return
    exporter = Exporter(settings)
    with atomic_writer(target) as stream:
        if settings.format == "coco":
            info = {"description": "exported by CoMix", "detections": settings.detector, "id_map": settings.id_map}
            counts = write_coco(stream, (exporter.entry_of(job) for job in jobs), info, settings.id_map)
            said["left_out"] = counts["left_out"]
        else:
            write_metadata(stream, (exporter.row_of(job) for job in jobs))
    write_if_changed(marker, json_bytes({**said, "state": state}))


def _tidy(settings: ExportSettings, marker: Path, targets: list[Path]) -> None:
    """Remove files of earlier exports into this folder that are no part of this one; note down those that are."""
    said = read_marker(marker)
    files = sorted({target.relative_to(settings.output).as_posix() for target in targets})
    for old in set(said.get("files", [])) - set(files):
        if not (Path(old).is_absolute() or ".." in Path(old).parts):
            (settings.output / old).unlink(missing_ok=True)
    write_if_changed(marker, json_bytes({**said, "files": files}))


def _note(summary: Summary, done: dict[str, dict[str, int]], settings: ExportSettings) -> None:
    counts: Counter[str] = Counter()
    for one in done.values():
        counts.update(one)
    summary.notes.append(f"{counts['n_pages']} pages, {counts['n_panels']} panels, {counts['n_texts']} texts")
    left_out = read_marker(settings.output / MARKER).get("left_out", 0) if settings.format == "coco" else counts["n_lost"]
    if left_out:
        summary.notes.append(f"{left_out} regions or texts that {settings.format} has no place for were left out")
    if counts["n_specs_left_out"]:
        summary.notes.append(
            f"texts of {counts['n_specs_left_out']} pages were left out: their DataSpecs were made from other boxes than "
            f"{settings.detector}'s of today; run comix align"
        )
    if not settings.include_images and (settings.output / "images").is_dir():
        summary.notes.append(f"{settings.output / 'images'} is still there from an earlier export with images")
    if not settings.include_images and settings.format == "imagefolder":
        summary.notes.append("without images (include_images=true copies them)")
    summary.notes.append(os.fspath(settings.output))
