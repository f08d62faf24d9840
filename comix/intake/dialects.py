"""The metadata formats of comics, each read into `BookMetadata`.

Sources: ComicInfo 2.1 (anansi-project), CoMet 1.1 (denvog.com), ComicBookInfo 1.0 (Google Code archive), MetronInfo 1.0
(Metron-Project), Open Packaging Format of EPUB 3.3 with Calibre's ``calibre:series``.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from comix.core.pagetypes import FROM_COMICINFO

_DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"


@dataclass(frozen=True, slots=True)
class BookMetadata:
    """What is known of a book; "" where nothing is.

    Attributes:
        reading_direction: ``ltr``, ``rtl`` or "".
        page_types: number of a page in natural order of names, from 0 -> page type.
        page_list: the pages as ComicInfo lists them, numbers as in ``page_types``; empty when it lists none.
        deleted: numbers of pages that ComicInfo marks as deleted.
    """

    series: str = ""
    volume: str = ""
    issue: str = ""
    title: str = ""
    language: str = ""
    writer: str = ""
    publisher: str = ""
    year: str = ""
    licence: str = ""
    reading_direction: str = ""
    page_types: Mapping[int, str] = field(default_factory=dict)
    page_list: tuple[int, ...] = ()
    deleted: frozenset[int] = frozenset()


def from_comicinfo(data: bytes) -> BookMetadata:
    """Metadata in a ComicInfo.xml; empty when it is not readable XML.

    Source: ComicInfo 2.1 schema (anansi-project).
    """
    root = xml_root(data)
    if root is None:
        return BookMetadata()

    def text(tag: str) -> str:
        return (root.findtext(tag) or "").strip()

    manga = text("Manga").casefold()
    direction = "rtl" if manga == "yesandrighttoleft" else "ltr" if manga == "no" else ""
    listed = [(int(page.get("Image", "")), page.get("Type", "")) for page in root.iterfind("Pages/Page") if _is_number(page)]
    types = {image: FROM_COMICINFO[kind] for image, kind in listed if kind in FROM_COMICINFO}
    return BookMetadata(
        series=text("Series"), volume=_number(text("Volume")), issue=text("Number"), title=text("Title"),
        language=text("LanguageISO"), writer=text("Writer"), publisher=text("Publisher"), year=_number(text("Year")),
        reading_direction=direction, page_types=types, page_list=tuple(image for image, _ in listed),
        deleted=frozenset(image for image, kind in listed if kind == "Deleted"),
    )  # fmt: skip


def _is_number(page: ET.Element) -> bool:
    image = page.get("Image", "")
    return image.isascii() and image.isdigit() and len(image) < 8


def renumber_pages(data: bytes, numbers: Mapping[int, int]) -> bytes:
    """A ComicInfo.xml whose ``Pages`` count the pages of another container; unchanged when the numbers are.

    Args:
        data: the file.
        numbers: number of a page here -> its number there; a page that is not there loses its entry.

    >>> renumber_pages(b'<C><Pages><Page Image="1"/><Page Image="0"/></Pages></C>', {1: 0})
    b'<C><Pages><Page Image="0" /></Pages></C>'
    """
    root = xml_root(data)
    pages = root.find("Pages") if root is not None else None
    if root is None or pages is None:
        return data
    listed = [int(page.get("Image", "")) if _is_number(page) else -1 for page in pages]
    if all(numbers.get(number) == number for number in listed):
        return data
    for page in list(pages):
        number = numbers.get(int(page.get("Image", ""))) if _is_number(page) else None
        if number is None:
            pages.remove(page)
        else:
            page.set("Image", str(number))
    return bytes(ET.tostring(root, encoding="utf-8" if b"encoding" in data[:100] else "us-ascii"))


def from_metroninfo(data: bytes) -> BookMetadata:
    """Metadata in a MetronInfo.xml."""
    root = xml_root(data)
    if root is None:
        return BookMetadata()

    def text(path: str) -> str:
        return (root.findtext(path) or "").strip()

    writers = [
        (credit.findtext("Creator") or "").strip()
        for credit in root.iterfind("Credits/Credit")
        if any((role.text or "").strip().casefold() in ("writer", "story", "script") for role in credit.iterfind("Roles/Role"))
    ]
    series = root.find("Series")
    return BookMetadata(
        series=text("Series/Name"), volume=text("Series/Volume") or text("MangaVolume"), issue=text("Number"),
        title=text("CollectionTitle") or "; ".join((story.text or "").strip() for story in root.iterfind("Stories/Story")),
        language=series.get("lang", "") if series is not None else "", writer=", ".join(filter(None, writers)),
        publisher=text("Publisher/Name"), year=(text("CoverDate") or text("StoreDate"))[:4],
    )  # fmt: skip


def from_comet(data: bytes) -> BookMetadata:
    """Metadata in a CoMet.xml; its elements may carry the CoMet name space or none."""
    root = xml_root(data)
    if root is None:
        return BookMetadata()
    found: dict[str, list[str]] = {}
    for element in root:
        if isinstance(element.tag, str):
            found.setdefault(element.tag.rsplit("}", 1)[-1].casefold(), []).append((element.text or "").strip())

    def text(tag: str) -> str:
        return ", ".join(filter(None, found.get(tag, [])))

    direction = text("readingdirection").casefold()
    return BookMetadata(
        series=text("series"), volume=text("volume"), issue=text("issue"), title=text("title"), language=text("language"),
        writer=text("writer"), publisher=text("publisher"), year=text("date")[:4], licence=text("rights"),
        reading_direction=direction if direction in ("ltr", "rtl") else "",
    )  # fmt: skip


def from_comicbookinfo(data: bytes) -> BookMetadata:
    """Metadata in a ComicBookInfo JSON, usually an archive's comment."""
    try:
        whole = json.loads(data)
        book = next(value for key, value in whole.items() if key.startswith("ComicBookInfo") and isinstance(value, dict))
    except (ValueError, AttributeError, StopIteration, RecursionError):
        return BookMetadata()

    def text(key: str) -> str:
        value = book.get(key)
        return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""

    credit_list = book.get("credits")
    writers = [
        str(one.get("person", "")).strip() for one in _dicts(credit_list) if str(one.get("role", "")).casefold() == "writer"
    ]
    return BookMetadata(
        series=text("series"), volume=text("volume"), issue=text("issue"), title=text("title"), language=text("language"),
        writer=", ".join(filter(None, writers)), publisher=text("publisher"), year=text("publicationYear"),
    )  # fmt: skip


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def from_opf(data: bytes) -> BookMetadata:
    """Metadata in a package document: an EPUB's own, or the ``metadata.opf`` Calibre keeps beside a book."""
    root = xml_root(data)
    if root is None:
        return BookMetadata()

    def first(tag: str) -> str:
        found = root.find(f".//{_DUBLIN_CORE}{tag}")
        return "".join(found.itertext()).strip() if found is not None else ""

    series, number = _collection(root)
    return BookMetadata(
        series=series, issue=number, title=first("title"), language=first("language"), writer=first("creator"),
        publisher=first("publisher"), year=_year(first("date")), licence=first("rights"),
    )  # fmt: skip


