"""The stage runner: every input ends in one of done, failed, skipped; a killed run goes on where it stopped."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, field
from itertools import chain, islice

from comix.core.errors import UsageError
from comix.core.interrupt import interruptible
from comix.core.journal import Journal, Row, Status, stage_lock
from comix.core.pool import run_here, run_in_processes
from comix.core.progress import Progress
from comix.core.reasons import REASONS, hint_for
from comix.core.recorder import Recorder
from comix.core.task import Item, Outcome, RunOptions, Worker


@dataclass(slots=True)
class Summary:
    """Counts over the inputs of one run: ``done + failed + skipped + not_reached == inputs``.

    Attributes:
        fresh: how many of them were worked on in this run.
        not_reached: left over because of Ctrl-C; the same command goes on with them.
    """

    stage: str
    unit: str
    inputs: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0
    fresh: int = 0
    not_reached: int = 0
    interrupted: bool = False
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One printed line whose counts add up."""
        text = f"{self.stage}: {self.inputs} {self.unit} = {self.done} done + {self.failed} failed + {self.skipped} skipped" + (
            f" + {self.not_reached} not reached" if self.not_reached else ""
        )
        work = f"{self.fresh} worked on now in {self.seconds:.1f} s" if self.fresh else "0 to do"
        return "; ".join([f"{text} ({work})", *self.notes])

    @property
    def exit_code(self) -> int:
        """0 when all is well, 1 when inputs failed, 130 when interrupted."""
        return 130 if self.interrupted else int(self.failed > 0)


def parse_retry(retry: str) -> tuple[bool, str]:
    """Whether to retry failed inputs, and which reason only ("" for all).

    >>> parse_retry("failed:timeout")
    (True, 'timeout')

    Raises:
        UsageError: anything but "", "failed" or "failed:REASON".
    """
    if not retry:
        return False, ""
    word, _, reason = retry.partition(":")
    if word != "failed" or (reason and reason not in REASONS):
        raise UsageError(f"retry={retry}: wanted retry=failed or retry=failed:REASON (see `comix failures` for reasons)")
    return True, reason


Run = Callable[[Iterator[Item], threading.Event], Iterator[tuple[Item, Outcome] | None]]
"""A way of working through inputs: draws them as work proceeds and gives outcomes as they come, None now and then while
nothing comes. When the event is set it draws no more and ends with what is in flight."""


