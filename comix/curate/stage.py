"""The `curate` stage: one row per page with its duplicate group and its page type."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from comix.core.errors import FileFormatError, ItemError, MissingInputError
from comix.core.files import digest, write_if_changed
from comix.core.journal import Journal
from comix.core.pagetypes import named_page_type
from comix.core.shard import stage_journal
from comix.core.task import Item, Outcome, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.curate.facts import PanelNumbers, Reading, page_table, panel_numbers, readings
from comix.curate.kinds import PageFacts, page_type_of
from comix.curate.near import Duplicates, find_duplicates
from comix.io.analysis import Analysis, read_analysis

if TYPE_CHECKING:
    import pyarrow as pa

CURATE_VERSION = "2"
"""Part of every fingerprint."""

COLUMNS = [
    "page_id", "book_id", "dup_md5", "dup_group_exact", "dup_phash", "dup_group_phash", "dup_canonical_key", "dup_reason",
    "is_canonical", "book_folder", "page_num", "page_type", "page_type_conf", "page_pos_pct", "is_front_cover",
    "is_back_cover", "page_type_source", "trains",
]  # fmt: skip
"""The document's columns of duplicates and page types, keyed by page id; then ours."""

_AT_ONCE = 5000
_CHUNK = 200


@dataclass(frozen=True, slots=True)
class CurateJob:
    """What is known of one page; ``named`` is its page type by the book's metadata, "" when that says nothing."""

    page_num: int
    n_pages: int
    named: str
    panels: PanelNumbers | None
    reading: Reading
    is_blank: bool


def build_curator(root: Path) -> Callable[[CurateJob], Outcome]:
    """The worker; ``root`` is the workspace that analysis paths are relative to."""
    return partial(curate_page, root)


def curate_page(root: Path, job: CurateJob) -> Outcome:
    """One page's type: the metadata's where there is one, else what panels, place, words and the reader make likely.

    Raises:
        ItemError: ``invalid_input`` when the page's analysis is not readable any more.
    """
    if job.named:
        return _typed(job.named, 1.0, "metadata")
    said, text, n_words = "", "", job.reading.n_words
    if job.reading.path:
        try:
            analysis = read_analysis(root / job.reading.path)
        except (MissingInputError, FileFormatError) as error:
            raise ItemError("invalid_input", str(error), "run comix analyze and comix align again") from error
        said, text = named_page_type(analysis.page.page_type or ""), _literal_text(analysis)
        n_words = count_words(text)
    panels = job.panels
    n_panels, largest, covered = (None, 0.0, 0.0) if panels is None else (panels.n, panels.largest, panels.covered)
    facts = PageFacts(job.page_num, job.n_pages, n_panels, largest, covered, n_words, text, said, job.is_blank)
    kind, probability = page_type_of(facts)
    return _typed(kind, probability, "reader" if said and said == kind else "rule")


def _typed(kind: str, probability: float, source: str) -> Outcome:
    return Outcome(result={"page_type": kind, "page_type_conf": probability, "page_type_source": source})


def _literal_text(analysis: Analysis) -> str:
    kinds = ("dialogue", "thought", "narration", "sfx")
    inside = [item.text for panel in analysis.panels for kind in kinds for item in getattr(panel, kind)]
    return "\n".join([*inside, *(item.text for item in analysis.unassigned)])


_WIDE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")


