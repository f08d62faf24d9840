"""The journal of a stage: one row per input, in SQLite, that survives kill -9."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
from filelock import FileLock, Timeout

from comix.core.errors import WorkspaceError
from comix.core.ids import escape

T = TypeVar("T")
Status = Literal["done", "failed", "skipped"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    variant TEXT NOT NULL, key TEXT NOT NULL, parent TEXT NOT NULL DEFAULT '', status TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '', hint TEXT NOT NULL DEFAULT '',
    fingerprint TEXT NOT NULL DEFAULT '', result TEXT NOT NULL DEFAULT '{}', seconds REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (variant, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_children ON items (variant, parent) WHERE parent != '';
CREATE INDEX IF NOT EXISTS items_troubled ON items (variant, status) WHERE status != 'done';
"""


class Row(NamedTuple):
    """What became of one input.

    Attributes:
        key: page id, container path, or ``container!/member``.
        parent: key of the input this one came out of, "" for a top-level input.
        status: done, failed or skipped; there is no fourth state.
        reason: short code, "" when done; ``detail`` says what was found, ``hint`` what to do.
        fingerprint: hash of everything the result depends on.
        result: JSON-able; the per-item part that the stage's documented file is derived from.
        seconds: time spent in the worker.
        encoded: the result as JSON already, in place of ``result``.
    """

    key: str
    status: Status
    parent: str = ""
    reason: str = ""
    detail: str = ""
    hint: str = ""
    fingerprint: str = ""
    result: dict[str, Any] = {}  # noqa: RUF012  (never changed)
    seconds: float = 0.0
    encoded: str = ""


_MOST_VARIABLES = 500
"""Keys asked for at once; every SQLite takes that many."""

_COLUMNS = "key, status, parent, reason, detail, hint, fingerprint, result, seconds"
_DELETE_CHILDREN = "DELETE FROM items WHERE variant = ? AND parent = ? AND parent != ''"
_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder()


def _encoded(result: dict[str, Any]) -> str:
    """JSON with sorted keys."""
    try:
        return _ENCODER.encode(result).decode() if result else "{}"
    except TypeError:  # a NumPy number or the like
        return json.dumps(result, ensure_ascii=False, sort_keys=True)


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except msgspec.DecodeError:  # NaN
        return json.loads(text)


