"""Book ids: assigned once, kept for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from comix.core.errors import WorkspaceError
from comix.core.ids import escape, propose_book_ids

_SCHEMA = """CREATE TABLE IF NOT EXISTS books (
    source TEXT NOT NULL, container TEXT NOT NULL, book_id TEXT NOT NULL UNIQUE, folder TEXT NOT NULL UNIQUE,
    PRIMARY KEY (source, container)) WITHOUT ROWID"""


@dataclass(frozen=True, slots=True)
class Book:
    """A container's permanent names.

    Attributes:
        container: path relative to the library root.
        book_id: its id.
        folder: escaped id, the folder below ``pages/``.
    """

    container: str
    book_id: str
    folder: str


def assign_books(path: Path, source: str, containers: Sequence[str]) -> list[Book]:
    """The books of these containers, in their order; new ones get ids that no other book has.

    Args:
        path: the register, an SQLite file.
        source: name of the library; the same container path in another library is another book.
        containers: paths relative to the library root.

    Raises:
        WorkspaceError: the register cannot be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as register:
            register.execute(_SCHEMA)
            register.execute("BEGIN IMMEDIATE")
            known = {
                container: Book(container, book_id, folder)
                for container, book_id, folder in register.execute(
                    "SELECT container, book_id, folder FROM books WHERE source = ?", (source,)
                )
            }
            taken = {book_id for (book_id,) in register.execute("SELECT book_id FROM books")}
            folders = {folder.casefold() for (folder,) in register.execute("SELECT folder FROM books")}
            books = []
            for container in containers:
                if container not in known:
                    known[container] = _new_book(container, source, taken, folders)
                    register.execute(
                        "INSERT INTO books VALUES (?,?,?,?)",
                        (source, container, known[container].book_id, known[container].folder),
                    )
                books.append(known[container])
            register.execute("COMMIT")
            return books
    except sqlite3.Error as error:
        raise WorkspaceError(f"{path}: cannot open the register of book ids ({error}); choose another workspace") from error


def _new_book(container: str, source: str, taken: set[str], folders: set[str]) -> Book:
    name = source if container == "." else container
    book_id = next(one for one in propose_book_ids(name, source) if one not in taken)
    folder = escape(book_id)
    if folder.casefold() in folders:  # differs from another only by case: keep them apart on every file system
        folder = escape(book_id, upper=True)
    taken.add(book_id)
    folders.add(folder.casefold())
    return Book(container, book_id, folder)
