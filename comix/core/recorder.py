"""Outcomes on their way into a journal, some at a time, what they speak of being on disk before."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from comix.core.files import sync_file_system
from comix.core.journal import Journal, Row

Rows = tuple[Row, tuple[Row, ...]]
"""An input's row with its children's."""

_INTERVAL_S = 0.5
_SYNC_INTERVAL_S = 2.0
"""A sync writes what others left unwritten on the file system too: seldom is cheaper."""


class Recorder:
    """Journals outcomes twice a second, or every two seconds where files have to be synced before.

    Used as a context manager, at whose end all are in the journal.

    Args:
        journal: gets them.
        sync: folder whose file system is synced before outcomes are journalled, in a thread, so that the work goes on
            meanwhile; None where each file was synced as it was written.
    """

    def __init__(self, journal: Journal, sync: Path | None) -> None:
        self._journal, self._sync = journal, sync
        self._waiting: list[Rows] = []
        self._syncing: list[Rows] = []
        self._last = time.monotonic()
        self._interval_s = _INTERVAL_S if sync is None else _SYNC_INTERVAL_S
        self._thread = ThreadPoolExecutor(1) if sync is not None else None
        self._synced: Future[None] | None = None

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._end_sync()
            if self._waiting:
                if self._sync is not None:
                    sync_file_system(self._sync)
                self._journal.record(self._waiting)
        finally:
            if self._thread is not None:
                self._thread.shutdown()

    def add(self, rows: Rows) -> None:
        """Take one outcome."""
        self._waiting.append(rows)

    def record(self, at_once: bool = False) -> bool:
        """Journal what has waited long enough, or all of it at once; whether it was time to."""
        if not (at_once or time.monotonic() - self._last > self._interval_s):
            return False
        self._last = time.monotonic()
        if self._thread is None or self._sync is None:
            if self._waiting:
                self._journal.record(self._waiting)
                self._waiting = []
        elif self._synced is None or self._synced.done():
            self._end_sync()
            if self._waiting:
                self._syncing, self._waiting = self._waiting, []
                self._synced = self._thread.submit(sync_file_system, self._sync)
        return True

    def _end_sync(self) -> None:
        """Journal what was being synced."""
        if self._synced is not None:
            self._synced.result()
            self._journal.record(self._syncing)
            self._synced, self._syncing = None, []
