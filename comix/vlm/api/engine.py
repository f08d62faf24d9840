"""Many pages on their way at once, in one process: the asynchronous way of working through a stage's inputs."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from comix.core.errors import ItemError, WorkspaceError
from comix.core.task import Item, Outcome
from comix.vlm.api.asker import Asker, DrainingError, ServiceStopsError
from comix.vlm.api.ledger import LedgerError

Answer = Callable[[Any], Awaitable[Outcome]]
"""Turns one payload into an outcome."""


def pump(
    runner: asyncio.Runner, todo: Iterator[Item], answer: Answer, asker: Asker, window: int, stop: threading.Event
) -> Iterator[tuple[Item, Outcome] | None]:
    """Outcomes as they come; inputs are drawn as others finish, at most ``window`` at once, so that memory stays flat.

    When the event is set nothing is sent any more, requests on their way get ``drain_s`` seconds, and inputs without an
    outcome stay as they were. The loop only turns while this generator is asked for more, in the caller's own thread.

    Raises:
        ServiceStopsError: no further request makes sense; outcomes that were ready have been given.
        LedgerError: what is spent can no longer be written down.
    """
    flying: dict[asyncio.Task[Outcome], Item] = {}
    halt: Exception | None = None
    drain_until = 0.0
    while True:
        stopping = stop.is_set() or halt is not None
        while not stopping and len(flying) < window and (item := next(todo, None)) is not None:
            flying[runner.get_loop().create_task(_as_coroutine(answer, item.payload))] = item
        if stopping and not asker.draining:
            asker.draining, drain_until = True, time.monotonic() + asker.endpoint.drain_s
        if not flying:
            break
        if stopping and (not asker.on_wire or time.monotonic() > drain_until):
            runner.run(_settled(flying))
        finished = runner.run(_finished(flying, 0.2 if stopping else 0.5))
        if not finished:
            yield None
        for task in finished:
            item = flying.pop(task)
            try:
                outcome = _outcome(task, asker)
            except (ServiceStopsError, LedgerError) as error:
                halt = halt or error
                continue
            if outcome is not None:
                yield item, outcome
    if halt is not None:
        raise halt


async def _as_coroutine(answer: Answer, payload: Any) -> Outcome:
    started = time.monotonic()
    outcome = await answer(payload)
    return Outcome(
        outcome.status, outcome.reason, outcome.detail, outcome.hint, outcome.result, outcome.children,
        time.monotonic() - started,
    )  # fmt: skip


async def _finished(flying: dict[asyncio.Task[Outcome], Item], timeout: float) -> set[asyncio.Task[Outcome]]:
    done, _ = await asyncio.wait(flying, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _settled(flying: dict[asyncio.Task[Outcome], Item]) -> None:
    """Give tasks that have their reply a moment to write it, then end the others."""
    _, waiting = await asyncio.wait(flying, timeout=0.3)
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting, timeout=1.0)


def _outcome(task: asyncio.Task[Outcome], asker: Asker) -> Outcome | None:
    """What became of one input; None when it was not reached."""
    if task.cancelled():
        return None
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, ServiceStopsError | LedgerError):
        raise error
    if isinstance(error, DrainingError):
        return None
    if isinstance(error, ItemError):
        return Outcome("failed", error.reason, error.detail, error.hint)
    if isinstance(error, WorkspaceError):
        return Outcome("failed", "write_failed", str(error))
    if isinstance(error, MemoryError):
        return Outcome("failed", "out_of_memory", str(error))
    trace = "".join(traceback.format_exception(error, limit=-8))
    return Outcome("failed", "internal_error", trace)