class Journal:
    """Rows of one stage; ``variant`` keeps several detectors or readers apart in one file.

    Args:
        path: the SQLite file, made if absent.
        variant: for example the detector's name.
        read_only: only look; works on file systems that cannot be written.

    Attributes:
        base: another journal that is asked for what this one does not know; never written.

    Raises:
        WorkspaceError: the file cannot be opened or is not a journal.
    """

    def __init__(self, path: Path, variant: str = "", read_only: bool = False) -> None:
        self.path, self.variant = path, variant
        self.base: Journal | None = None
        with self._clear_errors():
            if read_only:
                self._db = _connect_read_only(path)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._use_wal()
            self._db.executescript(_SCHEMA)

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise WorkspaceError(
                f"{self.path}: this journal cannot be used ({error}). Free space if the disk is full; if the file is damaged, "
                f"move it away and run `comix {self.path.stem}` again: what is finished is found or made again"
            ) from error

    def _use_wal(self) -> None:
        """Write-ahead logging where the file system supports it; network mounts do not, and keep the default."""
        (mode,) = self._db.execute("PRAGMA journal_mode=WAL").fetchone()
        self._db.execute("PRAGMA synchronous=" + ("NORMAL" if mode == "wal" else "FULL"))

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def state(self) -> dict[str, tuple[Status, str, str]]:
        """``key -> (status, fingerprint, reason)`` of every top-level input."""
        query = "SELECT key, status, fingerprint, reason FROM items WHERE variant = ? AND parent = ''"
        with self._clear_errors(), closing(self._db.execute(query, (self.variant,))) as rows:
            return {key: (status, fingerprint, reason) for key, status, fingerprint, reason in rows}

    def known(self, keys: Sequence[str]) -> dict[str, tuple[Status, str, str]]:
        """``key -> (status, fingerprint, reason)`` of those of these top-level inputs that have a row."""
        found = {} if self.base is None else self.base.known(keys)
        for start in range(0, len(keys), _MOST_VARIABLES):
            some = keys[start : start + _MOST_VARIABLES]
            query = (
                "SELECT key, status, fingerprint, reason FROM items WHERE variant = ? AND parent = '' "
                f"AND key IN ({','.join('?' * len(some))})"
            )
            with self._clear_errors(), closing(self._db.execute(query, (self.variant, *some))) as rows:
                found.update({key: (status, fingerprint, reason) for key, status, fingerprint, reason in rows})
        return found

    def results(self, keys: Sequence[str]) -> dict[str, tuple[str, dict[str, Any]]]:
        """``key -> (status, result)`` of those of these inputs that have a row: a bounded share of a large journal."""
        return {key: (status, _decoded(result)) for key, (status, result) in self.encoded(keys).items()}

    def encoded(self, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
        """As `results`, the result as JSON."""
        found: dict[str, tuple[str, str]] = {}
        for start in range(0, len(keys), _MOST_VARIABLES):
            some = keys[start : start + _MOST_VARIABLES]
            query = f"SELECT key, status, result FROM items WHERE variant = ? AND key IN ({','.join('?' * len(some))})"
            with self._clear_errors(), closing(self._db.execute(query, (self.variant, *some))) as rows:
                found.update({key: (status, result) for key, status, result in rows})
        return found

    def along(self, items: Iterable[T], key: Callable[[T], str]) -> Iterator[tuple[T, str, dict[str, Any]]]:
        """Each of these with the status and result of its row, in their order, some hundred looked up at a time.

        Args:
            items: drawn from as needed.
            key: an item's key; one without a row comes with ``""`` and an empty result.
        """
        waiting = iter(items)
        while some := list(islice(waiting, _MOST_VARIABLES)):
            results = self.results([key(one) for one in some])
            for one in some:
                yield one, *results.get(key(one), ("", {}))

    def take_over(self, other: Journal) -> None:
        """Copy every row of another journal of this variant in one transaction; its rows replace those of the same key."""
        query = f"SELECT variant, {_COLUMNS} FROM items WHERE variant = ?"
        with self._clear_errors(), self._transaction(), closing(other._db.execute(query, (self.variant,))) as rows:
            for row in rows:
                if row[3] == "":  # parent: a top-level input brings all of its children
                    self._db.execute(_DELETE_CHILDREN, (self.variant, row[1]))
            insert = f"INSERT OR REPLACE INTO items (variant, {_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)"
            self._db.executemany(insert, other._db.execute(query, (self.variant,)))

    def record(self, rows: Iterable[tuple[Row, tuple[Row, ...]]]) -> None:
        """Write inputs with their children in one transaction; older children of the same input are replaced."""
        rows = list(rows)
        with self._clear_errors(), self._transaction():
            if self._has_children():
                self._db.executemany(_DELETE_CHILDREN, [(self.variant, row.key) for row, _ in rows])
            values = [self._values(one) for row, children in rows for one in (row, *children)]
            self._db.executemany(f"INSERT OR REPLACE INTO items (variant, {_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)", values)

    def _has_children(self) -> bool:
        query = "SELECT 1 FROM items WHERE variant = ? AND parent != '' LIMIT 1"
        return self._db.execute(query, (self.variant,)).fetchone() is not None

    def forget(self, keys: Sequence[str]) -> None:
        """Drop inputs and their children: what they say no longer holds."""
        if not keys:
            return
        with self._clear_errors(), self._transaction():
            for query in ("DELETE FROM items WHERE variant = ? AND key = ?", _DELETE_CHILDREN):
                self._db.executemany(query, [(self.variant, key) for key in keys])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _values(self, row: Row) -> tuple[Any, ...]:
        return (
            self.variant, row.key, row.status, row.parent, row.reason, row.detail, row.hint, row.fingerprint,
            row.encoded or _encoded(row.result), row.seconds,
        )  # fmt: skip

    def rows(self, status: Status | None = None, parents_only: bool = False, children_only: bool = False) -> Iterator[Row]:
        """Rows in key order, one at a time."""
        query = f"SELECT {_COLUMNS} FROM items WHERE variant = ?"
        query += " AND status = ?" if status else ""
        query += " AND status != 'done'" if status and status != "done" else ""  # says which index serves
        query += " AND parent = ''" if parents_only else ""
        query += " AND parent != ''" if children_only else ""
        arguments = (self.variant, status) if status else (self.variant,)
        with self._clear_errors(), closing(self._db.execute(query + " ORDER BY key", arguments)) as found:
            for key, state, parent, reason, detail, hint, fingerprint, result, seconds in found:
                yield Row(key, state, parent, reason, detail, hint, fingerprint, _decoded(result), seconds)

    def variants(self) -> list[str]:
        """All variants in this file, sorted."""
        with self._clear_errors(), closing(self._db.execute("SELECT DISTINCT variant FROM items")) as rows:
            return sorted(variant for (variant,) in rows)

    def counts(self) -> dict[tuple[bool, str], int]:
        """``(is_child, status) -> n`` over all rows."""
        query = "SELECT parent != '', status, COUNT(*) FROM items WHERE variant = ? GROUP BY 1, 2"
        with self._clear_errors(), closing(self._db.execute(query, (self.variant,))) as rows:
            return {(bool(child), status): n for child, status, n in rows}


@contextmanager
def stage_lock(journal: Path, variant: str) -> Iterator[None]:
    """Keep two runs from doing the same work; released by the system when a process dies.

    Raises:
        WorkspaceError: another process works on the same stage and variant of this workspace.
    """
    name = f"{journal.stem}-{escape(variant).replace('/', '%2F')}.lock" if variant else f"{journal.stem}.lock"
    lock = FileLock(journal.parent / name)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise WorkspaceError(
            f"{journal.stem}: another process is working on it in this workspace ({lock.lock_file}); wait for it, or stop it"
        ) from None
    try:
        yield
    finally:
        lock.release()


def variants(path: Path) -> list[str]:
    """Variants held by a journal file, sorted; empty when there is no file.

    Raises:
        WorkspaceError: the file is not a journal.
    """
    if not path.is_file():
        return []
    with Journal(path, read_only=True) as journal:
        return journal.variants()


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that never writes; a medium that cannot be written has no place for SQLite's own files either."""
    location = path.resolve().as_uri()
    try:
        found = sqlite3.connect(f"{location}?mode=ro", uri=True, timeout=60, isolation_level=None)
        found.execute("SELECT 1 FROM items LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        found = sqlite3.connect(f"{location}?immutable=1", uri=True, timeout=60, isolation_level=None)
        found.execute("SELECT 1 FROM items LIMIT 1").fetchone()
    return found
