"""Guided view: one JSON beside each book, per page the panels in reading order, for readers that go panel by panel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from comix.core.errors import FileFormatError
from comix.core.files import json_bytes, read_json
from comix.io.formats.exchange import BBox, BookEntry, Kind, PageEntry, Point, checked_page, fault_of

VERSION = 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class GuidedText(_Strict):
    """Words of one balloon, caption or sound effect; ``box`` is ``[x, y, w, h]`` where known."""

    text: str
    kind: Kind = "dialogue"
    box: BBox | None = None
    speaker: str | None = None
    confidence: float | None = None


class GuidedPanel(_Strict):
    """One stop of the guided view: ``box`` is ``[x, y, w, h]`` pixels; ``polygon`` only where the panel is no rectangle."""

    box: BBox
    polygon: list[Point] = []
    score: float = 1.0
    texts: list[GuidedText] = []
    characters: list[str] = []
    description: str = ""


class GuidedPage(_Strict):
    """One page: ``image`` is its name inside the book's container."""

    page_id: str
    page: int
    image: str
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    reading_direction: Literal["", "ltr", "rtl"] = ""
    order_margin: float | None = None
    panels: list[GuidedPanel] = []
    outside: list[GuidedText] = []


class GuidedBook(_Strict):
    """One book's guided view."""

    format: Literal["comix-guided-view"] = "comix-guided-view"
    version: int = VERSION
    book_id: str
    title: str = ""
    reading_direction: Literal["", "ltr", "rtl"] = ""
    pages: list[GuidedPage] = []


def book_bytes(book: BookEntry) -> bytes:
    """The file of one book; ``index`` of each page is its number, from 1."""
    pages = [_guided(page) for page in book.pages]
    made = GuidedBook(book_id=book.book_id, title=book.title, reading_direction=book.reading_direction, pages=pages)
    said = made.model_dump(mode="json", exclude_defaults=True)
    return json_bytes({"format": made.format, "version": VERSION} | said, indent=1)


def _guided(page: PageEntry) -> GuidedPage:
    by_panel: dict[int | None, list[GuidedText]] = {}
    for one in page.words:
        text = GuidedText(text=one.text, kind=one.kind, box=one.bbox, speaker=one.speaker, confidence=one.confidence)
        by_panel.setdefault(one.panel, []).append(text)
    panels = []
    for index in page.panels():
        panel = page.regions[index]
        panels.append(GuidedPanel(
            box=panel.bbox, polygon=panel.polygon, score=panel.score, texts=by_panel.get(index, []),
            characters=panel.characters, description=panel.description,
        ))  # fmt: skip
    return GuidedPage(
        page_id=page.page_id, page=int(page.index), image=page.file_name, width=round(page.width or 0),
        height=round(page.height or 0), reading_direction=page.reading_direction,
        order_margin=page.margin, panels=panels, outside=by_panel.get(None, []),
    )  # fmt: skip


def read_book(path: Path) -> BookEntry:
    """One book's guided view.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not this format, or of a later version; says which field.
    """
    value = read_json(path)
    try:
        book = GuidedBook.model_validate(value)
    except ValidationError as error:
        raise FileFormatError(f"{path}: {fault_of(error)}; wanted a guided view as comix export writes it") from error
    if book.version > VERSION:
        raise FileFormatError(f"{path}: version {book.version} is newer than {VERSION}; update comix")
    pages = [_entry(f"{path}: page {page.page_id!r}", page) for page in book.pages]
    return BookEntry(title=book.title, book_id=book.book_id, reading_direction=book.reading_direction, pages=pages)


def _entry(where: str, page: GuidedPage) -> PageEntry:
    regions: list[dict[str, object]] = []
    words: list[dict[str, object]] = []
    for rank, panel in enumerate(page.panels):
        said = panel.model_dump(exclude={"box", "texts"})
        regions.append({**said, "category": "panel", "bbox": panel.box, "order": rank})
        words += [_words(one, rank) for one in panel.texts]
    words += [_words(one, None) for one in page.outside]
    fields: dict[str, object] = {
        "label": page.page_id, "page_id": page.page_id, "file_name": page.image, "index": str(page.page), "width": page.width,
        "height": page.height, "reading_direction": page.reading_direction, "margin": page.order_margin, "is_ordered": True,
        "regions": regions, "words": words,
    }  # fmt: skip
    return checked_page(where, fields)


def _words(one: GuidedText, panel: int | None) -> dict[str, object]:
    return {**one.model_dump(exclude={"box"}), "bbox": one.box, "panel": panel, "is_outside": panel is None}
