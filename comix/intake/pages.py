"""One container to page images and rows: the worker of ``extract``."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from comix.core.errors import ItemError, UsageError
from comix.core.ids import page_id
from comix.core.issues import issue_sort
from comix.core.journal import Row
from comix.core.page import PageRecord
from comix.core.reasons import hint_for
from comix.core.task import Outcome
from comix.intake.books import Book
from comix.intake.library import Found
from comix.intake.metadata import is_readable, read_metadata
from comix.intake.publish import PageFolder
from comix.intake.sequence import PageSequence, page_sequence
from comix.io.containers.container import FolderContainer, open_container
from comix.io.containers.inplace import member_addresses
from comix.io.containers.members import METADATA_NAMES, Container, Member, junk_reason
from comix.io.containers.regions import Region, in_pixels
from comix.io.containers.zips import ZipContainer
from comix.io.images import ImageFacts, inspect_image

_CHOICES = {"mode": ("copy", "inplace"), "check": ("decode", "header"), "file_names": ("comix", "comicfn2dict")}


@dataclass(frozen=True, slots=True)
class ExtractSettings:
    """What decides which pages come out.

    Attributes:
        render_long_side: pixels, for PDF pages that are not one embedded image.
        mode: ``copy`` page images into the workspace, or leave them ``inplace`` where every stage can read them.
        check: ``decode`` proves that every page decodes; ``header`` reads its size only: no hash of what it looks like.
        file_names: ``comix`` or ``comicfn2dict``, see `comix.intake.filenames.from_file_name`.
    """

    render_long_side: int = 2200
    mode: str = "copy"
    check: str = "decode"
    file_names: str = "comix"

    def __post_init__(self) -> None:
        """Refuse what is none of the choices.

        Raises:
            UsageError: it is not.
        """
        for key, choices in _CHOICES.items():
            if getattr(self, key) not in choices:
                raise UsageError(f"{key}={getattr(self, key)}: wanted {' or '.join(f'{key}={one}' for one in choices)}")


@dataclass(frozen=True, slots=True)
class ExtractJob:
    """What a worker needs to extract one container; ``book`` is None for what is no comic."""

    found: Found
    book: Book | None
    source: str
    pages_dir: Path


@dataclass(frozen=True, slots=True)
class Extractor:
    """Extracts containers; the worker of this stage."""

    settings: ExtractSettings

    def __call__(self, job: ExtractJob) -> Outcome:
        """Page images of one container, and a row for every member it holds."""
        if job.book is None:
            return Outcome("skipped", job.found.skip)
        folder = job.pages_dir / job.book.folder
        with (
            open_container(job.found.path, pdf_long_side=self.settings.render_long_side) as container,
            PageFolder(folder) as images,
        ):
            book = _OpenBook(container, job, job.book, self.settings, images)
            rows = book.rows()
            images.publish()
        return _book_outcome(rows, len(book.sequence.pages), job.book, job)


class _OpenBook:
    """One container while its members are looked at."""

    def __init__(
        self, container: Container, job: ExtractJob, book: Book, settings: ExtractSettings, images: PageFolder
    ) -> None:
        self._container, self._job, self._book, self._settings, self._images = container, job, book, settings, images
        self._files = metadata_of(container, job.found)
        self._meta = read_metadata(self._files, job.found.relative, container.reading_direction, settings.file_names)
        self._issue_sort = issue_sort(self._meta.issue)
        self.sequence: PageSequence = page_sequence(container, self._meta)
        self._addresses = _addresses(container, job, self.sequence) if settings.mode == "inplace" else {}
        self._regions: Mapping[int, list[Region]] = container.regions()

    def rows(self) -> list[Row]:
        """A row for every member, pages added to the images as they are read."""
        numbers = {member.index: number for number, member in enumerate(self.sequence.pages, start=1)}
        rows = []
        for member in self._container.members():
            if self._container.kind == "folder" and junk_reason(member.name) == "nested_container":
                continue  # an input of its own
            if member.index in numbers:
                rows += self._page(member, numbers[member.index])
            else:
                rows.append(self._passed_over(member))
        return rows

    def _page(self, member: Member, number: int) -> list[Row]:
        key, parent = member_key(member, self._job.found), self._job.found.relative
        try:
            data = self._read(member)
            facts = inspect_image(data, decode=self._settings.check == "decode")
        except ItemError as error:
            hint = error.hint or hint_for(error.reason)
            detail = f"page {number}, {member.name}: {error.detail}"
            return [Row(key, "failed", parent, error.reason, detail, hint)]
        path = self._addresses.get(member.index)
        if path is None:
            name = f"{number:04d}.{facts.suffix}"
            self._images.add(name, data)
            path = f"{self._job.pages_dir.name}/{self._book.folder}/{name}"
        rows = [Row(key, "done", parent, result=self._record(member, number, path, data, facts).as_row())]
        if facts.n_frames > 1:
            detail = f"page {number}, {member.name}: {facts.n_frames - 1} of {facts.n_frames} pictures"
            rows.append(Row(f"{key}#2", "skipped", parent, "further_frames", detail, hint_for("further_frames")))
        return rows

    def _read(self, member: Member) -> bytes | memoryview:
        """Bytes that hold until the next page is read."""
        return self._container.view(member) if isinstance(self._container, ZipContainer) else self._container.read(member)

    def _record(self, member: Member, number: int, path: str, data: bytes | memoryview, facts: ImageFacts) -> PageRecord:
        meta, job, book = self._meta, self._job, self._book
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest() if self._settings.check == "decode" else ""
        regions = in_pixels(self._regions.get(member.index, []), facts.width, facts.height)
        return PageRecord(
            page_id=page_id(book.book_id, number), book_id=book.book_id, source=job.source, series=meta.series,
            volume=meta.volume, issue=meta.issue, page_num=number, image_path=path, width=facts.width, height=facts.height,
            sha256=hashlib.sha256(data).hexdigest(), md5=md5, phash=facts.phash,
            page_type=self.sequence.types.get(member.index, ""), reading_direction=meta.reading_direction,
            container=job.found.relative, member=member.name, title=meta.title, language=meta.language, writer=meta.writer,
            publisher=meta.publisher, year=meta.year, licence=meta.licence, issue_sort=self._issue_sort,
            image_notes=",".join(facts.notes), regions=json.dumps(regions) if regions else "",
        )  # fmt: skip

    def _passed_over(self, member: Member) -> Row:
        reason = junk_reason(member.name) or ("not_in_spine" if self._container.kind == "epub" else "not_an_image")
        if member.index in self.sequence.deleted:
            reason = "marked_deleted"
        name = member.name.rsplit("/", 1)[-1]
        name = METADATA_NAMES.get(name.lower(), name)
        if reason == "metadata_file" and name in self._files and not is_readable(name, self._files[name]):
            reason = "metadata_unreadable"
        key = member_key(member, self._job.found)
        return Row(key, "skipped", self._job.found.relative, reason, member.name, hint_for(reason))


def member_key(member: Member, found: Found) -> str:
    """A member's key in the journal: container, position, name."""
    return f"{found.relative}!/{member.index:05d}/{member.name}"


