"""The `curate` stage: one row per page with its duplicate group and its page type."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from comix.core.files import digest
from comix.core.journal import Journal
from comix.core.page import PageRecord
from comix.core.task import Item, Outcome, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.curate.pages import exact_groups, guess_page_type
from comix.io.coco import PageDetections, read_predictions
from comix.io.tables import read_pages, read_parquet, write_parquet

CURATE_VERSION = "1"
"""Part of every fingerprint."""

COLUMNS = [
    "page_id", "book_id", "dup_md5", "dup_group_exact", "dup_phash", "dup_canonical_key", "dup_reason", "is_canonical",
    "book_folder", "page_num", "page_type", "page_type_conf", "page_pos_pct", "is_front_cover", "is_back_cover",
]  # fmt: skip
"""The document's columns of duplicates and page types, keyed by page id."""


@dataclass(frozen=True, slots=True)
class CurateJob:
    """What is known of one page; ``group`` names its duplicate group ("" for none), ``canonical`` the group's first page."""

    page: PageRecord
    canonical: str
    group: str
    n_pages_in_book: int
    found: PageDetections | None
    n_words: int


def curate_page(job: CurateJob) -> Outcome:
    """One page's row; the worker of this stage."""
    page = job.page
    guess = guess_page_type(page, job.n_pages_in_book, job.found, job.n_words)
    canonical = job.canonical
    row: dict[str, Any] = {
        "page_id": page.page_id, "book_id": page.book_id, "dup_md5": page.md5,
        "dup_group_exact": job.group, "dup_phash": page.phash, "dup_canonical_key": canonical,
        "dup_reason": "exact" if job.group and canonical != page.page_id else "", "is_canonical": canonical == page.page_id,
        "book_folder": page.container, "page_num": page.page_num, "page_type": guess.page_type,
        "page_type_conf": guess.confidence, "page_pos_pct": round(100 * page.page_num / job.n_pages_in_book, 2),
        "is_front_cover": guess.page_type == "cover", "is_back_cover": guess.page_type == "back_cover",
    }  # fmt: skip
    return Outcome(result=row)


def build_curator() -> Any:
    """The worker."""
    return curate_page


def run_curate(workspace: Workspace, detector: str, options: RunOptions) -> Summary:
    """Find exact duplicates and guess page types; writes ``curation.parquet``.

    Args:
        workspace: holds pages, detections and, when `align` ran, word counts.
        detector: whose panels.
        options: see `RunOptions`; ``limit`` counts pages.

    Returns:
        Counts over pages.
    """
    import pandas as pd

    pages = read_pages(workspace.require_pages())
    found = read_predictions(workspace.require_predictions(detector))
    canonical = {page_id: ids[0] for ids in exact_groups(pages).values() for page_id in ids}
    in_book = Counter(page.book_id for page in pages)
    words = _word_counts(workspace)
    items = []
    for page in pages:
        n_words = words.get(page.page_id, 0)
        group = page.sha256[:16] if page.page_id in canonical else ""
        job = CurateJob(
            page, canonical.get(page.page_id, page.page_id), group, in_book[page.book_id], found.get(page.page_id), n_words
        )
        items.append(Item(page.page_id, job, digest(CURATE_VERSION, repr(job)), group=page.book_id))
    with Journal(workspace.journal("curate")) as journal:
        summary = run_stage("curate", "pages", items, build_curator, journal, options)
        rows = {row.key: row.result for row in journal.rows("done")}
    table = pd.DataFrame.from_records([rows[item.key] for item in items if item.key in rows], columns=COLUMNS)
    write_parquet(workspace.curation_table, table)
    kinds = ", ".join(f"{kind} {count}" for kind, count in table["page_type"].value_counts().items())
    n_twice = int((~table["is_canonical"].astype(bool)).sum())
    summary.notes.append(f"{n_twice} exact duplicates; {kinds}")
    return summary


def _word_counts(workspace: Workspace) -> dict[str, int]:
    path = workspace.alignment_dir / "alignment.parquet"
    if not path.is_file():
        return {}
    table = read_parquet(path)
    return {str(page): int(n) for page, n in zip(table["page_id"], table["n_all_words"], strict=True)}