def _collection(root: ET.Element) -> tuple[str, str]:
    """Series and number in it: Calibre's own, or an EPUB 3 collection."""
    metas = [element for element in root.iter() if isinstance(element.tag, str) and element.tag.endswith("meta")]
    named = {element.get("name", ""): element.get("content", "").strip() for element in metas}
    if named.get("calibre:series"):
        return named["calibre:series"], _number(named.get("calibre:series_index", ""))
    for element in metas:
        if element.get("property") == "belongs-to-collection":
            refines = f"#{element.get('id', '')}"
            about = {one.get("property"): (one.text or "").strip() for one in metas if one.get("refines") == refines}
            return (element.text or "").strip(), _number(about.get("group-position", ""))
    return "", ""


def from_pdf(data: bytes) -> BookMetadata:
    """Title and author of a PDF's document information."""
    try:
        fields = {str(key).casefold(): str(value or "").strip() for key, value in json.loads(data).items()}
    except (ValueError, AttributeError, RecursionError):
        return BookMetadata()
    return BookMetadata(title=fields.get("title", ""), writer=fields.get("author", ""))


def xml_root(data: bytes) -> ET.Element | None:
    """The document element; None for what is not XML, or declares entities, which no metadata format needs."""
    if b"<!ENTITY" in data or b"<\0!\0E\0N\0T" in data or b"\0<\0!\0E\0N\0T" in data:
        return None
    try:
        return ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError, RecursionError):
        return None


def _number(text: str) -> str:
    """ "2.0" as "2"; -1, which ComicInfo writes for unknown, as "".

    >>> _number("2.0"), _number("2.5"), _number("-1")
    ('2', '2.5', '')
    """
    text = text.strip()
    return "" if text == "-1" else text.removesuffix(".0")


def _year(text: str) -> str:
    """Year of a date; Calibre writes 0101 for an unknown one."""
    return text[:4] if text[:4].isdigit() and text[:4] != "0101" else ""