def metadata_of(container: Container, found: Found) -> dict[str, bytes]:
    """Metadata files inside a container, and the ``metadata.opf`` beside it."""
    files = container.metadata_files()
    if found.sidecar is not None and "metadata.opf" not in files:
        try:
            files["metadata.opf"] = found.sidecar.read_bytes()
        except OSError as error:
            raise ItemError("permission_denied", f"{found.sidecar.name}: {error.strerror}") from error
    return files


def _addresses(container: Container, job: ExtractJob, sequence: PageSequence) -> dict[int, str]:
    """Where pages can be read without a copy, relative to the workspace; empty for what must be copied."""
    if isinstance(container, FolderContainer):
        files = {member.index: _from_workspace(container.file_of(member), job) for member in sequence.pages}
        return {index: path for index, path in files.items() if path}
    if not isinstance(container, ZipContainer) or container.owned is not None or not container.is_plain:
        return {}
    archive = _from_workspace(job.found.path, job)
    return member_addresses(archive, container.members()) if archive else {}


def _from_workspace(path: Path, job: ExtractJob) -> str:
    """A path relative to the workspace, absolute on another drive, "" when it is not text."""
    real = os.path.realpath(path)
    try:
        text = os.path.relpath(real, os.path.realpath(job.pages_dir.parent))
    except ValueError:
        text = real
    try:
        text.encode()
    except UnicodeEncodeError:
        return ""
    return Path(text).as_posix()


def _book_outcome(rows: list[Row], n_pages: int, book: Book, job: ExtractJob) -> Outcome:
    done = [row for row in rows if row.status == "done"]
    start = f"{job.pages_dir.name}/{book.folder}/"
    images = [row.result["image_path"] for row in done if row.result["image_path"].startswith(start)]
    result = {"book_id": book.book_id, "n_pages": n_pages, "n_done": len(done), "images": images}
    if done:
        return Outcome("done", result=result, children=tuple(rows))
    if not n_pages:
        status, reason, detail = without_pages([row.reason for row in rows])
        return Outcome(status, reason, detail, result=result, children=tuple(rows))
    reasons = sorted({row.reason for row in rows if row.status == "failed"})
    detail = f"none of its {n_pages} page images can be read"
    return Outcome("failed", reasons[0], detail, result=result, children=tuple(rows))


def without_pages(reasons: list[str]) -> tuple[Literal["failed", "skipped"], str, str]:
    """What becomes of an intact container without page images: there is nothing to mend, unless comics lie inside it.

    Args:
        reasons: why each of its files is no page.

    >>> without_pages(["not_an_image", "metadata_file"])
    ('skipped', 'archive_no_images', '2 files, none of them a page image')
    """
    nested = reasons.count("nested_container")
    if nested:
        return "failed", "nested_container", f"{nested} of its {len(reasons)} files are containers themselves"
    return "skipped", "archive_no_images", f"{len(reasons)} files, none of them a page image"


def build_extractor(settings: ExtractSettings) -> Extractor:
    """The worker, made inside each worker process."""
    return Extractor(settings)
