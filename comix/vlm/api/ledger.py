"""The ledger: one row per attempt with its raw reply and cost, in SQLite; also the cache that nothing is paid past.

A row is written before its request leaves and completed the moment the reply is there, so that kill -9 loses at most what
is on the wire; such rows are counted at their worst case ever after.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from comix.core.errors import WorkspaceError
from comix.vlm.reply import Exchange, Verdict

_SCHEMA = """
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY, started REAL NOT NULL, reader TEXT NOT NULL, service TEXT NOT NULL, model TEXT NOT NULL,
    page_id TEXT NOT NULL, part TEXT NOT NULL, prompt TEXT NOT NULL, key TEXT NOT NULL, structured TEXT NOT NULL,
    batch TEXT NOT NULL DEFAULT '', held_usd REAL NOT NULL, class TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '',
    status INTEGER NOT NULL DEFAULT 0, finish TEXT NOT NULL DEFAULT '', prompt_tokens INTEGER, completion_tokens INTEGER,
    cost_usd REAL NOT NULL DEFAULT 0, at_risk_usd REAL NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0,
    accepted INTEGER NOT NULL DEFAULT 0, diff TEXT NOT NULL DEFAULT '', reply BLOB
);
CREATE INDEX IF NOT EXISTS attempts_key ON attempts (key, accepted);
CREATE INDEX IF NOT EXISTS attempts_page ON attempts (page_id);
CREATE INDEX IF NOT EXISTS attempts_batch ON attempts (batch) WHERE batch != '';
CREATE TABLE IF NOT EXISTS probes (
    service TEXT, model TEXT, structured TEXT, sees INTEGER, note TEXT, PRIMARY KEY (service, model)
);
CREATE TABLE IF NOT EXISTS batches (
    batch TEXT PRIMARY KEY, reader TEXT NOT NULL, service TEXT NOT NULL, created REAL NOT NULL, n INTEGER NOT NULL,
    status TEXT NOT NULL, collected INTEGER NOT NULL DEFAULT 0
);
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is known of a request before it leaves."""

    reader: str
    service: str
    model: str
    page_id: str
    part: str
    prompt: str
    key: str
    structured: str
    held_usd: float
    batch: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """An accepted reply from before."""

    body: bytes
    structured: str


@dataclass(frozen=True, slots=True)
class Last:
    """The latest attempt at a request.

    Attributes:
        row: of the ledger.
        cls: "" while it is on its way, ``collected`` when it came in a batch and nobody has looked at it yet.
        status: of HTTP.
    """

    row: int
    cls: Any
    detail: str
    batch: str
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over attempts: dollars known to be spent, dollars at risk (cost never became known), attempts, tokens."""

    cost_usd: float
    at_risk_usd: float
    n: int
    prompt_tokens: int
    completion_tokens: int


class LedgerError(WorkspaceError):
    """The ledger cannot be written: no further request may leave."""


