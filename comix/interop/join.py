"""Which page of the workspace a foreign entry speaks of: by page id, by exact path, or as the user says. Never by guess."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from comix.core.errors import FileFormatError, UsageError
from comix.core.files import read_json
from comix.core.ids import page_id as numbered_id
from comix.core.page import PageRecord
from comix.interop.source import image_name
from comix.io.formats.exchange import BookEntry, PageEntry

MAX_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class Match:
    """What became of looking for a page: its id, or the reason why there is none and what looks alike."""

    page_id: str = ""
    reason: str = ""
    detail: str = ""
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JoinRules:
    """What the user declares about the foreign files.

    Attributes:
        image_root: their image paths lie below this folder.
        book: the one book that they speak of, a book id of the workspace.
        books: title in the file -> book id.
        first_page: the number by which the file calls the page that is 0001 here; None: numbers say nothing.
    """

    image_root: str = ""
    book: str = ""
    books: Mapping[str, str] = field(default_factory=dict)
    first_page: int | None = None


def plain_path(name: str) -> str:
    """A path as it is compared: POSIX, NFC, no ``./``.

    >>> plain_path(".\\\\A\\\\01.jpg")
    'A/01.jpg'
    """
    text = unicodedata.normalize("NFC", name.replace("\\", "/"))
    return "/".join(part for position, part in enumerate(text.split("/")) if part != "." and (part or position == 0))


class PageIndex:
    """The workspace's pages by id and by every path that is theirs alone or shared.

    A page goes by its image path in the workspace, by ``container/member`` below the library root, and by the path that
    `export` gives its image.

    Args:
        pages: the page table.
        rules: see `JoinRules`.

    Raises:
        UsageError: a book that the rules name is not in the workspace.
    """

    def __init__(self, pages: Iterable[PageRecord], rules: JoinRules) -> None:
        self.rules = rules
        self.pages: dict[str, PageRecord] = {}
        self._by_path: dict[str, list[str]] = {}
        self._by_member: dict[tuple[str, str], list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        self.books: set[str] = set()
        for page in pages:
            self._add(page)
        for book_id in {rules.book, *rules.books.values()} - {""} - self.books:
            near = ", ".join(sorted(self.books)[:3])
            raise UsageError(f"book {book_id!r} is not in the workspace; its books are {near} ... (column book_id)")

    def _add(self, page: PageRecord) -> None:
        self.pages[page.page_id] = page
        self.books.add(page.book_id)
        member = plain_path(page.member)
        for path in {plain_path(page.image_path), f"{plain_path(page.container)}/{member}", image_name(page)}:
            self._by_path.setdefault(path, []).append(page.page_id)
        self._by_member.setdefault((page.book_id, member), []).append(page.page_id)
        self._by_name.setdefault(PurePosixPath(member).name, []).append(page.page_id)

    def find(self, book: BookEntry, entry: PageEntry) -> Match:
        """The page that an entry speaks of."""
        if entry.page_id:
            if entry.page_id in self.pages:
                return Match(entry.page_id)
            return Match("", "no_such_page", f"the file says page_id {entry.page_id!r}", self._alike(entry))
        book_id = self._book_of(book)
        path, below = self._relative(entry.file_name)
        found: list[str] = []
        if path and below:
            found = self._by_path.get(path, [])
            if not found and book_id:
                found = self._by_member.get((book_id, path.removeprefix(f"images/{plain_path(book.title)}/")), [])
        if not found and book_id and self.rules.first_page is not None and entry.index.lstrip("-").isdecimal():
            numbered = numbered_id(book_id, int(entry.index) - self.rules.first_page + 1)
            found = [numbered] if numbered in self.pages else []
        if len(found) == 1:
            return Match(found[0])
        if found:
            return Match("", "ambiguous_page", f"{path} is the path of {len(found)} pages", tuple(found[:MAX_CANDIDATES]))
        return Match("", "no_such_page", self._why(entry, book, book_id, below), self._alike(entry))

    def _book_of(self, book: BookEntry) -> str:
        if book.book_id in self.books:
            return book.book_id
        return self.rules.books.get(book.title) or self.rules.book

    def _relative(self, name: str) -> tuple[str, bool]:
        """An image path relative to what paths here are relative to, and whether it is comparable at all."""
        path, root = plain_path(name), plain_path(self.rules.image_root).rstrip("/")
        if root and path.startswith(f"{root}/"):
            return path[len(root) + 1 :], True
        return path, not (path.startswith("/") or (len(path) > 1 and path[1] == ":"))

    def _why(self, entry: PageEntry, book: BookEntry, book_id: str, below: bool) -> str:
        if entry.file_name and not below:
            return f"{entry.file_name!r} is an absolute path outside image_root; say image_root=FOLDER"
        if entry.file_name:
            return f"no page has the path {entry.file_name!r}" + (f", also not in book {book_id!r}" if book_id else "")
        if not book_id:
            return f"the file gives no path, and book {book.title!r} is not mapped: say book= or book_map="
        return f"the file gives no path, only the number {entry.index!r}: say first_page="

    def _alike(self, entry: PageEntry) -> tuple[str, ...]:
        """Pages whose image has the same last name: shown to the user, never taken."""
        name = PurePosixPath(plain_path(entry.file_name or entry.page_id)).name
        return tuple(self._by_name.get(name, [])[:MAX_CANDIDATES]) if name else ()


def read_book_map(path: str) -> dict[str, str]:
    """``{title: book_id}`` out of a JSON file; {} for no path.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not an object of texts.
    """
    if not path:
        return {}
    value = read_json(Path(path))
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise FileFormatError(f"{path}: wanted {{title: book_id, ...}}, found {json.dumps(value)[:80]}")
    return {str(title): book_id for title, book_id in value.items()}