def count_words(text: str) -> int:
    """Words of a text; two characters of Japanese, Chinese or Korean count as one.

    >>> count_words("Don't go, 2 of them"), count_words("夢の翼は")
    (5, 2)
    """
    return len(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", _WIDE.sub(" ", text))) + len(_WIDE.findall(text)) // 2


def run_curate(
    workspace: Workspace, detector: str, page_types: Sequence[str], radius: int | None, options: RunOptions
) -> list[Summary]:
    """Find duplicates and page types; writes ``curation.parquet``.

    Args:
        workspace: holds pages, detections and, when `align` ran, words.
        detector: whose panels.
        page_types: which pages may train.
        radius: see `comix.curate.near.find_duplicates`; None for exact duplicates only.
        options: see `RunOptions`; ``limit`` counts pages. A shard does its part of the work and writes no table.

    Returns:
        Counts over groups of similar pages (unless ``radius`` is None), then over pages.

    Raises:
        MissingInputError: no pages or no detections yet.
        FileFormatError: a table that is read here is damaged; nothing was written.
    """
    pages = page_table(workspace)
    panels, read = panel_numbers(workspace, detector), readings(workspace)
    duplicates, near = find_duplicates(workspace, pages, radius, options)
    items = _items(workspace, pages, panels, read, duplicates)
    with stage_journal(workspace.journal("curate"), "", options.shard) as journal:
        build: Callable[[], Callable[[CurateJob], Outcome]] = partial(build_curator, workspace.root)
        summary = run_stage("curate", "pages", items, build, journal, replace(options, chunk=_CHUNK), pages.num_rows)
        if options.shard.is_all:
            table = _curation(pages, duplicates, page_types, journal)
            buffer = io.BytesIO()
            _write(table, buffer)
            write_if_changed(workspace.curation_table, buffer.getvalue())
            summary.notes.append(_found(table))
    return [summary] if near is None else [near, summary]


def _items(
    workspace: Workspace, pages: pa.Table, panels: dict[str, PanelNumbers], read: dict[str, Reading], duplicates: Duplicates
) -> Iterator[Item]:
    in_book = Counter(pages["book_id"].to_pylist())
    wanted = pages.select(["page_id", "book_id", "page_num", "page_type"])
    at = 0
    for batch in wanted.to_batches(max_chunksize=_AT_ONCE):
        for row in batch.to_pylist():
            page_id, book = row["page_id"], row["book_id"]
            reading = read.get(page_id, Reading(None, ""))
            job = CurateJob(
                row["page_num"], in_book[book], row["page_type"] or "", panels.get(page_id), reading, at in duplicates.blank
            )
            yield Item(page_id, job, digest(CURATE_VERSION, repr(job), _state(workspace, reading)), group=book)
            at += 1


def _state(workspace: Workspace, reading: Reading) -> tuple[int, int]:
    """Size and time of the analysis, so that text read anew is looked at anew."""
    if not reading.path:
        return 0, 0
    try:
        found = (workspace.root / reading.path).stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _curation(pages: pa.Table, duplicates: Duplicates, page_types: Sequence[str], journal: Journal) -> pa.Table:
    """Rows of all pages that the journal has as done, in the order of the page table."""
    import pyarrow as pa

    schema = _schema()
    ids, shas = pages["page_id"].to_pylist(), pages["sha256"].to_pylist()
    n_same, n_group = Counter(duplicates.same_bytes), Counter(duplicates.canonical)
    in_book, at, batches = Counter(pages["book_id"].to_pylist()), 0, []
    for batch in pages.to_batches(max_chunksize=_AT_ONCE):
        known = journal.results(batch["page_id"].to_pylist())
        records = []
        for row in batch.to_pylist():
            status, typed = known.get(row["page_id"], ("", {}))
            first, leader = duplicates.same_bytes[at], duplicates.canonical[at]
            if status == "done":
                has_near = n_group[leader] > n_same[duplicates.same_bytes[leader]]
                records.append(
                    {
                        "page_id": row["page_id"], "book_id": row["book_id"], "dup_md5": row["md5"],
                        "dup_group_exact": shas[at][:16] if n_same[first] > 1 else "", "dup_phash": row["phash"],
                        "dup_group_phash": shas[leader][:16] if has_near else "", "dup_canonical_key": ids[leader],
                        "dup_reason": "" if leader == at else "exact" if first != at or first == leader else "near",
                        "is_canonical": leader == at, "book_folder": row["container"], "page_num": row["page_num"],
                        "page_pos_pct": round(100 * row["page_num"] / max(in_book[row["book_id"]], row["page_num"]), 2),
                        "is_front_cover": typed["page_type"] == "cover", "is_back_cover": typed["page_type"] == "back_cover",
                        "trains": leader == at and typed["page_type"] in page_types, **typed,
                    }
                )  # fmt: skip
            at += 1
        batches.append(pa.Table.from_pylist(records, schema=schema))
    return pa.concat_tables(batches) if batches else schema.empty_table()


def _schema() -> pa.Schema:
    import pyarrow as pa

    kinds = {"page_num": pa.int64(), "page_type_conf": pa.float64(), "page_pos_pct": pa.float64()}
    kinds |= dict.fromkeys(("is_canonical", "is_front_cover", "is_back_cover", "trains"), pa.bool_())
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])


def _write(table: pa.Table, stream: io.BytesIO) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, stream)


def _found(table: pa.Table) -> str:
    reasons = Counter(table["dup_reason"].to_pylist())
    kinds = Counter(table["page_type"].to_pylist()).most_common()
    copies = f"{reasons['exact']} exact and {reasons['near']} near duplicates"
    return f"{copies}; {', '.join(f'{kind} {count}' for kind, count in kinds)}"
