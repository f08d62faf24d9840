"""What a workspace says of its pages, as the annotations that every format is written from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from comix.core.errors import FileFormatError, ItemError, MissingInputError
from comix.core.files import json_bytes, write_bytes
from comix.core.ids import escape
from comix.core.page import PageRecord
from comix.core.workspace import Workspace
from comix.io.coco import PageDetections
from comix.io.dataspec import DataSpec, find_dataspec, read_dataspec
from comix.io.formats.exchange import BookEntry, CastMember, PageEntry, Region, Words, fault_of


@dataclass(frozen=True, slots=True)
class PageJob:
    """One page to export: its record and place in the page table, what was detected, and where its DataSpec would be."""

    page: PageRecord
    position: int
    found: PageDetections | None
    spec: Path


@dataclass(frozen=True, slots=True)
class BookJob:
    """Pages that are exported together: a book, or a shard of several.

    Attributes:
        name: book id, or name of the shard.
        target: the file to write; ``kept`` is where an ingested document's own words about the book would be.
        numbers: place of each page's book in the page table, from 0; one per page.
    """

    name: str
    pages: tuple[PageJob, ...]
    target: Path
    kept: Path
    numbers: tuple[int, ...]


class KeptBook(BaseModel):
    """What a document said of a book beyond what a workspace holds: ids, unknown elements, pages that were not matched.

    ``page_ids`` has our id of each of the document's pages, "" for one that matched none.
    """

    model_config = ConfigDict(extra="forbid")
    version: int = 1
    format: str
    book: BookEntry
    page_ids: list[str]


def kept_path(workspace: Workspace, name: str, book_id: str) -> Path:
    """Where an ingested document's own words about a book are kept."""
    return workspace.detections_dir(name) / "kept" / f"{escape(book_id)}.json"


def write_kept(path: Path, kept: KeptBook) -> None:
    """Write atomically."""
    write_bytes(path, json_bytes(kept.model_dump(mode="json", exclude_defaults=True)))


def read_kept(path: Path, format_name: str) -> KeptBook | None:
    """What was kept of a book in this format, or None.

    Raises:
        ItemError: ``invalid_input``: the file was damaged.
    """
    if not path.is_file():
        return None
    try:
        kept = KeptBook.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ItemError("invalid_input", f"{path}: {fault_of(error)}", "run comix ingest again") from error
    return kept if kept.format == format_name else None


def page_jobs(workspace: Workspace, pages: Iterable[PageRecord], found: Mapping[str, PageDetections]) -> Iterator[PageJob]:
    """A job per page, in table order."""
    for position, page in enumerate(pages):
        spec = find_dataspec(workspace.dataspec_dir, page.page_id)
        yield PageJob(page, position, found.get(page.page_id), spec)


def by_book(jobs: Iterable[PageJob]) -> Iterator[tuple[str, tuple[PageJob, ...]]]:
    """The jobs of one book after another."""
    for book_id, group in groupby(jobs, key=lambda job: job.page.book_id):
        yield book_id, tuple(group)


def image_name(page: PageRecord) -> str:
    """Path of a page's image in an export: no two pages share one, also where file systems fold case.

    >>> image_name(PageRecord(page_id="A: b/0001", image_path="x/0001.PNG", **{name: "" for name in PageRecord.columns()
    ...     if name not in ("page_id", "image_path")}))
    'images/A%3A b/0001.png'
    """
    return f"images/{_own_name(page)}{PurePosixPath(page.image_path).suffix.lower()}"


def book_name(page: PageRecord) -> str:
    """Path, without suffix, of the file of a page's book; different for different books, also where file systems fold case."""
    return PurePosixPath(_own_name(page)).parent.as_posix()


def _own_name(page: PageRecord) -> str:
    """A page's path without suffix: where its image lies below ``pages/``, which intake made safe; else its id, escaped."""
    stored = PurePosixPath(page.image_path)
    return stored.relative_to("pages").with_suffix("").as_posix() if stored.parts[:1] == ("pages",) else escape(page.page_id)


def page_entry(job: PageJob, detector: str, file_name: str) -> tuple[PageEntry, bool]:
    """A page with its regions, and words where a DataSpec of these boxes has them.

    Args:
        job: the page.
        detector: whose boxes; a DataSpec made from other boxes gives no words, for its panels are not these.
        file_name: how the export names the page's image.

    Returns:
        The entry, and whether a DataSpec was left out.

    Raises:
        ItemError: ``invalid_input``: the DataSpec cannot be read.
    """
    found = job.found
    regions = [] if found is None else _regions(found)
    spec = _spec(job.spec)
    panels = None if spec is None or spec.provenance.detector != detector else _places(spec, regions)
    words: list[Words] = []
    if spec is not None and panels is not None:
        words = _words(spec, panels)
        regions = _with_facts(spec, panels, regions)
    direction = (found.reading_direction if found else "") or job.page.reading_direction
    entry = PageEntry(
        label=job.page.page_id, page_id=job.page.page_id, file_name=file_name, index=str(job.page.page_num),
        width=job.page.width, height=job.page.height, reading_direction=direction, page_type=job.page.page_type,
        is_ordered=found is not None and found.is_ordered, margin=found.margin if found else None, regions=regions, words=words,
    )  # fmt: skip
    return entry, spec is not None and panels is None


