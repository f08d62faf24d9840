"""Readers over the network against a local server that plays every fault."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parent))

from drawn import drawn_workspace
from fakeserver import FakeServer
from scripts import ANSWERS, TRIES, Case, cases, slow_wire

from comix.core.journal import Journal
from comix.core.task import RunOptions
from comix.core.work import Summary
from comix.core.workspace import Workspace
from comix.io.analysis import analysis_path
from comix.paths import conf_dir
from comix.vlm.api.pace import Clock
from comix.vlm.api.reader import ApiReader, Place
from comix.vlm.base import SelfRunning
from comix.vlm.stage import run_analyze

PRICES = {"models": {"fake": {"prompt_usd": 0.5, "completion_usd": 10.0, "image_tokens": 500, "batch_factor": 0.5}}}


def prompt(name: str) -> dict[str, Any]:
    """A shipped prompt with its fallback, as Hydra composes it."""
    config = yaml.safe_load((conf_dir() / "prompt" / f"{name}.yaml").read_text(encoding="utf-8"))
    if "defaults" in config:
        config["fallback"] = yaml.safe_load((conf_dir() / "prompt" / "panel_crop.yaml").read_text(encoding="utf-8"))
    return {key: value for key, value in config.items() if key != "defaults"}


def reader_of(server: FakeServer, workspace: Workspace, **settings: Any) -> ApiReader:
    prices = workspace.root / "prices.yaml"
    prices.write_text(yaml.safe_dump(PRICES), encoding="utf-8")
    speed = settings.pop("speed", 1000.0)
    error_log = settings.pop("error_log", None)
    usual: dict[str, Any] = {
        "prompt": prompt("page"), "base_url": server.base_url, "model": "fake", "max_usd": 100.0, "structured": "json_schema",
        "max_attempts": TRIES, "answer_retries": ANSWERS - 1, "concurrency": 32, "connect_timeout_s": 5.0,
    }  # fmt: skip
    return ApiReader(**{**usual, **settings}).at(Place(workspace.root, (prices,), error_log, clock=Clock(speed)))


def analyzed(reader: ApiReader, workspace: Workspace, **options: Any) -> Summary:
    def none() -> Any:
        raise AssertionError("no worker process is wanted")

    assert isinstance(reader, SelfRunning)
    return run_analyze(workspace, none, reader, reader.shaping, "gutter", RunOptions(**options))


def rows(workspace: Workspace, query: str) -> list[Any]:
    with sqlite3.connect(workspace.root / "vlm" / "ledger.sqlite") as database:
        return database.execute(query).fetchall()


def wrong_ones(workspace: Workspace, reader: ApiReader, scripted: Sequence[Case], n_seen: Sequence[int]) -> list[Any]:
    """Cases whose page did not end as scripted: class, number of requests, state, file."""
    wrong = []
    with Journal(workspace.journal("analyze"), reader.name, read_only=True) as journal:
        for row, case, n in zip(journal.rows(), scripted, n_seen, strict=True):
            done = case.cls in ("ok", "ok_repaired")
            there = analysis_path(workspace.analysis_dir(reader.name), row.key).is_file()
            if (row.result.get("class"), n, row.status == "done", there) != (case.cls, case.n_requests, done, done):
                wrong.append((case, "found", row.result.get("class"), n, row.status, row.detail[:200]))
    return wrong


def test_every_scripted_reply_is_classed_as_scripted_and_paid_to_the_cent(tmp_path: Path) -> None:
    scripted = cases()
    assert len(scripted) >= 250
    workspace, images = drawn_workspace(tmp_path / "w", len(scripted))
    with FakeServer(scripts={image: case.replies for image, case in zip(images, scripted, strict=True)}) as server:
        reader = reader_of(server, workspace, speed=3000.0)
        summary = analyzed(reader, workspace)
        assert summary.inputs == summary.done + summary.failed == len(scripted)
        assert wrong_ones(workspace, reader, scripted, [server.seen[image] for image in images]) == []
        assert len(server.requests) == sum(case.n_requests for case in scripted)
        (spent, n_attempts, n_open) = rows(workspace, "SELECT SUM(cost_usd), COUNT(*), SUM(class = '') FROM attempts")[0]
    by_the_table = 1000 * 0.5e-6 + 50 * 10e-6  # of the one good reply that does not say its cost
    assert abs(spent - server.billed - by_the_table) < 0.005
    assert (n_attempts, n_open) == (len(server.requests), 0)
    diffs = rows(workspace, "SELECT diff FROM attempts WHERE class = 'ok_repaired'")
    assert diffs
    assert all(diff for (diff,) in diffs)
    assert rows(workspace, "SELECT COUNT(*) FROM attempts WHERE accepted = 1 AND class NOT IN ('ok', 'ok_repaired')") == [(0,)]


def test_replies_that_never_end_are_timeouts_at_risk(tmp_path: Path) -> None:
    scripted = slow_wire()
    workspace, images = drawn_workspace(tmp_path / "w", len(scripted))
    with FakeServer(scripts={image: case.replies for image, case in zip(images, scripted, strict=True)}) as server:
        reader = reader_of(server, workspace, read_timeout_s=1.0, total_timeout_s=1.2)
        analyzed(reader, workspace)
        assert wrong_ones(workspace, reader, scripted, [server.seen[image] for image in images]) == []
    lost = rows(workspace, "SELECT COUNT(*), SUM(at_risk_usd = held_usd) FROM attempts WHERE class = 'timeout'")
    assert lost == [(8, 8)]  # what a lost reply may have cost counts against the limit
