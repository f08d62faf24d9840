"""What a container says of itself: ComicInfo.xml, EPUB package data, PDF properties, else its file name."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

_DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
_PAGE_TYPES = {
    "FrontCover": "cover", "InnerCover": "title_page", "Roundup": "recap", "Story": "interior",
    "Advertisement": "ad_third_party", "Editorial": "editorial", "Letters": "letters", "Preview": "preview_comic_pages",
    "BackCover": "back_cover",
}  # fmt: skip
"""ComicInfo page type -> ours. Source: the ComicInfo 2.1 schema, simple type ComicPageType."""


@dataclass(frozen=True, slots=True)
class BookMetadata:
    """What is known of a book; "" where nothing is.

    Attributes:
        reading_direction: ``ltr``, ``rtl`` or "".
        page_types: position in reading sequence, from 0 -> page type.
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


def read_metadata(files: Mapping[str, bytes], container: str, direction: str = "") -> BookMetadata:
    """The best of all sources: ComicInfo.xml, then EPUB or PDF data, then the file name.

    Args:
        files: metadata files of the container by standard name.
        container: path relative to the library root.
        direction: what the container format itself says of the reading direction.
    """
    merged = from_file_name(container)
    if "pdf.json" in files:
        merged = _merge(merged, _from_pdf(files["pdf.json"]))
    if "content.opf" in files:
        merged = _merge(merged, _from_opf(files["content.opf"]))
    if "ComicInfo.xml" in files:
        merged = _merge(merged, from_comicinfo(files["ComicInfo.xml"]))
    if not merged.reading_direction and direction:
        merged = replace(merged, reading_direction=direction)
    return merged


def _merge(base: BookMetadata, better: BookMetadata) -> BookMetadata:
    given = {name: getattr(better, name) for name in BookMetadata.__dataclass_fields__ if getattr(better, name)}
    return replace(base, **given)


def from_comicinfo(data: bytes) -> BookMetadata:
    """Metadata in a ComicInfo.xml; empty when it is not readable XML.

    Source: ComicInfo 2.1 schema (anansi-project).
    """
    root = _xml(data)
    if root is None:
        return BookMetadata()

    def text(tag: str) -> str:
        return (root.findtext(tag) or "").strip()

    manga = text("Manga").casefold()
    direction = "rtl" if manga == "yesandrighttoleft" else "ltr" if manga == "no" else ""
    types = {
        int(page.get("Image", "")): _PAGE_TYPES.get(page.get("Type", ""), "")
        for page in root.iterfind("Pages/Page")
        if page.get("Image", "").isdigit()
    }
    return BookMetadata(
        series=text("Series"), volume=text("Volume"), issue=text("Number"), title=text("Title"),
        language=text("LanguageISO"), writer=text("Writer"), publisher=text("Publisher"), year=text("Year"),
        reading_direction=direction, page_types={image: kind for image, kind in types.items() if kind},
    )  # fmt: skip


def _from_opf(data: bytes) -> BookMetadata:
    root = _xml(data)
    if root is None:
        return BookMetadata()

    def first(tag: str) -> str:
        found = root.find(f".//{_DUBLIN_CORE}{tag}")
        return "".join(found.itertext()).strip() if found is not None else ""

    return BookMetadata(
        title=first("title"), language=first("language"), writer=first("creator"), publisher=first("publisher"),
        year=first("date")[:4], licence=first("rights"),
    )  # fmt: skip


def _from_pdf(data: bytes) -> BookMetadata:
    try:
        fields = {str(key).casefold(): str(value or "").strip() for key, value in json.loads(data).items()}
    except (ValueError, AttributeError):
        return BookMetadata()
    return BookMetadata(title=fields.get("title", ""), writer=fields.get("author", ""))


def is_readable(name: str, data: bytes) -> bool:
    """Whether a metadata file can be used; JSON and plain files always pass."""
    return not name.lower().endswith((".xml", ".opf")) or _xml(data) is not None


def _xml(data: bytes) -> ET.Element | None:
    if b"<!ENTITY" in data:  # entity bombs: no metadata format needs entities of its own
        return None
    try:
        return ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError):
        return None


_YEAR = re.compile(r"[(\[]((?:19|20)\d\d)[^)\]]*[)\]]")
_VOLUME = re.compile(r"\b(?:v|vol\.?|volume|tome|band)\s*(\d+)\b", re.IGNORECASE)
_ISSUE = re.compile(r"(?:#\s*|\bissue\s+|\bno\.?\s*|\bch(?:apter|\.)?\s*|(?<=\s))(\d+(?:\.\d+)?(?:/\d+)?)\b", re.IGNORECASE)


def from_file_name(container: str) -> BookMetadata:
    """Series, issue, volume and year as file names usually state them.

    >>> meta = from_file_name("x/Captain Science #001 (1950) The Beginning.cbz")
    >>> meta.series, meta.issue, meta.year
    ('Captain Science', '1', '1950')
    >>> from_file_name("Pepper&Carrot 01 - Potion of Flight.cbz").series
    'Pepper&Carrot'
    """
    path = PurePosixPath(container)
    stem = path.stem if path.suffix.lower().lstrip(".") in _SUFFIXES else path.name
    stem = stem.replace("_", " ")
    year = _YEAR.search(stem)
    bare = re.sub(r"[(\[][^)\]]*[)\]]", " ", stem)
    volume = _VOLUME.search(bare)
    issue = _ISSUE.search(bare if volume is None else bare.replace(volume[0], " "))
    cuts = [match.start() for match in (volume, issue) if match is not None and bare.find(match[0]) > 0]
    start = min((bare.find(match[0]) for match in (volume, issue) if match is not None), default=-1)
    series = bare[:start] if cuts and start > 0 else bare.split(" - ")[0]
    number = issue[1].lstrip("0") or "0" if issue else ""
    return BookMetadata(
        series=" ".join(series.split()).strip(" -"),
        issue=number,
        volume=volume[1].lstrip("0") if volume else "",
        year=year[1] if year else "",
    )


_SUFFIXES = frozenset(["cbz", "cbr", "cb7", "cbt", "cba", "zip", "rar", "7z", "tar", "pdf", "epub", "ace"])