def run_stage(
    stage: str,
    unit: str,
    items: Iterable[Item],
    build_worker: Callable[[], Worker],
    journal: Journal,
    options: RunOptions,
    n_items: int | None = None,
    run: Run | None = None,
) -> Summary:
    """Work through the inputs that are not finished yet and journal each outcome as it comes.

    Args:
        stage: its name, for the progress line.
        unit: plural of an input ("pages").
        items: all inputs, each key once; drawn from once, as work proceeds, so that a generator keeps memory flat.
        build_worker: makes the worker inside each worker process; picklable.
        journal: where outcomes go.
        options: see `RunOptions`.
        n_items: how many inputs there are, where ``items`` has no length.
        run: another way of working than the worker processes that ``options`` ask for.

    Returns:
        Counts over ``items`` (of this shard, after ``limit``), earlier outcomes included.
    """
    summary = Summary(stage, unit)
    started = time.monotonic()
    total = len(items) if isinstance(items, Sized) else n_items or 0
    total = total if options.limit is None else min(total, options.limit)
    with stage_lock(journal.path, journal.variant):
        inputs = _Inputs(items, journal, options, summary, total // options.shard.n_parts)
        first = next(inputs.todo, None)
        if first is not None:
            _work(chain([first], inputs.todo), run or _usual_way(build_worker, options), journal, options, summary, inputs)
            for _ in inputs.todo:  # interrupted: the rest is counted, not done
                pass
    summary.seconds = time.monotonic() - started
    summary.not_reached = summary.inputs - summary.done - summary.failed - summary.skipped
    if not options.shard.is_all:
        summary.notes.append(f"shard {options.shard}: when all are through, the same command without shard= puts them together")
    return summary


class _Inputs:
    """A stage's inputs, looked up in the journal some hundred at a time; finished ones are counted, the others are to do.

    Args:
        items: all inputs.
        journal: what is known; rows of inputs that changed are dropped from it.
        options: share, limit and what to retry.
        summary: where inputs, and those that are finished, are counted.
        total: expected number of inputs.
    """

    _at_once = 500

    def __init__(self, items: Iterable[Item], journal: Journal, options: RunOptions, summary: Summary, total: int) -> None:
        self._journal, self._options, self._summary = journal, options, summary
        self._retry = parse_retry(options.retry)
        self._items = (one for one in items if options.shard.is_all or options.shard.owns(one.group or one.key))
        self._total = total
        self.todo = self._draw()

    @property
    def n_left(self) -> int:
        """About how many inputs there are apart from those that were found finished."""
        known = self._summary.done + self._summary.failed + self._summary.skipped - self._summary.fresh
        return max(self._total - known, self._summary.fresh)

    def _draw(self) -> Iterator[Item]:
        while some := list(islice(self._items, self._at_once)):
            known = self._journal.known([one.key for one in some])
            self._journal.forget([one.key for one in some if one.key in known and known[one.key][1] != one.fingerprint])
            for item in some:
                if self._options.limit is not None and self._summary.inputs >= self._options.limit:
                    continue
                self._summary.inputs += 1
                if _needs_work(item, known.get(item.key), *self._retry):
                    yield item
                else:
                    _count(self._summary, known[item.key][0])


MENDED_ELSEWHERE = frozenset({"image_missing", "missing_input", "upstream_failed", "write_failed", "budget_spent", "in_batch"})
"""Troubles that go away when something else is done: such inputs are tried again by themselves."""


def _needs_work(item: Item, known: tuple[Status, str, str] | None, retry: bool, only_reason: str) -> bool:
    if known is None or known[1] != item.fingerprint:
        return True
    status, _, reason = known
    if reason in MENDED_ELSEWHERE:
        return True
    if status == "done":
        return not all(os.path.exists(path) for path in item.outputs)  # noqa: PTH110  (half the time)
    return status == "failed" and retry and only_reason in ("", reason)


def _count(summary: Summary, status: Status) -> None:
    if status == "done":
        summary.done += 1
    elif status == "failed":
        summary.failed += 1
    else:
        summary.skipped += 1


def _usual_way(build_worker: Callable[[], Worker], options: RunOptions) -> Run:
    if options.workers > 0:
        return lambda todo, stop: run_in_processes(todo, build_worker, options, stop)
    return lambda todo, stop: run_here(todo, build_worker, stop)


def _work(todo: Iterator[Item], run: Run, journal: Journal, options: RunOptions, summary: Summary, inputs: _Inputs) -> None:
    hint = f" Go on later with:\n  {options.resume_hint}" if options.resume_hint else ""
    message = f"Stopping: finishing what is in flight (Ctrl-C again to stop at once).{hint}"
    with (
        interruptible(message) as stop,
        Progress(summary.stage, inputs.n_left, summary.unit) as progress,
        Recorder(journal, options.sync) as recorder,
    ):
        try:
            for finished in run(todo, stop):
                if finished is not None:
                    item, outcome = finished
                    recorder.add(_as_rows(item, outcome))
                    _count(summary, outcome.status)
                    summary.fresh += 1
                    progress.advance(outcome.status, item.group or item.key)
                if recorder.record(at_once=finished is None):  # None: nothing new for a while
                    progress.expect(inputs.n_left)
        finally:
            summary.interrupted = stop.is_set()


def _as_rows(item: Item, outcome: Outcome) -> tuple[Row, tuple[Row, ...]]:
    hint = outcome.hint or hint_for(outcome.reason)
    row = Row(
        item.key, outcome.status, "", outcome.reason, outcome.detail, hint, item.fingerprint, outcome.result, outcome.seconds,
        outcome.encoded,
    )  # fmt: skip
    return row, outcome.children
