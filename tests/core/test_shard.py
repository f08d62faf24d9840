"""Several machines on one workspace: shares of a stage, put together by the run without ``shard=``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comix.core.errors import UsageError, WorkspaceError
from comix.core.journal import Journal, Row, stage_lock
from comix.core.shard import Shard, parse_shard, part_journals, stage_journal
from comix.core.task import Item, Outcome, RunOptions
from comix.core.work import run_stage


def echo(payload: Any) -> Outcome:
    return Outcome(result={"payload": payload}, children=(Row(f"{payload}!/1", "done", parent=str(payload)),))


def build_echo() -> Any:
    return echo


ITEMS = [Item(f"b{number // 3}/{number}", f"b{number // 3}/{number}", "f", group=f"b{number // 3}") for number in range(60)]


def run(journal: Path, shard: Shard, **options: Any) -> Any:
    with stage_journal(journal, "v", shard) as opened:
        return run_stage("test", "things", ITEMS, build_echo, opened, RunOptions(0, shard=shard, **options))


def test_shares_together_are_the_whole_and_nothing_is_done_twice(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "test.sqlite"
    parts = [run(path, Shard(part, 4)) for part in (1, 2, 3, 4)]
    assert sum(one.fresh for one in parts) == 60
    assert all(0 < one.inputs < 60 for one in parts)
    assert not path.exists()
    assert len(part_journals(path, "v")) == 4
    assert run(path, Shard(2, 4)).fresh == 0
    whole = run(path, Shard())
    assert (whole.done, whole.fresh, part_journals(path, "v")) == (60, 0, [])
    with Journal(path, "v") as journal:
        assert journal.counts() == {(False, "done"): 60, (True, "done"): 60}
        assert {row.key: row.result["payload"] for row in journal.rows(parents_only=True)} == {
            one.key: one.key for one in ITEMS
        }
    assert run(path, Shard(2, 4)).fresh == 0  # what was put together is known to every share
    assert run(path, Shard()).fresh == 0


def test_shares_of_another_variant_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "test.sqlite"
    run(path, Shard(1, 2))
    with stage_journal(path, "v@w", Shard(1, 2)) as journal:
        journal.record([(Row("x", "done"), ())])
    with stage_journal(path, "v@w") as journal:
        assert journal.known(["x"])
    assert len(part_journals(path, "v")) == 1


def test_a_share_at_work_is_not_taken_in(tmp_path: Path) -> None:
    path = tmp_path / "test.sqlite"
    run(path, Shard(1, 2))
    (part,) = part_journals(path, "v")
    with stage_lock(part, "v"), pytest.raises(WorkspaceError, match=r"test@v\.1-of-2: another process is working"):
        run(path, Shard())
    assert run(path, Shard()).done == 60


@pytest.mark.parametrize("text", ["3", "0/2", "3/2", "a/b", "1/0", "-1/2"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="wanted shard=k/n"):
        parse_shard(text)


def files(workspace: Path) -> dict[str, str]:
    names = ("pages.parquet", "pages", "detections", "alignment", "dataspec", "lists")
    found = [path for name in names for path in [workspace / name, *(workspace / name).rglob("*")] if path.is_file()]
    return {path.relative_to(workspace).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_two_machines_give_what_one_gives(tmp_path: Path, finished: Path, library: Path, comix: Callable[..., Any]) -> None:
    here = f"workspace={tmp_path / 'shared'}"
    stages = [["extract", f"library={library}"], ["detect"], ["order"], ["analyze"], ["align"]]
    for words in stages:
        for shard in ("shard=1/2", "shard=2/2"):
            assert comix(*words, here, shard).code in (0, 1)
        put_together = comix(*words, here)
        assert "0 to do" in put_together.out, put_together
    assert comix("curate", here).code == 0
    alone = {path: sha for path, sha in files(finished).items() if "/vis/" not in path}
    assert files(tmp_path / "shared") == alone


def test_status_names_shares_that_wait(tmp_path: Path, library: Path, comix: Callable[..., Any]) -> None:
    comix("extract", f"library={library}", f"workspace={tmp_path / 'w'}", "shard=1/2")
    shown = comix("status", f"workspace={tmp_path / 'w'}")
    assert "extract: shards 1-of-2 are not put together yet" in shown.out
