"""What was read before of DataSpecs and page images, found again by path, size and time of change."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

from comix.core.errors import WorkspaceError
from comix.io.images import read_image_bytes

FORM = 1
"""Raised when the kept form of a page changes: what was kept before is then read anew."""
_AT_ONCE = 500

Stat = tuple[int, int]
"""Size in bytes and time of change in nanoseconds."""


class Known:
    """Facts by path in one SQLite file, which may be deleted at any time; several processes may use it at once.

    Args:
        file: ``workspace/cache/pages.sqlite``; None to know nothing and keep nothing.
        root: paths below it are kept relative to it, so that a moved workspace is known.

    Raises:
        WorkspaceError: the file cannot be used.
    """

    def __init__(self, file: Path | None, root: Path) -> None:
        self._base = f"{root.resolve().as_posix()}/"
        self.file = file
        self._db: sqlite3.Connection | None = None
        if file is None:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(file, timeout=60, isolation_level=None)
            if self._db.execute("PRAGMA user_version").fetchone() != (FORM,):
                self._db.executescript(
                    "BEGIN IMMEDIATE; DROP TABLE IF EXISTS facts;"
                    "CREATE TABLE facts (kind TEXT, path TEXT, size INTEGER, changed INTEGER, value TEXT,"
                    f" PRIMARY KEY (kind, path)) WITHOUT ROWID; PRAGMA user_version = {FORM}; COMMIT"
                )
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def __enter__(self) -> Known:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._db is not None:
            self._db.close()

    def find(self, kind: str, stats: Mapping[str, Stat | None]) -> dict[str, tuple[bool, Any]]:
        """Path -> whether the file is as it was then, and what was kept of it; paths without facts are left out.

        Args:
            kind: ``dataspec`` or ``image``.
            stats: path -> what the file is like now; None for one that is not there.
        """
        found: dict[str, tuple[bool, Any]] = {}
        names = {self._name(path): path for path in stats}
        keys = list(names)
        for start in range(0, len(keys) if self._db is not None else 0, _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            query = f"SELECT path, size, changed, value FROM facts WHERE kind = ? AND path IN ({','.join('?' * len(some))})"
            try:
                assert self._db is not None
                with closing(self._db.execute(query, (kind, *some))) as rows:
                    for name, size, changed, value in rows:
                        path = names[name]
                        found[path] = (stats[path] == (size, changed), json.loads(value))
            except sqlite3.Error as error:
                raise self._unusable(error) from error
        return found

    def keep(self, kind: str, facts: Sequence[tuple[str, Stat, Any]]) -> None:
        """Keep a JSON-able value for each path; older ones of the same path are replaced."""
        if self._db is None or not facts:
            return
        rows = [(kind, self._name(path), *stat, json.dumps(value, ensure_ascii=False)) for path, stat, value in facts]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?,?,?,?,?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _name(self, path: str) -> str:
        return path.removeprefix(self._base)

    def _unusable(self, error: Exception) -> WorkspaceError:
        return WorkspaceError(f"{self.file}: cannot be used ({error}); free space if the disk is full, else remove the file")


def stat_of(path: str) -> Stat | None:
    """What a file is like; None when there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116  (300,000 of them: a `Path` each would cost more than the call)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def image_hash(path: Path) -> str:
    """SHA-256 of a page image's bytes.

    Raises:
        ItemError: it cannot be read.
    """
    return hashlib.sha256(read_image_bytes(path)).hexdigest()
