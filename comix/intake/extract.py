"""Containers in, page images and the page table out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from comix.core.errors import ItemError
from comix.core.files import digest, write_bytes
from comix.core.ids import page_id
from comix.core.journal import Journal, Row
from comix.core.page import PageRecord
from comix.core.reasons import hint_for
from comix.core.task import Item, Outcome, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.intake.books import Book, assign_books, library_name
from comix.intake.library import Found, find_containers
from comix.intake.metadata import BookMetadata, is_readable, read_metadata
from comix.io.container import open_container
from comix.io.images import inspect_image
from comix.io.members import Container, Member, junk_reason
from comix.io.tables import write_pages

EXTRACT_VERSION = "1"
"""Part of every fingerprint: raise it when the same container may give other pages."""


@dataclass(frozen=True, slots=True)
class ExtractJob:
    """What a worker needs to extract one container; ``book`` is None for what is no comic."""

    found: Found
    book: Book | None
    source: str
    pages_dir: Path


@dataclass(frozen=True, slots=True)
class Extractor:
    """Extracts containers; the worker of this stage.

    Args:
        render_long_side: pixels, for PDF pages that are not one embedded image.
    """

    render_long_side: int

    def __call__(self, job: ExtractJob) -> Outcome:
        """Page images of one container, and a row for every member it holds."""
        if job.book is None:
            return Outcome("skipped", job.found.skip)
        with open_container(job.found.path, pdf_long_side=self.render_long_side) as container:
            pages = pages_of(container)
            files = container.metadata_files()
            meta = read_metadata(files, job.found.relative, container.reading_direction)
            numbers = {member.index: number for number, member in enumerate(pages, start=1)}
            rows = []
            for member in container.members():
                if container.kind == "folder" and junk_reason(member.name) == "nested_container":
                    continue  # an input of its own
                if member.index in numbers:
                    rows.append(_page_row(container, member, numbers[member.index], job, job.book, meta))
                else:
                    rows.append(_passed_over(member, job, files, container.kind))
        _remove_stale(job.pages_dir / job.book.folder, {str(row.result.get("image_path", "")) for row in rows})
        return _book_outcome(rows, pages, job.book)


def pages_of(container: Container) -> list[Member]:
    """Page images in reading sequence; empty when there is none."""
    try:
        return container.page_order()
    except ItemError as error:
        if error.reason != "archive_no_images":
            raise
        return []


def _book_outcome(rows: list[Row], pages: list[Member], book: Book) -> Outcome:
    n_done = sum(row.status == "done" for row in rows)
    images = [row.result["image_path"] for row in rows if row.status == "done"]
    result = {"book_id": book.book_id, "n_pages": len(pages), "n_done": n_done, "images": images}
    if n_done:
        return Outcome("done", result=result, children=tuple(rows))
    if not pages:
        detail = f"{len(rows)} files, none of them a page image"
        return Outcome("failed", "archive_no_images", detail, result=result, children=tuple(rows))
    reasons = sorted({row.reason for row in rows if row.status == "failed"})
    return Outcome(
        "failed", reasons[0], f"none of its {len(pages)} page images can be read", result=result, children=tuple(rows)
    )


def _member_key(member: Member, job: ExtractJob) -> str:
    return f"{job.found.relative}!/{member.index:05d}/{member.name}"


def _page_row(container: Container, member: Member, number: int, job: ExtractJob, book: Book, meta: BookMetadata) -> Row:
    key = _member_key(member, job)
    try:
        data = container.read(member)
        facts = inspect_image(data)
    except ItemError as error:
        hint = error.hint or hint_for(error.reason)
        detail = f"page {number}, {member.name}: {error.detail}"
        return Row(key, "failed", job.found.relative, error.reason, detail, hint)
    image = job.pages_dir / book.folder / f"{number:04d}.{facts.suffix}"
    write_bytes(image, data)
    record = PageRecord(
        page_id=page_id(book.book_id, number), book_id=book.book_id, source=job.source, series=meta.series,
        volume=meta.volume, issue=meta.issue, page_num=number,
        image_path=image.relative_to(job.pages_dir.parent).as_posix(), width=facts.width, height=facts.height,
        sha256=hashlib.sha256(data).hexdigest(), md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        phash=facts.phash, page_type=meta.page_types.get(number - 1, ""), reading_direction=meta.reading_direction,
        container=job.found.relative, member=member.name, title=meta.title, language=meta.language, writer=meta.writer,
        publisher=meta.publisher, year=meta.year, licence=meta.licence,
    )  # fmt: skip
    detail = f"first of {facts.n_frames} frames" if facts.n_frames > 1 else ""
    return Row(key, "done", job.found.relative, detail=detail, result=record.as_row())


def _passed_over(member: Member, job: ExtractJob, files: dict[str, bytes], kind: str) -> Row:
    reason = junk_reason(member.name) or ("not_in_spine" if kind == "epub" else "not_an_image")
    name = member.name.rsplit("/", 1)[-1]
    if reason == "metadata_file" and name in files and not is_readable(name, files[name]):
        reason = "metadata_unreadable"
    return Row(_member_key(member, job), "skipped", job.found.relative, reason, member.name, hint_for(reason))


def _remove_stale(folder: Path, kept: set[str]) -> None:
    """Drop page images of an earlier state of this book; nested books keep theirs."""
    names = {Path(path).name for path in kept if path}
    for path in folder.glob("[0-9][0-9][0-9][0-9]*.*"):
        if path.is_file() and path.name not in names:
            path.unlink()


def build_extractor(render_long_side: int) -> Extractor:
    """The worker, made inside each worker process."""
    return Extractor(render_long_side)


def run_extract(workspace: Workspace, library: Path, source: str, render_long_side: int, options: RunOptions) -> Summary:
    """Extract a library into the workspace.

    Args:
        workspace: where pages go.
        library: folder of containers; only read.
        source: name of the library; "" takes the folder's name.
        render_long_side: see `Extractor`.
        options: see `RunOptions`; ``limit`` counts containers.

    Returns:
        Counts over containers, with one note whose counts over members add up too.
    """
    register = workspace.journal("books")
    found = find_containers(library, [workspace.root])
    source = library_name(register, library, source)
    books = assign_books(register, source, [one.relative for one in found if not one.skip])
    by_container = {book.container: book for book in books}
    with Journal(workspace.journal("extract"), source) as journal:
        gone = len(journal.state().keys() - {one.relative for one in found})
        images = {row.key: row.result.get("images", []) for row in journal.rows(parents_only=True)}
        items = [
            Item(
                key=one.relative,
                payload=ExtractJob(one, by_container.get(one.relative), source, workspace.pages_dir),
                fingerprint=digest(EXTRACT_VERSION, one.stamp, one.skip, render_long_side),
                outputs=tuple(workspace.root / path for path in images.get(one.relative, [])),
                group=one.relative,
            )
            for one in found
        ]
        build: Callable[[], Extractor] = partial(build_extractor, render_long_side)
        summary = run_stage("extract", "containers", items, build, journal, options)
    n_pages = derive_page_table(workspace)
    summary.notes += [_member_note(workspace, source, {item.key for item in items}), f"page table: {n_pages} pages"]
    if gone:
        summary.notes.append(f"{gone} inputs of earlier runs are no longer in the library; their pages are kept")
    return summary


def _member_note(workspace: Workspace, source: str, keys: set[str]) -> str:
    counts = {"done": 0, "failed": 0, "skipped": 0}
    with Journal(workspace.journal("extract"), source) as journal:
        for row in journal.rows(children_only=True):
            counts[row.status] += row.parent in keys
    return f"{sum(counts.values())} members = {counts['done']} pages + {counts['failed']} failed + {counts['skipped']} skipped"


def derive_page_table(workspace: Workspace) -> int:
    """Write ``pages.parquet`` from the journal, all libraries of this workspace together; the number of pages."""
    from comix.core.journal import variants

    pages: list[PageRecord] = []
    for source in variants(workspace.journal("extract")):
        with Journal(workspace.journal("extract"), source) as journal:
            pages += [PageRecord(**row.result) for row in journal.rows("done", children_only=True)]
    return write_pages(workspace.pages_table, pages)
