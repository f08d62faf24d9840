"""The `ingest` stage: foreign annotations joined to pages and put where detections and analyses of the workspace lie."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from comix.core.errors import FileFormatError, UsageError
from comix.core.files import digest, write_if_changed
from comix.core.journal import Journal, Row
from comix.core.shard import part_journals, stage_journal
from comix.core.task import Item, RunOptions
from comix.core.work import Summary, run_stage
from comix.core.workspace import Workspace
from comix.interop.entries import IngestJob, PageIngester, build_ingester
from comix.interop.join import JoinRules, Match, PageIndex
from comix.interop.readers import DIALECTS, ReadRules, documents, read_parts
from comix.interop.source import KeptBook, kept_path, write_kept
from comix.io.analysis import analysis_path
from comix.io.formats.exchange import BookEntry
from comix.io.tables import read_pages

INGEST_VERSION = "1"
"""Part of every fingerprint."""
UNMATCHED_REASONS = ("no_such_page", "ambiguous_page", "duplicate_entry")
_COLUMNS = ("item", "kind", "reason", "candidates")


@dataclass(slots=True)
class _Survey:
    """What a first look at the documents found.

    Attributes:
        matches: of each document, one match per page entry, in order.
        faults: documents that cannot be read, with the message.
        has_words: some page has words.
        not_kept: books whose own words could not be kept: their pages are in several books here.
    """

    matches: dict[Path, list[Match]]
    faults: dict[Path, str]
    has_words: bool = False
    not_kept: int = 0
    n_ordered: int = 0


def run_ingest(workspace: Workspace, source: Path, name: str, read: ReadRules, join: JoinRules, options: RunOptions) -> Summary:
    """Read foreign files, join their pages to the workspace's, and make them its detections (and analyses) ``name``.

    Args:
        workspace: holds the pages; gets ``detections/<name>/`` and, where there are words, ``analysis/<name>/``.
        source: a file, or a folder of files.
        name: folder below ``detections/`` and ``analysis/``.
        read: how to read.
        join: how to join.
        options: see `RunOptions`; ``limit`` counts pages of the files.

    Returns:
        Counts over the pages of the files; one that matches no page, or several, is skipped and listed in ``unmatched.csv``.

    Raises:
        MissingInputError: nothing to read, or no pages in the workspace.
        FileFormatError: the one file given is not of this format.
        UsageError: the name belongs to a detector or reader.
    """
    index = PageIndex(read_pages(workspace.require_pages()), join)
    _refuse_taken(workspace, name)
    files = documents(source, read.format)
    root = source if source.is_dir() else source.parent
    survey = _survey(workspace, files, root, name, read, index)
    if source.is_file() and survey.faults:
        raise FileFormatError(survey.faults[source])
    from_where = digest(str(source.resolve()))
    items = _items(workspace, root, name, read, index, survey, from_where)
    build: Callable[[], PageIngester] = build_ingester
    n_items = sum(len(found) for found in survey.matches.values()) + len(survey.faults)
    with stage_journal(workspace.journal("ingest"), name, options.shard) as journal:
        seen: set[str] = set()
        summary = run_stage("ingest", "pages", _noted(items, seen), build, journal, options, n_items)
        if not options.shard.is_all:
            return summary
        if options.limit is None and not summary.interrupted:
            stale = (row.key for row in journal.rows() if row.key not in seen and row.result.get("source") == from_where)
            journal.forget(list(stale))
        n_published = _publish(workspace, name, journal)
        n_unmatched = _write_unmatched(workspace, name, journal)
    summary.notes.append(f"{n_published} pages in {workspace.predictions(name)}")
    if survey.n_ordered == 0:
        summary.notes.append(f"the format has no reading order: comix order detections={name}")
    if n_unmatched:
        summary.notes.append(f"{n_unmatched} matched no page of the workspace or several: {_unmatched_path(workspace, name)}")
    if survey.not_kept:
        summary.notes.append(f"what the format alone says was not kept for {survey.not_kept} books whose pages are in several")
    return summary


def _refuse_taken(workspace: Workspace, name: str) -> None:
    """Stop before another stage's results are mixed with ours."""
    taken = workspace.predictions(name).is_file() or workspace.analysis_dir(name).is_dir()
    if taken:
        with Journal(workspace.journal("ingest"), name) as journal:
            ours = next(journal.rows(), None) is not None or bool(part_journals(journal.path, name))
        if not ours:
            raise UsageError(f"name={name}: detections or analyses of this name were made by another stage; name another")


