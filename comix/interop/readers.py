"""Files of a foreign format as books and pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from natsort import natsorted

from comix.core.errors import MissingInputError
from comix.io.formats import acbf, cocoexchange, foreign, formatxml, guided, huggingface, manga109xml, webdataset
from comix.io.formats.exchange import BookEntry, PageEntry

PATTERNS = {
    "coco": "*.json", "comix_xml": "*.xml", "manga109": "*.xml", "acbf": "*.acbf", "json_sidecar": "*.panels.json",
    "imagefolder": "metadata.jsonl", "parquet": "*.parquet", "webdataset": "*.tar", "kumiko": "*.json", "dcm772": "*.txt",
    "ebdtheque": "*.svg", "openmantra": "annotation.json",
}  # fmt: skip
"""Format -> which files of a folder are read."""
DIALECTS = frozenset({"comix_xml", "manga109", "acbf"})
"""Formats whose documents say more than a workspace holds; that is kept beside the detections."""


@dataclass(frozen=True, slots=True)
class ReadRules:
    """What the user says about how to read: language of parallel texts, boxes of foreign shards, whose boxes, id map."""

    format: str
    language: str = ""
    box_format: str = ""
    detector: str = ""
    id_map: str = "comix"


@dataclass(frozen=True, slots=True)
class Part:
    """A book of a document, or a whole document of a format without books, and its pages."""

    book: BookEntry
    pages: Iterable[PageEntry]


def documents(given: Path, format_name: str) -> list[Path]:
    """The files to read: the given one, or those of a folder at any depth, in natural order.

    Raises:
        MissingInputError: nothing there.
    """
    if given.is_file():
        return [given]
    if not given.is_dir():
        raise MissingInputError(f"input={given}: no such file or folder")
    pattern = PATTERNS[format_name]
    found: list[Path] = natsorted(path for path in given.rglob(pattern) if path.is_file() and not path.name.startswith("."))
    if not found:
        raise MissingInputError(f"input={given}: holds no {pattern}, which format={format_name} is read from")
    return found


def read_parts(path: Path, root: Path, rules: ReadRules) -> Iterator[Part]:
    """What a document holds.

    Args:
        path: the file.
        root: the folder that paths in formats without image names are relative to.
        rules: see `ReadRules`.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not this format; says where.
    """
    if rules.format == "comix_xml":
        for book in formatxml.read_document(path).books:
            yield Part(book, book.pages)
        return
    if rules.format in ("manga109", "acbf", "json_sidecar"):
        book = _one_book(path, rules)
        yield Part(book, book.pages)
        return
    yield Part(BookEntry(), _pages(path, root, rules))


def _one_book(path: Path, rules: ReadRules) -> BookEntry:
    if rules.format == "manga109":
        return manga109xml.read_book(path)
    return acbf.read_book(path, rules.language) if rules.format == "acbf" else guided.read_book(path)


def _pages(path: Path, root: Path, rules: ReadRules) -> Iterator[PageEntry]:
    match rules.format:
        case "coco":
            return cocoexchange.read_pages(path, rules.language, rules.id_map)
        case "imagefolder":
            return huggingface.read_metadata(path)
        case "parquet":
            return huggingface.read_shard(path)
        case "webdataset":
            return webdataset.read_shard(path, rules.box_format, rules.detector)
        case "kumiko":
            return foreign.read_kumiko(path)
        case "dcm772":
            return foreign.read_dcm(path, root)
        case "ebdtheque":
            return foreign.read_ebdtheque(path, root)
        case _:
            return foreign.read_openmantra(path, rules.language)
