"""Book ids: assigned once, kept for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from comix.core.errors import UsageError, WorkspaceError
from comix.core.ids import escape, propose_book_ids
from comix.io.containers.members import CONTAINER_SUFFIXES

_SCHEMA = """CREATE TABLE IF NOT EXISTS books (
    source TEXT NOT NULL, container TEXT NOT NULL, book_id TEXT NOT NULL UNIQUE, folder TEXT NOT NULL UNIQUE,
    PRIMARY KEY (source, container)) WITHOUT ROWID"""
_ROOTS = "CREATE TABLE IF NOT EXISTS roots (source TEXT PRIMARY KEY, root TEXT NOT NULL) WITHOUT ROWID"
_SUFFIXES = frozenset(f".{suffix}" for suffix in CONTAINER_SUFFIXES)


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


def library_name(path: Path, library: Path, source: str) -> str:
    """The name a library goes by in this workspace: ``source``, or its folder's name.

    Two libraries are never taken for one: a folder of a known name in another place must be named by the user.

    Args:
        path: the register, an SQLite file.
        library: the folder.
        source: what the user calls it; "" takes the folder's name. Giving a known name says that the library has moved.

    Raises:
        UsageError: the folder's name belongs to a library in another place.
    """
    root, name = str(library.resolve()), source or library.resolve().name or "library"
    with _open(path) as register:
        known = register.execute("SELECT root FROM roots WHERE source = ?", (name,)).fetchone()
        if known is not None and known[0] != root and not source:
            raise UsageError(
                f"library={library}: this workspace already has a library named {name!r}, from {known[0]}; "
                f"if this is another one, name it: source=NAME; if that one has moved here: source={name}"
            )
        register.execute("INSERT OR REPLACE INTO roots VALUES (?, ?)", (name, root))
    return name


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    """The register inside one transaction."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as register:
            register.execute("BEGIN IMMEDIATE")
            register.execute(_SCHEMA)
            register.execute(_ROOTS)
            yield register
            register.execute("COMMIT")
    except sqlite3.Error as error:
        raise WorkspaceError(
            f"{path}: the register of book ids cannot be used ({error}). Free space if the disk is full; if the file is "
            "damaged, restore it from a copy: without it books get their ids anew, in the order of the library"
        ) from error


def assign_books(path: Path, source: str, containers: Sequence[str]) -> list[Book]:
    """The books of these containers, in their order; new ones get ids that no other book has.

    Args:
        path: the register, an SQLite file.
        source: name of the library; the same container path in another library is another book.
        containers: paths relative to the library root.

    Raises:
        WorkspaceError: the register cannot be opened.
    """
    with _open(path) as register:
        query = "SELECT container, book_id, folder FROM books WHERE source = ?"
        known = {row[0]: Book(*row) for row in register.execute(query, (source,))}
        taken = {book_id for (book_id,) in register.execute("SELECT book_id FROM books")}
        folders = {folder.casefold() for (folder,) in register.execute("SELECT folder FROM books")}
        for container in containers:
            if container not in known:
                book = known[container] = _new_book(container, source, taken, folders)
                register.execute("INSERT INTO books VALUES (?,?,?,?)", (source, container, book.book_id, book.folder))
        return [known[container] for container in containers]


def _new_book(container: str, source: str, taken: set[str], folders: set[str]) -> Book:
    name = source if container == "." else container
    for book_id in propose_book_ids(name, source, _SUFFIXES):
        # the second form serves an id that differs from another only by case, on file systems that do not see it
        folder = next((one for one in (escape(book_id), escape(book_id, letters=True)) if one.casefold() not in folders), None)
        if book_id not in taken and folder is not None:
            taken.add(book_id)
            folders.add(folder.casefold())
            return Book(container, book_id, folder)
    raise AssertionError("propose_book_ids never ends")
