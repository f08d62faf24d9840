"""The `align` stage: detections and readings joined by page id; table, subset lists and DataSpecs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

from comix.align.job import PageJob, encode_job
from comix.align.page import Aligner
from comix.align.quality import Gates
from comix.align.source import Source, WorkspaceSource, stamp
from comix.align.tables import COLUMNS, derive_files, remove_unlisted
from comix.core.files import PART_PREFIX, digest, write_bytes
from comix.core.journal import Journal
from comix.core.shard import stage_journal
from comix.core.task import Item, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.io.dataspec import dataspec_name
from comix.io.smallfiles import clear_staging, remove_staging

__all__ = ["COLUMNS", "AlignSettings", "run_align"]

ALIGN_VERSION = "2"
"""Part of every fingerprint."""
_CHUNK = 240
"""Pages sent to a worker process at once: one takes a fraction of a millisecond."""


@dataclass(frozen=True, slots=True)
class AlignSettings:
    """Keys of ``conf/align.yaml`` that shape the result; ``reader`` is "" for none."""

    detector: str
    reader: str
    min_det_score: float = 0.0
    min_text_coverage: float = 0.6
    min_score: int = 3
    require_image_exists: bool = False
    second_reader: str = ""
    emit: str = "everything"
    naming: str = "preserve_tree"
    gates: Gates = field(default_factory=Gates)

    def aligner(self, dataspec_dir: Path = Path(), staging: Path = Path()) -> Aligner:
        """The worker, writing into a folder."""
        least = self.min_score if self.emit == "subset" else 0
        return Aligner(
            self.detector, self.reader, self.min_det_score, self.min_text_coverage, self.require_image_exists,
            self.second_reader, self.emit, self.naming, dataspec_dir, least, self.gates,
            staging,
        )  # fmt: skip


def build_aligner(settings: AlignSettings, dataspec_dir: Path, staging: Path) -> Aligner:
    """The worker."""
    return settings.aligner(dataspec_dir, staging)


def run_align(workspace: Workspace, settings: AlignSettings, options: RunOptions, source: Source | None = None) -> Summary:
    """Align every page.

    Args:
        workspace: gets ``alignment/``, ``dataspec/`` and ``lists/``.
        settings: see `AlignSettings`.
        options: see `RunOptions`; ``limit`` counts pages.
        source: the pages; those of the workspace when not given.

    Returns:
        Counts over pages; a page without detections or reading is skipped, and stays in the table with score 0.
    """
    source = source or WorkspaceSource(workspace, settings.detector, settings.reader, settings.second_reader)
    options = replace(options, chunk=_CHUNK, sync=None if settings.emit == "none" else workspace.dataspec_dir)
    with stage_journal(workspace.journal("align"), source.variant, options.shard) as journal:
        staging = workspace.dataspec_dir / f"{PART_PREFIX}{digest(journal.path.name, source.variant)}"
        build: Callable[[], Aligner] = partial(build_aligner, settings, workspace.dataspec_dir, staging)
        _take_over(workspace, journal, source.variant, settings.naming)
        items = _items(source.jobs(), settings, workspace.dataspec_dir, staging)
        summary = run_stage("align", "pages", items, build, journal, options, n_items=source.n_pages)
        remove_staging(staging)
        summary.notes += source.notes
        if not options.shard.is_all:
            return summary
        counts = derive_files(workspace, source.facts(), journal, settings.min_score, settings.naming)
    n_removed = remove_unlisted(workspace)
    if n_removed:
        summary.notes.append(f"{n_removed} DataSpecs of earlier runs removed, which this one does not make")
    summary.notes.append(counts.note())
    summary.notes += counts.gate_notes(settings.gates)
    return summary


def _items(jobs: Iterator[PageJob], settings: AlignSettings, folder: Path, staging: Path) -> Iterator[Item]:
    """Jobs with what they depend on: settings, the page, its boxes, and the stamps of its JSONs."""
    clear_staging(staging)  # here, where the stage's lock is held
    chosen = digest(ALIGN_VERSION, repr(settings.aligner()))
    is_written, prefix = settings.emit == "everything", f"{folder}/"
    for job in jobs:
        payload = encode_job(job)
        read = stamp(job.analysis) if job.analysis else ""
        state = blake2b(payload if isinstance(payload, bytes) else repr(payload).encode(errors="surrogatepass"), digest_size=12)
        state.update(f"{read} {stamp(job.second) if job.second else ''}".encode())
        outputs: tuple[str, ...] = ()
        if is_written and job.packed is not None and (read or not settings.reader):
            outputs = (prefix + dataspec_name(job.page_id, settings.naming),)
        yield Item(job.page_id, payload, chosen + state.hexdigest(), outputs, job.book_id)


def _take_over(workspace: Workspace, journal: Journal, variant: str, naming: str) -> None:
    """Make this variant the one that ``dataspec/`` holds; what it wrote there before another took over is written again."""
    owner = workspace.dataspec_dir / ".variant"
    name = variant if naming == "preserve_tree" else f"{variant} {naming}"
    if not owner.is_file() or owner.read_text(encoding="utf-8") != name:
        journal.forget(list(journal.state()))
        write_bytes(owner, name.encode())
