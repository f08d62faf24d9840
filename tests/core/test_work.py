"""The stage runner: crashes, hangs, memory, limits, and what a second run does."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from comix.core.errors import ItemError, UsageError
from comix.core.journal import Journal
from comix.core.task import Item, Outcome, RunOptions
from comix.core.work import run_stage


def troubled(payload: Any) -> Outcome:
    if payload == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if payload == "hang":
        time.sleep(60)
    if payload == "hog":
        return Outcome(result={"n": len(bytearray(3 << 30))})
    if payload == "bad":
        raise ItemError("image_unreadable", "half a page")
    if payload == "bug":
        raise KeyError("not expected")
    if payload == "skip":
        return Outcome("skipped", "not_a_comic")
    return Outcome(result={"payload": payload})


def build_troubled() -> Any:
    return troubled


def items(*payloads: str) -> list[Item]:
    return [Item(f"{number}", payload, payload) for number, payload in enumerate(payloads)]


def test_each_trouble_is_one_row_and_the_rest_is_done(tmp_path: Path) -> None:
    work = items("a", "crash", "b", "hang", "c", "hog", "bad", "bug", "skip", "d")
    with Journal(tmp_path / "j.sqlite") as journal:
        options = RunOptions(workers=2, timeout_s=3, memory_mb=1024)
        summary = run_stage("test", "things", work, build_troubled, journal, options)
        rows = {row.key: row for row in journal.rows()}
    assert (summary.done, summary.failed, summary.skipped, summary.not_reached) == (4, 5, 1, 0)
    assert rows["1"].reason == "worker_crashed"
    assert rows["3"].reason == "timeout"
    assert rows["5"].reason == "out_of_memory"
    assert (rows["6"].reason, rows["6"].detail) == ("image_unreadable", "half a page")
    assert rows["7"].reason == "internal_error"
    assert "KeyError" in rows["7"].detail
    assert all(row.hint for row in rows.values() if row.status != "done")


def test_only_what_changed_is_worked_on_again(tmp_path: Path) -> None:
    calls: list[str] = []

    def count(payload: str) -> Outcome:
        calls.append(payload)
        return troubled(payload)

    with Journal(tmp_path / "j.sqlite") as journal:
        run = partial(run_stage, "test", "things", build_worker=lambda: count, journal=journal)
        assert run(items("a", "bad", "c"), options=RunOptions(0, limit=2)).inputs == 2
        assert run(items("a", "bad", "c"), options=RunOptions(0)).fresh == 1
        assert run(items("a", "bad", "c"), options=RunOptions(0)).fresh == 0
        assert run(items("A", "bad", "c"), options=RunOptions(0)).fresh == 1
        assert run(items("A", "bad", "c"), options=RunOptions(0, retry="failed:timeout")).fresh == 0
        assert run(items("A", "bad", "c"), options=RunOptions(0, retry="failed")).fresh == 1
    assert calls == ["a", "bad", "c", "A", "bad"]


def test_a_missing_output_is_made_again(tmp_path: Path) -> None:
    output = tmp_path / "out"
    item = Item("x", "x", "x", (output,))
    with Journal(tmp_path / "j.sqlite") as journal:
        for expected in (1, 0):
            summary = run_stage("t", "things", [item], build_troubled, journal, RunOptions(0))
            output.touch()
            assert summary.fresh == expected
        output.unlink()
        assert run_stage("t", "things", [item], build_troubled, journal, RunOptions(0)).fresh == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_finishes_what_is_in_flight_and_says_how_to_go_on(workers: int, tmp_path: Path) -> None:
    work = [Item(f"{n:03}", n, "") for n in range(200)]
    with Journal(tmp_path / "j.sqlite") as journal:
        threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        summary = run_stage("t", "things", work, build_slow, journal, RunOptions(workers, resume_hint="comix t"))
        n_rows = len(list(journal.rows()))
    assert 0 < summary.done < 200
    assert summary.done == n_rows
    assert summary.not_reached == 200 - summary.done
    assert summary.exit_code == 130


def slow(payload: Any) -> Outcome:
    time.sleep(0.05)
    return Outcome()


def build_slow() -> Any:
    return slow


def test_retry_wants_known_words(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal, pytest.raises(UsageError, match="retry=failed"):
        run_stage("t", "things", [], build_slow, journal, RunOptions(0, retry="all"))
