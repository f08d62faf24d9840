"""The page model: what every stage knows of a page, and what is found on it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from comix.core.geometry import Box

Direction = Literal["ltr", "rtl"]
TEXT_KINDS = ("dialogue", "thought", "narration", "sfx")
"""The kinds of literal text on a page; descriptions by a reader are never among them."""


@dataclass(frozen=True, slots=True)
class PageRecord:
    """One row of the page table, ``pages.parquet``.

    Attributes:
        page_id: ``book_id/NNNN``; permanent, relative, the only key that joins stages.
        book_id: path of the container relative to the library root, POSIX, NFC, suffix dropped.
        source: name of the library the book came from.
        series: from metadata, else ""; likewise ``volume`` and ``issue`` (a string: "12", "1/2", "Annual 3").
        page_num: position in reading sequence, from 1; an unreadable member keeps its number.
        image_path: page image relative to the workspace, POSIX; a page left in its archive is ``../a.cbz!/p01.jpg``, see
            `comix.io.containers.inplace`.
        width: pixels, EXIF rotation applied; likewise ``height``.
        sha256: of the image bytes; ``md5`` too, for older tools.
        phash: 16 hex digits, perceptual hash of the upright page.
        page_type: from metadata or `curate`; "" when unknown.
        reading_direction: ``ltr``, ``rtl`` or "" when the metadata does not say.
        container: path relative to the library root; ``member``: name inside it.
        issue_sort: sorts as the issues do, see `comix.core.issues.issue_sort`.
        image_notes: what is unusual about the image, comma-separated, see `comix.io.images.ImageFacts`.
        regions: panels and balloons that the publisher drew (EPUB), as JSON, see `comix.io.containers.regions`; "" for none.
    """

    page_id: str
    book_id: str
    source: str
    series: str
    volume: str
    issue: str
    page_num: int
    image_path: str
    width: int
    height: int
    sha256: str
    md5: str = ""
    phash: str = ""
    page_type: str = ""
    reading_direction: str = ""
    container: str = ""
    member: str = ""
    title: str = ""
    language: str = ""
    writer: str = ""
    publisher: str = ""
    year: str = ""
    licence: str = ""
    issue_sort: str = ""
    image_notes: str = ""
    regions: str = ""

    @classmethod
    def columns(cls) -> list[str]:
        """Column names of the page table, in order."""
        return [field.name for field in fields(cls)]

    def as_row(self) -> dict[str, Any]:
        """The record as a table row."""
        return {name: getattr(self, name) for name in self.__slots__}


class Detection(NamedTuple):
    """One thing found on a page.

    Attributes:
        box: pixels of the page as stored (upright).
        score: 0 to 1, higher is surer.
        category: COCO category name, ``panel`` unless said.
        polygon: corner points ``((x, y), ...)`` clockwise, empty when the box says it all.
    """

    box: Box
    score: float
    category: str = "panel"
    polygon: tuple[tuple[float, float], ...] = ()
