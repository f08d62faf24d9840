"""Tasks of several inputs, and workers that hold back what they write."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from comix.core.errors import WorkspaceError
from comix.core.journal import Journal, Row
from comix.core.pool import _Tasks, run_here, run_in_processes
from comix.core.recorder import Recorder
from comix.core.task import Item, Outcome, RunOptions


class Holding:
    """Writes a task's payloads when it settles; refuses the payload "bad" only then."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._held = folder, []  # type: ignore[var-annotated]

    def __call__(self, payload: str) -> Outcome:
        self._held.append(payload)
        return Outcome(encoded=f'{{"payload": "{payload}"}}')

    def settle(self) -> None:
        held, self._held = self._held, []
        if "bad" in held:
            raise WorkspaceError("no room for bad")
        for payload in held:
            (self._folder / payload).write_text(str(len(held)))


class Builder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self) -> Holding:
        return Holding(self._folder)


class DyingBuilder(Builder):
    """Ends the worker process while it starts, so many times."""

    def __init__(self, folder: Path, times: int) -> None:
        super().__init__(folder)
        self._times = times

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        starts = self._folder / "starts"
        n = int(starts.read_text()) if starts.exists() else 0
        if n < self._times:
            starts.write_text(str(n + 1))
            os.kill(os.getpid(), signal.SIGKILL)


def items(names: list[str]) -> Iterator[Item]:
    return (Item(name, name, "", group=name[0]) for name in names)


def test_a_task_ends_with_its_book() -> None:
    names = [f"{book}{page}" for book, n in (("a", 5), ("b", 2), ("c", 30)) for page in range(n)]
    tasks = _Tasks(items(names), 4)
    sizes = []
    while task := tasks.next():
        sizes.append([(book, len(list(pages))) for book, pages in groupby(task, key=lambda one: one.group)])
    assert sizes[0] == [("a", 5)]
    assert sizes[1] == [("b", 2), ("c", 6)]  # a book of any size: at most twice the size asked for
    assert sum(n for task in sizes for _, n in task) == 37


def test_what_is_held_back_is_written_at_the_end_of_a_task_and_one_by_one_where_that_fails(tmp_path: Path) -> None:
    names = ["a1", "a2", "bad", "a3"]
    for run in (run_here, run_in_processes):
        folder = tmp_path / run.__name__
        folder.mkdir()
        options = () if run is run_here else (RunOptions(workers=1, chunk=4),)
        found = [one for one in run(items(names), Builder(folder), *options, threading.Event()) if one]  # type: ignore[operator]
        outcomes = {item.key: (outcome.status, outcome.reason) for item, outcome in found}
        assert outcomes == {**dict.fromkeys(("a1", "a2", "a3"), ("done", "")), "bad": ("failed", "write_failed")}
        assert sorted(path.name for path in folder.iterdir()) == ["a1", "a2", "a3"]


def test_everything_is_in_the_journal_when_a_recorder_ends(tmp_path: Path) -> None:
    for sync in (None, tmp_path):
        with Journal(tmp_path / "test.sqlite", str(sync)) as journal:
            with Recorder(journal, sync) as recorder:
                for number in range(50):
                    recorder.add((Row(str(number), "done", encoded=f'{{"n": {number}}}'), ()))
                    recorder.record(at_once=number % 10 == 0)
            assert {key: result["n"] for key, (_, result) in journal.results([str(n) for n in range(50)]).items()} == {
                str(number): number for number in range(50)
            }


def test_workers_that_die_while_they_start(tmp_path: Path) -> None:
    for times in (1, 1000):
        folder = tmp_path / str(times)
        folder.mkdir()
        work = run_in_processes(items(["a1", "a2"]), DyingBuilder(folder, times), RunOptions(workers=1), threading.Event())
        if times == 1:
            assert sorted(item.key for item, outcome in filter(None, work) if outcome.status == "done") == ["a1", "a2"]
        else:
            with pytest.raises(WorkspaceError, match="died 3 times before they began to work"):
                list(work)
