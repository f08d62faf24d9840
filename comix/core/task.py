"""What a stage is made of: inputs, outcomes, workers, and how they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from comix.core.journal import Row, Status
from comix.core.shard import ALL, Shard


class Item(NamedTuple):
    """One input of a stage.

    Attributes:
        key: page id or container path.
        payload: what the worker receives; picklable.
        fingerprint: hash of the input's content and every setting that matters; a change means work again.
        outputs: files that must exist for the input to count as done.
        group: the book, for the progress line.
    """

    key: str
    payload: Any
    fingerprint: str
    outputs: tuple[str | Path, ...] = ()
    group: str = ""


class Outcome(NamedTuple):
    """What a worker says of one input; `ItemError` raised by a worker becomes a failed outcome.

    Attributes:
        encoded: the result as JSON already, in place of ``result``.
    """

    status: Status = "done"
    reason: str = ""
    detail: str = ""
    hint: str = ""
    result: dict[str, Any] = {}  # noqa: RUF012  (never changed)
    children: tuple[Row, ...] = ()
    seconds: float = 0.0
    encoded: str = ""


Worker = Callable[[Any], Outcome]
"""Turns one payload into an outcome; built once per worker process.

A worker that has a method ``settle()`` may hold back what it writes until that is called, at the end of a task of
`RunOptions.chunk` inputs; when it fails they are done again one by one.
"""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a stage runs.

    Attributes:
        workers: worker processes; 0 works in this process (no isolation, for cheap steps).
        limit: at most this many inputs, in order; None for all.
        retry: "" to leave failed inputs alone, "failed" to try them again, "failed:REASON" only those.
        timeout_s: wall-clock limit for one input in a worker process.
        memory_mb: memory limit of one worker process.
        resume_hint: the command that goes on, printed on Ctrl-C.
        shard: the share of the inputs that this run works on; see `comix.core.shard`.
        sync: folder whose file system is synced before a batch of outcomes is journalled, for workers that write many small
            files without syncing each; None where each file is synced as it is written.
        chunk: inputs sent to a worker process at once; more than one for inputs that take less than a millisecond.
    """

    workers: int = 1
    limit: int | None = None
    retry: str = ""
    timeout_s: float = 300.0
    memory_mb: int = 4096
    resume_hint: str = ""
    shard: Shard = ALL
    chunk: int = 1
    sync: Path | None = None
