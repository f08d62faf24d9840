"""Ids: permanent, reversible, safe on every file system."""

from __future__ import annotations

from pathlib import Path

from comix.core.ids import escape, unescape
from comix.intake.books import assign_books

NAMES = [
    "What?",
    "a:b*c",
    "CON",
    "con.extra",
    "trailing.",
    "trailing ",
    "100%",
    "日本語",
    "x/../y",
    'q"uote',
    "tab\there",
    "%41",
]


def test_escape_is_reversible_and_leaves_no_unsafe_character() -> None:
    for name in NAMES:
        for letters in (False, True):
            escaped = escape(name, letters)
            assert unescape(escaped) == name
            assert not set(escaped) & set('<>:"|?*\\')
            assert ".." not in escaped.split("/")
            assert not any(part.endswith((".", " ")) for part in escaped.split("/"))


def test_books_never_share_a_name_or_a_folder(tmp_path: Path) -> None:
    register = tmp_path / "books.sqlite"
    first = ["ABC.cbz", "abc.cbz", "aBC.cbz", "a/x.cbz", "a/X.cbz", "b/x.cbz", "Dr. Slump", "Ch. 1", "Ch. 2", "Vol.1"]
    books = assign_books(register, "lib", first)
    more = assign_books(register, "lib", ["a/x.cbr", *first, "a/x"])
    assert more[1:-1] == books
    assert [book.book_id for book in books[-4:]] == ["Dr. Slump", "Ch. 1", "Ch. 2", "Vol.1"]
    other = assign_books(register, "other library", ["a/x.cbz"])
    everything = [*more, *other]
    assert len({book.book_id for book in everything}) == len(everything)
    assert len({book.folder.casefold() for book in everything}) == len(everything)
    assert all(unescape(book.folder) == book.book_id for book in everything)
