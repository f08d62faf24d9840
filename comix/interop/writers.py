"""One book or shard of a workspace written in a foreign format; the workers of `export`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comix.core.files import atomic_writer, write_bytes, write_if_changed
from comix.core.page import PageRecord
from comix.core.task import Outcome
from comix.interop.source import BookJob, PageJob, book_entry, facts_of, image_name, page_entry, read_kept
from comix.io.formats import acbf, formatxml, guided, huggingface, manga109xml, webdataset
from comix.io.formats.exchange import BookEntry, PageEntry
from comix.io.formats.flatpage import flat_row
from comix.io.images import read_image_bytes

BOOK_SUFFIX = {"comix_xml": ".xml", "manga109": ".xml", "acbf": ".acbf", "json_sidecar": ".panels.json"}
"""Formats with a file per book, and how their names end."""
SHARD_NAME = {"parquet": "data/train-{number:05d}-of-{total:05d}.parquet", "webdataset": "shard-{number:06d}.tar"}
"""Formats with shards of a fixed number of pages."""
WHOLE_NAME = {"coco": "coco.json", "imagefolder": "metadata.jsonl"}
"""Formats with one file for everything."""
NEEDS_ORDER = frozenset({"acbf", "json_sidecar"})
"""Formats whose list of panels is the reading order."""


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What shapes an export; see ``conf/export.yaml``. ``root`` is the workspace's folder."""

    format: str
    output: Path
    root: Path
    detector: str
    include_images: bool
    id_map: str

    def file_name(self, page: PageRecord) -> str:
        """How the export names a page's image: its copy's path, else the workspace's or (in sidecars) the container's."""
        if self.include_images:
            return image_name(page)
        return page.member if self.format in NEEDS_ORDER else page.image_path

    def image(self, page: PageRecord) -> bytes:
        """The page's image as it is stored.

        Raises:
            ItemError: ``image_missing`` and what its archive says.
        """
        return read_image_bytes(self.root / page.image_path)


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes books and shards; the worker of this stage."""

    settings: ExportSettings

    def __call__(self, job: BookJob) -> Outcome:
        """Write one file, and the images where they go along beside it."""
        counts = {"n_pages": len(job.pages), "n_panels": 0, "n_texts": 0, "n_lost": 0, "n_specs_left_out": 0}
        settings = self.settings
        if settings.format in BOOK_SUFFIX:
            write_bytes(job.target, self._book(job, counts))
        elif settings.format == "parquet":
            with atomic_writer(job.target) as stream:
                huggingface.write_shard(stream, self._rows(job, counts), settings.include_images)
        elif settings.format == "webdataset":
            with atomic_writer(job.target) as stream:
                webdataset.write_shard(stream, self._samples(job, counts))
        else:
            for _ in self._entries(job, counts):  # proves that every page can be written; the file is put together at the end
                pass
        if settings.include_images and settings.format not in SHARD_NAME:
            for one in job.pages:
                write_if_changed(settings.output / image_name(one.page), settings.image(one.page))
        return Outcome(result=counts)

    def _entries(self, job: BookJob, counts: dict[str, int]) -> Iterator[tuple[PageJob, PageEntry]]:
        for one in job.pages:
            entry, left_out = page_entry(one, self.settings.detector, self.settings.file_name(one.page))
            counts["n_panels"] += len(entry.panels())
            counts["n_texts"] += len(entry.words)
            counts["n_specs_left_out"] += left_out
            yield one, entry

    def _book(self, job: BookJob, counts: dict[str, int]) -> bytes:
        name = self.settings.format
        entries = [entry for _, entry in self._entries(job, counts)]
        book = book_entry(job, entries, read_kept(job.kept, name))
        counts["n_lost"] = sum(lost(name, page) for page in book.pages)
        if name == "comix_xml":
            return formatxml.book_bytes(book)
        if name == "manga109":
            return manga109xml.book_bytes(book, manga109xml.id_block(job.pages[0].position))
        if name == "acbf":
            return acbf.book_bytes(book, _facts(job.pages[0].page))
        return guided.book_bytes(BookEntry.model_validate(book.model_copy(update={"pages": entries})))

    def _row(self, one: PageJob, entry: PageEntry) -> dict[str, Any]:
        return flat_row(entry, {"file_name": entry.file_name, **facts_of(one.page)})

    def _rows(self, job: BookJob, counts: dict[str, int]) -> Iterator[dict[str, Any]]:
        for one, entry in self._entries(job, counts):
            row = self._row(one, entry)
            if self.settings.include_images:
                row["image"] = {"bytes": self.settings.image(one.page), "path": entry.file_name}
            yield row

    def _samples(self, job: BookJob, counts: dict[str, int]) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
        for number, (one, entry) in zip(job.numbers, self._entries(job, counts), strict=True):
            key = webdataset.sample_key(number, one.page.page_num)
            value = webdataset.sample_json(key, entry, self._row(one, entry), self.settings.detector)
            members = [("json", webdataset.as_member(value))]
            if self.settings.include_images:
                members.insert(0, (Path(image_name(one.page)).suffix[1:], self.settings.image(one.page)))
            yield key, members

    def row_of(self, one: PageJob) -> dict[str, Any]:
        """The row of a page, for the file that is put together at the end."""
        return self._row(one, self.entry_of(one))

    def entry_of(self, one: PageJob) -> PageEntry:
        """The page, for the file that is put together at the end."""
        return page_entry(one, self.settings.detector, self.settings.file_name(one.page))[0]


def lost(format_name: str, page: PageEntry) -> int:
    """Regions and words of a page that a format has no place for."""
    if format_name == "manga109":
        return manga109xml.lost(page)
    if format_name == "acbf":
        return acbf.lost(page)
    return sum(one.category != "panel" for one in page.regions) if format_name == "json_sidecar" else 0


def _facts(page: PageRecord) -> dict[str, str]:
    names = ("writer", "series", "issue", "publisher", "year", "licence")
    return {name: getattr(page, name) for name in names}


def build_exporter(settings: ExportSettings) -> Exporter:
    """The worker."""
    return Exporter(settings)