def _regions(found: PageDetections) -> list[Region]:
    ranks = found.order or (None,) * len(found.detections)
    return [
        Region(
            category=one.category, bbox=tuple(round(side, 2) for side in one.box.xywh), polygon=list(one.polygon),
            score=one.score, order=rank if found.is_ordered else None,
        )
        for one, rank in zip(found.detections, ranks, strict=True)
    ]  # fmt: skip


def _spec(path: Path) -> DataSpec | None:
    try:
        return read_dataspec(path)
    except MissingInputError:
        return None
    except FileFormatError as error:
        raise ItemError("invalid_input", str(error), "run comix align again") from error


def _places(spec: DataSpec, regions: list[Region]) -> list[int] | None:
    """Place in ``regions`` of each panel of the DataSpec; None when one is not there: it was made from other boxes."""
    by_box: dict[tuple[float, ...], int] = {}
    for index, one in enumerate(regions):
        if one.category == "panel":
            by_box.setdefault(one.bbox, index)
    found = [by_box.get(tuple(round(side, 2) for side in panel.panel_coords), -1) for panel in spec.panels]
    return None if -1 in found else found


def _words(spec: DataSpec, panels: list[int]) -> list[Words]:
    words = []
    for index, panel in zip(panels, spec.panels, strict=True):
        for one in panel.texts:
            box = None if one.bbox is None else tuple(one.bbox)
            words.append(Words(text=one.text, kind=one.kind, bbox=box, speaker=one.speaker, confidence=one.confidence,
                               panel=index))  # fmt: skip
    for loose in spec.unassigned_text:
        box = None if loose.bbox is None else tuple(loose.bbox)
        words.append(Words(text=loose.text, kind=loose.kind, bbox=box, speaker=loose.speaker, confidence=loose.confidence,
                           is_outside=True))  # fmt: skip
    return words


def _with_facts(spec: DataSpec, panels: list[int], regions: list[Region]) -> list[Region]:
    changed = list(regions)
    for index, panel in zip(panels, spec.panels, strict=True):
        if panel.characters or panel.description:
            facts: dict[str, Any] = {"characters": panel.characters, "description": panel.description}
            changed[index] = changed[index].model_copy(update=facts)
    return changed


def book_entry(job: BookJob, entries: list[PageEntry], kept: KeptBook | None) -> BookEntry:
    """A book for the formats that have one file each; what was kept of it is put back."""
    first = job.pages[0].page
    direction = next((entry.reading_direction for entry in entries if entry.reading_direction), "")
    if kept is not None:
        ours = {entry.page_id: entry for entry in entries}
        pages = [_restored(old, ours.pop(name, None)) for old, name in zip(kept.book.pages, kept.page_ids, strict=True)]
        more = [entry for entry in ours.values() if entry.regions or entry.words]
        return kept.book.model_copy(update={"pages": [*pages, *more]})
    return BookEntry(
        title=first.title or first.series or PurePosixPath(first.book_id).name, book_id=first.book_id, language=first.language,
        reading_direction=direction, pages=entries, cast=_cast(entries), has_cast=True,
    )  # fmt: skip


def _cast(entries: list[PageEntry]) -> list[CastMember]:
    """Everybody who is named on the pages, in order of appearance."""
    names = dict.fromkeys(name for entry in entries for one in entry.regions for name in one.characters)
    names |= dict.fromkeys(one.speaker for entry in entries for one in entry.words if one.speaker)
    return [CastMember(id=f"c{number}", name=name) for number, name in enumerate(names, start=1)]


def _restored(old: PageEntry, ours: PageEntry | None) -> PageEntry:
    """The document's page with today's order, where its boxes are still those of the workspace; else today's page."""
    if ours is None:
        return old
    if [(one.category, _hundredths(one)) for one in old.regions] != [(one.category, one.bbox) for one in ours.regions]:
        return ours
    if not old.is_ordered and not ours.is_ordered:
        return old
    regions = [one.model_copy(update={"order": new.order}) for one, new in zip(old.regions, ours.regions, strict=True)]
    return old.model_copy(update={"regions": regions, "is_ordered": ours.is_ordered})


def _hundredths(one: Region) -> tuple[float, ...]:
    return tuple(round(side, 2) for side in one.bbox)


def facts_of(page: PageRecord) -> dict[str, Any]:
    """What the page table says of a page, for formats that have a place for it."""
    names = ("book_id", "title", "series", "volume", "issue", "language", "licence", "sha256")
    return {name: getattr(page, name) for name in names} | {"page_num": page.page_num}


def stamp(path: Path) -> list[int]:
    """Size and time of a file, for fingerprints; [] when it is absent."""
    try:
        state = path.stat()
    except OSError:
        return []
    return [state.st_size, state.st_mtime_ns]


def read_marker(path: Path) -> dict[str, Any]:
    """What an export folder's marker says; {} when there is none.

    Raises:
        FileFormatError: it was damaged.
    """
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FileFormatError(f"{path}: not valid JSON ({error}); remove the export folder and export again") from error
    if not isinstance(value, dict):
        raise FileFormatError(f"{path}: wanted an object; remove the export folder and export again")
    return value
