"""Any readable container to CBZ, the library's folder tree preserved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from comix.core.errors import ItemError, UsageError
from comix.core.files import digest
from comix.core.journal import Row
from comix.core.reasons import hint_for
from comix.core.shard import stage_journal
from comix.core.task import Item, Outcome, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.intake.books import assign_books, library_name
from comix.intake.dialects import renumber_pages
from comix.intake.library import Found, find_containers
from comix.intake.metadata import read_metadata
from comix.intake.pages import member_key, metadata_of, without_pages
from comix.intake.sequence import page_sequence
from comix.io.containers.archives import write_cbz
from comix.io.containers.container import open_container
from comix.io.containers.members import Container, Member, junk_reason
from comix.io.images import inspect_image

CONVERT_VERSION = "2"
"""Part of every fingerprint."""


@dataclass(frozen=True, slots=True)
class ConvertJob:
    """One container and the CBZ it becomes; None for what is no comic."""

    found: Found
    target: Path | None


@dataclass(frozen=True, slots=True)
class Converter:
    """Writes one CBZ per container; the worker of this stage."""

    render_long_side: int

    def __call__(self, job: ConvertJob) -> Outcome:
        """The container's readable pages and metadata in one CBZ; unreadable pages are rows."""
        if job.target is None:
            return Outcome("skipped", job.found.skip)
        with open_container(job.found.path, pdf_long_side=self.render_long_side) as container:
            files = metadata_of(container, job.found)
            meta = read_metadata(files, job.found.relative, container.reading_direction)
            sequence = page_sequence(container, meta)
            entries: list[tuple[str, bytes]] = []
            rows, numbers = [], {}
            for number, member in enumerate(sequence.pages, start=1):
                row = _convert_page(container, member, number, job, entries)
                if row.status == "done":
                    numbers[sequence.natural[member.index]] = len(entries) - 1
                rows.append(row)
            if not entries:
                if not rows:
                    return Outcome(*without_pages([junk_reason(member.name) for member in container.members()]))
                return Outcome("failed", rows[0].reason, f"{len(rows)} page images, none readable", children=tuple(rows))
            if "ComicInfo.xml" in files:
                entries.append(("ComicInfo.xml", renumber_pages(files["ComicInfo.xml"], numbers)))
            entries += [(name, files[name]) for name in ("MetronInfo.xml", "CoMet.xml") if name in files]
            write_cbz(job.target, entries)
        return Outcome(result={"n_pages": len(rows), "n_done": sum(row.status == "done" for row in rows)}, children=tuple(rows))


def _convert_page(container: Container, member: Member, number: int, job: ConvertJob, entries: list[tuple[str, bytes]]) -> Row:
    key = member_key(member, job.found)
    try:
        data = container.read(member)
        entries.append((f"{number:04d}.{inspect_image(data).suffix}", data))
    except ItemError as error:
        hint = error.hint or hint_for(error.reason)
        return Row(key, "failed", job.found.relative, error.reason, f"{member.name}: {error.detail}", hint)
    return Row(key, "done", job.found.relative)


def build_converter(render_long_side: int) -> Converter:
    """The worker, made inside each worker process."""
    return Converter(render_long_side)


def run_convert(
    workspace: Workspace, library: Path, source: str, output: Path, render_long_side: int, options: RunOptions
) -> Summary:
    """Convert a library to CBZ files below ``output``.

    Args:
        workspace: holds the journal and the register of book names.
        library: folder of containers; only read.
        source: name of the library; "" takes the folder's name.
        output: folder of the CBZs, outside the library; the library's tree is kept.
        render_long_side: pixels, for PDF pages that are not one embedded image.
        options: see `RunOptions`; ``limit`` counts containers.

    Returns:
        Counts over containers.

    Raises:
        UsageError: ``output`` overlaps the library.
    """
    source_dir, target_dir = library.resolve(), output.resolve()
    if target_dir.is_relative_to(source_dir) or source_dir.is_relative_to(target_dir):
        raise UsageError(f"output={output}: overlaps library={library}, which is only ever read; name a folder elsewhere")
    register = workspace.journal("books")
    found = find_containers(library, [workspace.root])
    name = library_name(register, library, source)
    books = assign_books(register, name, [one.relative for one in found if not one.skip])
    targets = {book.container: output / f"{book.folder}.cbz" for book in books}
    items = [
        Item(
            key=one.relative,
            payload=ConvertJob(one, targets.get(one.relative)),
            fingerprint=digest(CONVERT_VERSION, one.stamp, one.skip, render_long_side, str(target_dir)),
            outputs=() if one.skip else (targets[one.relative],),
            group=one.relative,
        )
        for one in found
    ]
    with stage_journal(workspace.journal("convert"), name, options.shard) as journal:
        summary = run_stage("convert", "containers", items, partial(build_converter, render_long_side), journal, options)
        counts = journal.counts()
    n_pages, n_bad = counts.get((True, "done"), 0), counts.get((True, "failed"), 0)
    summary.notes.append(f"{n_pages + n_bad} page images = {n_pages} copied + {n_bad} failed; CBZs in {output}")
    return summary
