"""One progress line per stage: a rich bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

_PLAIN_INTERVAL_S = 15.0


class Progress:
    """Shows done / failed / skipped, rate, time left and the current book; written to standard error."""

    def __init__(self, stage: str, total: int, unit: str) -> None:
        self.stage, self.total, self.unit = stage, total, unit
        self.counts = {"done": 0, "failed": 0, "skipped": 0}
        self.started = self.last_line = time.monotonic()
        self.bar: RichProgress | None = None
        console = Console(stderr=True)
        if console.is_terminal:
            self.bar = RichProgress(
                TextColumn("{task.description:<8}"), BarColumn(bar_width=24), MofNCompleteColumn(),
                TextColumn("{task.fields[state]}"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
                TextColumn("{task.fields[current]}", style="dim", markup=False), console=console, transient=True,
            )  # fmt: skip
            self.task = self.bar.add_task(stage, total=total, state="", current="")

    @staticmethod
    def say(text: str) -> None:
        """One line for the user, beside the progress."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def __enter__(self) -> Progress:
        if self.bar is not None:
            self.bar.start()
        else:
            self.say(f"{self.stage}: {self.total} {self.unit} to do")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()

    def expect(self, total: int) -> None:
        """Say how many inputs there are, now that more is known."""
        self.total = total
        if self.bar is not None:
            self.bar.update(self.task, total=total)

    def advance(self, status: str, current: str) -> None:
        """Count one more input."""
        self.counts[status] += 1
        if self.bar is None and time.monotonic() - self.last_line <= _PLAIN_INTERVAL_S:
            return
        finished = sum(self.counts.values())
        rate = finished / max(time.monotonic() - self.started, 1e-6)
        state = f"{self.counts['failed']} failed, {self.counts['skipped']} skipped, {rate:.1f}/s"
        if self.bar is not None:
            self.bar.update(self.task, advance=1, state=state, current=_shortened(current))
            return
        self.last_line = time.monotonic()
        left_s = (self.total - finished) / max(rate, 1e-6)
        self.say(f"{self.stage}: {finished}/{self.total} {self.unit}, {state}, about {left_s:.0f} s left, at {current}")


def _shortened(text: str, width: int = 40) -> str:
    return text if len(text) <= width else "…" + text[-(width - 1) :]


@contextmanager
def lazy_progress(what: str, unit: str = "pages") -> Iterator[Callable[[int, int, str], None]]:
    """A progress line that begins with the first call of what it gives: (number done, in all, the current one)."""
    line: list[Progress] = []

    def show(_done: int, total: int, current: str) -> None:
        if not line:
            line.append(Progress(what, total, unit).__enter__())
        line[0].advance("done", current)

    try:
        yield show
    finally:
        for one in line:
            one.__exit__(None, None, None)