class Ledger:
    """Attempts of one workspace, or of one share of its work.

    Args:
        path: the SQLite file, made if absent.
        others: ledgers of other shares; asked for accepted replies and costs, never written.

    Raises:
        LedgerError: a file cannot be opened or is no ledger.
    """

    def __init__(self, path: Path, others: Sequence[Path] = ()) -> None:
        self.path = path
        with self._clear_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
            (mode,) = self._db.execute("PRAGMA journal_mode=WAL").fetchone()
            self._db.execute("PRAGMA synchronous=" + ("NORMAL" if mode == "wal" else "FULL"))
            self._db.executescript(_SCHEMA)
            uris = [f"{one.resolve().as_uri()}?mode=ro" for one in others]
            self._all = [self._db, *(sqlite3.connect(uri, uri=True, timeout=60, isolation_level=None) for uri in uris)]

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(
                f"{self.path}: the ledger of requests cannot be used ({error}); free space if the disk is full. Do not delete "
                "it: it holds the replies that were paid for"
            ) from error

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for one in self._all:
            one.close()

    def settle_lost(self, reader: str) -> int:
        """Count what a killed run left on the wire as lost, at its worst case; how many there were."""
        with self._clear_errors():
            query = (
                "UPDATE attempts SET class = 'lost', detail = 'the run was killed while it was on the wire', "
                "at_risk_usd = held_usd WHERE class = '' AND batch = '' AND reader = ?"
            )
            return self._db.execute(query, (reader,)).rowcount

    def begin(self, one: Attempt) -> int:
        """Write down a request that is about to leave; its row."""
        with self._clear_errors():
            names = Attempt.__slots__
            query = f"INSERT INTO attempts (started, {', '.join(names)}) VALUES ({', '.join('?' * (len(names) + 1))})"
            cursor = self._db.execute(query, (time.time(), *(getattr(one, name) for name in names)))
            return int(cursor.lastrowid or 0)

    def begin_all(self, some: Sequence[Attempt]) -> None:
        """Write down the lines of a batch in one transaction."""
        with self._clear_errors():
            self._db.execute("BEGIN IMMEDIATE")
            for one in some:
                self.begin(one)
            self._db.execute("COMMIT")

    def finish(
        self, row: int, verdict: Verdict, exchange: Exchange, cost_usd: float, at_risk_usd: float, cls: str = ""
    ) -> None:
        """Complete a row, raw reply included; ``cls="collected"`` leaves it to `judge` to class it."""
        values: dict[str, Any] = {
            "class": cls or verdict.cls, "detail": verdict.detail, "status": verdict.status, "finish": verdict.finish,
            "prompt_tokens": verdict.usage.prompt_tokens, "completion_tokens": verdict.usage.completion_tokens,
            "cost_usd": cost_usd, "at_risk_usd": at_risk_usd, "seconds": exchange.seconds,
            "accepted": int(verdict.accepted), "diff": verdict.diff,
            "reply": zlib.compress(exchange.body, 3) if exchange.body else None,
        }  # fmt: skip
        with self._clear_errors():
            names = ", ".join(f"{name} = ?" for name in values)
            self._db.execute(f"UPDATE attempts SET {names} WHERE id = ?", (*values.values(), row))

    def interrupt(self, row: int, at_risk_usd: float) -> None:
        """Complete the row of a request that was given up on the way."""
        with self._clear_errors():
            query = (
                "UPDATE attempts SET class = 'lost', detail = 'given up when the run was stopped', at_risk_usd = ? WHERE id = ?"
            )
            self._db.execute(query, (at_risk_usd, row))

    def accepted(self, key: str) -> Kept | None:
        """The accepted reply to the same request, if there is one."""
        query = "SELECT reply, structured FROM attempts WHERE key = ? AND accepted = 1 ORDER BY id DESC LIMIT 1"
        with self._clear_errors():
            for database in self._all:
                row = database.execute(query, (key,)).fetchone()
                if row is not None:
                    return Kept(zlib.decompress(row[0]), row[1])
        return None

    def last(self, key: str) -> Last | None:
        """The latest attempt at a request."""
        query = "SELECT id, class, detail, batch, status, reply FROM attempts WHERE key = ? ORDER BY id DESC LIMIT 1"
        with self._clear_errors():
            row = self._db.execute(query, (key,)).fetchone()
        if row is None:
            return None
        return Last(row[0], row[1], row[2], row[3], row[4], zlib.decompress(row[5]) if row[5] else b"")

    def judge(self, row: int, verdict: Verdict) -> None:
        """Class a reply that came in a batch, now that its page is at hand."""
        with self._clear_errors():
            query = "UPDATE attempts SET class = ?, detail = ?, finish = ?, accepted = ?, diff = ? WHERE id = ?"
            values = (verdict.cls, verdict.detail, verdict.finish, int(verdict.accepted), verdict.diff, row)
            self._db.execute(query, values)

    def totals(self, reader: str = "", since: float = 0.0, model: str = "", prompt: str = "", accepted: bool = False) -> Totals:
        """Sums over attempts, of one reader, model or prompt where given, over all shares."""
        query = (
            "SELECT TOTAL(cost_usd), TOTAL(at_risk_usd + (class = '') * held_usd), COUNT(*), "
            "SUM(COALESCE(prompt_tokens, 0)), SUM(COALESCE(completion_tokens, 0)) FROM attempts "
            "WHERE (? = '' OR reader = ?) AND started >= ? AND (? = '' OR model = ?) AND (? = '' OR prompt = ?) "
            "AND accepted >= ?"
        )
        values = (reader, reader, since, model, model, prompt, prompt, int(accepted))
        with self._clear_errors():
            rows = [database.execute(query, values).fetchone() for database in self._all]
        sums = [sum(row[place] or 0 for row in rows) for place in range(5)]
        return Totals(float(sums[0]), float(sums[1]), *(int(one) for one in sums[2:]))

    def by_class(self, reader: str) -> dict[str, tuple[int, float]]:
        """Class -> (attempts, seconds on the wire together) of one reader, over all shares."""
        found: dict[str, tuple[int, float]] = {}
        query = "SELECT class, COUNT(*), TOTAL(seconds) FROM attempts WHERE reader = ? AND class != '' GROUP BY class"
        with self._clear_errors():
            for database in self._all:
                for cls, n, seconds in database.execute(query, (reader,)):
                    before = found.get(cls, (0, 0.0))
                    found[cls] = (before[0] + n, before[1] + seconds)
        return found

    def raw_replies(self, page_id: str) -> list[tuple[str, str, str, bytes]]:
        """(part, class, detail, raw reply) of every attempt at a page, oldest first."""
        query = "SELECT part, class, detail, reply FROM attempts WHERE page_id = ? ORDER BY id"
        with self._clear_errors():
            rows = self._db.execute(query, (page_id,)).fetchall()
        return [(part, cls, detail, zlib.decompress(reply) if reply else b"") for part, cls, detail, reply in rows]

    def probe(self, service: str, model: str) -> tuple[str, bool, str] | None:
        """(structured output mode, whether the model sees pictures, note) found earlier."""
        with self._clear_errors():
            query = "SELECT structured, sees, note FROM probes WHERE service = ? AND model = ?"
            row = self._db.execute(query, (service, model)).fetchone()
        return None if row is None else (row[0], bool(row[1]), row[2])

    def keep_probe(self, service: str, model: str, structured: str, sees: bool, note: str) -> None:
        """Write down what a service can do."""
        with self._clear_errors():
            self._db.execute("INSERT OR REPLACE INTO probes VALUES (?,?,?,?,?)", (service, model, structured, int(sees), note))

    def keep_batch(self, batch: str, reader: str, service: str, n: int, status: str) -> None:
        """Write down a batch that the service has taken."""
        with self._clear_errors():
            query = "INSERT OR REPLACE INTO batches (batch, reader, service, created, n, status) VALUES (?,?,?,?,?,?)"
            self._db.execute(query, (batch, reader, service, time.time(), n, status))

    def unsent_batches(self, reader: str) -> list[str]:
        """Marks of batches that were written down and may or may not have left: the run was killed meanwhile."""
        with self._clear_errors():
            query = "SELECT DISTINCT batch FROM attempts WHERE reader = ? AND batch LIKE 'unsent-%'"
            return [str(batch) for (batch,) in self._db.execute(query, (reader,)).fetchall()]

    def drop_batch(self, batch: str) -> None:
        """Forget the lines of a batch that never left."""
        with self._clear_errors():
            self._db.execute("DELETE FROM attempts WHERE batch = ?", (batch,))

    def rename_batch(self, before: str, after: str) -> None:
        """Give lines that were written down before sending the batch that they left in."""
        with self._clear_errors():
            self._db.execute("UPDATE attempts SET batch = ? WHERE batch = ?", (after, before))

    def open_batches(self, reader: str) -> list[tuple[str, int]]:
        """(batch, lines) that are not collected yet, oldest first."""
        with self._clear_errors():
            query = "SELECT batch, n FROM batches WHERE reader = ? AND collected = 0 ORDER BY created"
            return [(str(batch), int(n)) for batch, n in self._db.execute(query, (reader,)).fetchall()]

    def close_batch(self, batch: str, status: str) -> None:
        """A batch's replies are all here."""
        with self._clear_errors():
            self._db.execute("UPDATE batches SET status = ?, collected = 1 WHERE batch = ?", (status, batch))

    def batch_rows(self, batch: str) -> dict[str, tuple[int, float, str]]:
        """``page id -> (row, held dollars, class)`` of the lines of a batch."""
        with self._clear_errors():
            query = "SELECT page_id, id, held_usd, class FROM attempts WHERE batch = ?"
            return {page: (row, held, cls) for page, row, held, cls in self._db.execute(query, (batch,)).fetchall()}