def _survey(workspace: Workspace, files: list[Path], root: Path, name: str, read: ReadRules, index: PageIndex) -> _Survey:
    """Join every entry, without keeping any; two entries for one page are both left out, for nothing says which is right."""
    survey = _Survey({}, {})
    times: Counter[str] = Counter()
    kept: set[str] = set()
    for path in files:
        matches: list[Match] = []
        try:
            for part in read_parts(path, root, read):
                start = len(matches)
                for entry in part.pages:
                    matches.append(index.find(part.book, entry))
                    survey.has_words |= bool(entry.words)
                    survey.n_ordered += entry.is_ordered
                if read.format in DIALECTS:
                    survey.not_kept += not _keep(workspace, name, read.format, part.book, matches[start:], index, kept)
        except FileFormatError as error:
            survey.faults[path] = str(error)
            continue
        survey.matches[path] = matches
        times.update(match.page_id for match in matches if match.page_id)
    twice = {page_id for page_id, number in times.items() if number > 1}
    for path, matches in survey.matches.items():
        survey.matches[path] = [_unless_twice(match, twice) for match in matches]
    return survey


def _unless_twice(match: Match, twice: set[str]) -> Match:
    if match.page_id not in twice or not match.page_id:
        return match
    return Match("", "duplicate_entry", f"several entries speak of page {match.page_id!r}", (match.page_id,))


def _keep(
    workspace: Workspace, name: str, format_name: str, book: BookEntry, matches: list[Match], index: PageIndex, kept: set[str]
) -> bool:
    """Keep what the document says of a book; False when its pages belong to several books here, or another took the place."""
    books = {index.pages[match.page_id].book_id for match in matches if match.page_id}
    if not books:
        return True
    if len(books) > 1 or books & kept:
        return False
    kept |= books
    ids = [match.page_id for match in matches]
    write_kept(kept_path(workspace, name, books.pop()), KeptBook(format=format_name, book=book, page_ids=ids))
    return True


def _items(
    workspace: Workspace, root: Path, name: str, read: ReadRules, index: PageIndex, survey: _Survey, from_where: str
) -> Iterator[Item]:
    """One input per page entry, the documents read a second time; and one per document that cannot be read."""
    settings = (INGEST_VERSION, read.format, read.language, read.box_format, read.detector, read.id_map, survey.has_words)
    folder = workspace.analysis_dir(name)
    for path, matches in survey.matches.items():
        given = path.relative_to(root).as_posix()
        entries = (entry for part in read_parts(path, root, read) for entry in part.pages)
        for number, (entry, match) in enumerate(zip(entries, matches, strict=True)):
            page = index.pages.get(match.page_id)
            target = analysis_path(folder, page.page_id) if page is not None and survey.has_words else None
            job = IngestJob(name, given, from_where, read.format, entry, page, target, match)
            key = match.page_id or f"{given}#{number}: {entry.label}"
            facts = () if page is None else (page.width, page.height, page.reading_direction)
            fingerprint = digest(settings, entry.model_dump(mode="json"), repr(match), facts)
            yield Item(key, job, fingerprint, () if target is None else (target,), page.book_id if page else given)
    for path, fault in survey.faults.items():
        given = path.relative_to(root).as_posix()
        yield Item(
            given,
            IngestJob(name, given, from_where, read.format, None, None, None, Match(detail=fault)),
            digest(fault),
            (),
            given,
        )


def _noted(items: Iterator[Item], seen: set[str]) -> Iterator[Item]:
    for item in items:
        seen.add(item.key)
        yield item


def _publish(workspace: Workspace, name: str, journal: Journal) -> int:
    """Record what was ingested as `detect` and `order` record it, so that every later stage takes it; how many pages."""
    number = 0
    with Journal(workspace.journal("detect"), name) as detect, Journal(workspace.journal("order"), name) as order:
        before = detect.state()
        boxes: list[tuple[Row, tuple[Row, ...]]] = []
        orders: list[tuple[Row, tuple[Row, ...]]] = []
        current: set[str] = set()
        for row in journal.rows("done"):
            number += 1
            current.add(row.key)
            if before.get(row.key, ("", "", ""))[1] == row.fingerprint:
                continue  # published before; an order that was made since stays
            found = row.result["found"]
            boxes.append((row._replace(result=found), ()))
            if row.result["order"] is not None:
                orders.append((row._replace(result=row.result["order"] | {"boxes": digest(found["detections"])}), ()))
            if len(boxes) >= 1000:
                detect.record(boxes)
                order.record(orders)
                boxes, orders = [], []
        detect.record(boxes)
        order.record(orders)
        gone = [key for key in before if key not in current]
        detect.forget(gone)
        order.forget(gone)
    return number


def _unmatched_path(workspace: Workspace, name: str) -> Path:
    return workspace.detections_dir(name) / "unmatched.csv"


def _write_unmatched(workspace: Workspace, name: str, journal: Journal) -> int:
    """List what was joined to no page; the file is gone when everything was."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    number = 0
    for row in journal.rows("skipped"):
        if row.reason in UNMATCHED_REASONS:
            number += 1
            table.writerow([row.key, row.result.get("kind", "page"), row.reason, "; ".join(row.result.get("candidates", []))])
    path = _unmatched_path(workspace, name)
    if number:
        write_if_changed(path, text.getvalue().encode())
    else:
        path.unlink(missing_ok=True)
    return number
