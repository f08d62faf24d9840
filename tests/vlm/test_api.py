"""Readers over the network against a local server that plays every fault."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from drawn_pages import drawn_workspace
from fakeserver import FakeServer, Reply, completion, good, of_envelope, page_answer
from scripted_case import ANSWERS, TRIES, Case
from scripted_faults import cases, slow_wire

from comix.core.journal import Journal
from comix.core.task import RunOptions
from comix.core.work import Summary
from comix.core.workspace import Workspace
from comix.io.analysis import analysis_path, read_analysis
from comix.paths import conf_dir
from comix.vlm.api.asker import ServiceStopsError
from comix.vlm.api.pace import Clock
from comix.vlm.api.place import Place
from comix.vlm.api.reader import ApiReader
from comix.vlm.base import SelfRunning
from comix.vlm.stage import run_analyze

PROBED = json.dumps({"colour": "red", "number": 2})
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
    return ApiReader(**{**usual, **settings}).at(Place(workspace.root, prices, error_log=error_log, clock=Clock(speed)))


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


def test_the_same_command_again_and_the_same_page_elsewhere_ask_nothing(tmp_path: Path) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 12, same={5: 4, 6: 4})
    with FakeServer() as server:
        reader = reader_of(server, workspace)
        assert analyzed(reader, workspace).done == 12
        assert len(server.requests) == 10  # three pages look the same, although all were asked about at once
        assert analyzed(reader_of(server, workspace), workspace).fresh == 0
        analysis_path(workspace.analysis_dir(reader.name), "book/0002").unlink()
        workspace.journal("analyze").unlink()  # everything is lost but the ledger
        again = reader_of(server, workspace, name="another-name", base_url=server.base_url)
        assert analyzed(again, workspace).done == 12
        assert len(server.requests) == 10
    assert any("0 requests, 0.0000 dollars" in note for note in again.notes())


def test_the_limit_is_never_passed_and_raising_it_goes_on(tmp_path: Path) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 30)
    with FakeServer(default=lambda request: completion(json.dumps(page_answer()), cost=0.04)) as server:
        first = reader_of(server, workspace, max_usd=0.5)
        summary = analyzed(first, workspace)
        assert server.billed <= 0.5
        assert summary.done == len(server.requests) > 0
        assert summary.done + summary.failed == 30
        with Journal(workspace.journal("analyze"), first.name, read_only=True) as journal:
            assert {row.reason for row in journal.rows("failed")} == {"budget_spent"}
        second = analyzed(reader_of(server, workspace, max_usd=10), workspace)
        assert (second.done, len(server.requests)) == (30, 30)
    assert rows(workspace, "SELECT ROUND(SUM(cost_usd), 6) FROM attempts") == [(1.2,)]


def test_no_key_and_no_credit_stop_the_run_with_one_line(tmp_path: Path) -> None:
    for status in (401, 402):
        workspace, images = drawn_workspace(tmp_path / str(status), 40)
        denied = of_envelope({"error": {"message": "no"}}, status)
        with FakeServer(scripts={images[7]: [denied]}) as server:
            with pytest.raises(ServiceStopsError, match=str(status)):
                analyzed(reader_of(server, workspace, concurrency=2), workspace)
            assert len(server.requests) < 40
            server.scripts.clear()
            assert analyzed(reader_of(server, workspace), workspace).done == 40
            assert server.seen[images[7]] == 2
            assert max(n for image, n in server.seen.items() if image != images[7]) == 1


def test_a_service_that_refuses_everything_is_not_asked_for_ever(tmp_path: Path) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 200)
    with FakeServer(default=lambda request: of_envelope({"error": {"message": "no such model"}}, 404)) as server:
        with pytest.raises(ServiceStopsError, match="no such model"):
            analyzed(reader_of(server, workspace, concurrency=4), workspace)
        assert len(server.requests) < 40


def test_ctrl_c_ends_within_five_seconds_and_keeps_what_is_finished(tmp_path: Path) -> None:
    workspace, images = drawn_workspace(tmp_path / "w", 40)
    with FakeServer(scripts={image: [Reply(b"", way="hang")] for image in images[10:]}) as server:
        reader = reader_of(server, workspace, concurrency=16, drain_s=1.0, read_timeout_s=60.0)
        pressed: list[float] = []

        def press() -> None:
            while server.seen.total() < 10 + 16:  # ten answered, the others on their way
                time.sleep(0.02)
            time.sleep(0.3)
            pressed.append(time.monotonic())
            signal.raise_signal(signal.SIGINT)

        threading.Thread(target=press, daemon=True).start()
        summary = analyzed(reader, workspace)
        assert time.monotonic() - pressed[0] < 5
    assert summary.interrupted
    assert (summary.done, summary.failed, summary.not_reached) == (10, 0, 30)
    assert rows(workspace, "SELECT COUNT(*) FROM attempts WHERE class = ''") == [(0,)]
    assert rows(workspace, "SELECT COUNT(*), SUM(at_risk_usd > 0) FROM attempts WHERE class = 'lost'") == [(16, 16)]


def test_what_a_service_can_do_is_found_out_once(tmp_path: Path) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 4)

    def only_json_mode(request: dict[str, Any]) -> Reply:
        if request.get("response_format", {}).get("type") == "json_schema":
            return of_envelope({"error": {"message": "response_format is not supported"}}, 400)
        return good()

    with FakeServer(default=only_json_mode) as server:
        server.probe = lambda request: (
            only_json_mode(request) if "json_schema" in str(request.get("response_format")) else completion(PROBED, cost=0.0)
        )
        reader = reader_of(server, workspace, structured="auto")
        assert analyzed(reader, workspace).done == 4
        modes = [str(request.get("response_format", {}).get("type")) for request in server.requests]
        assert modes == ["json_schema", "json_object"] + ["json_object"] * 4
        assert "JSON schema" in server.requests[-1]["messages"][0]["content"][0]["text"]  # then the words spell it out
        again = reader_of(server, workspace, structured="auto", prompt=prompt("page_type"))
        analyzed(again, workspace)
        assert len(server.requests) == 6 + 4 * ANSWERS
    found = read_analysis(analysis_path(workspace.analysis_dir(reader.name), "book/0001"))
    assert found.usage["structured"] == "json_object"


def test_a_model_that_does_not_stop_in_a_schema_is_asked_without(tmp_path: Path) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 1)
    with FakeServer() as server:
        server.probe = lambda request: (
            completion(" \n" * 90, "length", cost=0.0)
            if "json_schema" in str(request.get("response_format"))
            else completion(json.dumps({"colour": "green", "number": 1}), cost=0.0)
        )
        assert analyzed(reader_of(server, workspace, structured="auto"), workspace).done == 1
    ((mode, sees, note),) = rows(workspace, "SELECT structured, sees, note FROM probes")
    assert (mode, sees) == ("json_object", 0)
    assert "white space" in note
    assert "does not see pictures" in note


def test_batches_are_sent_collected_and_failed_lines_sent_again(tmp_path: Path) -> None:
    workspace, images = drawn_workspace(tmp_path / "w", 9, same={9: 1})
    with FakeServer(scripts={images[3]: [completion("no JSON"), good()]}) as server:
        common: dict[str, Any] = {"batch_lines": 5}
        sent = analyzed(reader_of(server, workspace, batch="submit", **common), workspace)
        assert (sent.skipped, sent.done, len(server.batches)) == (9, 0, 2)
        assert sum(data.count(b"custom_id") for data in server.files.values()) == 8
        assert analyzed(reader_of(server, workspace, batch="submit", **common), workspace).skipped == 9
        assert len(server.batches) == 2  # what is on its way is not sent again, by nobody
        assert analyzed(reader_of(server, workspace), workspace).skipped == 9
        server.batch_state = "in_progress"
        assert analyzed(reader_of(server, workspace, batch="collect"), workspace).skipped == 9
        server.batch_state = "completed"
        collected = analyzed(reader_of(server, workspace, batch="collect"), workspace)
        assert (collected.done, collected.failed) == (8, 1)
        resent = analyzed(reader_of(server, workspace, batch="submit", **common), workspace, retry="failed")
        assert (resent.done, resent.skipped, len(server.batches)) == (8, 1, 3)
        assert analyzed(reader_of(server, workspace, batch="collect"), workspace).done == 9
        billed = server.billed
    assert rows(workspace, "SELECT COUNT(*), ROUND(SUM(cost_usd), 6) FROM attempts") == [(9, round(billed, 6))]


def test_a_batch_whose_sending_was_killed_is_found_at_the_service(tmp_path: Path) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 3)
    with FakeServer() as server:
        analyzed(reader_of(server, workspace, batch="submit"), workspace)
        with sqlite3.connect(workspace.root / "vlm" / "ledger.sqlite") as database:  # as if killed before it was written down
            mark = server.batches["batch_1"]["metadata"]["comix"]
            database.execute("DELETE FROM batches")
            database.execute("UPDATE attempts SET batch = ?", (mark,))
        assert analyzed(reader_of(server, workspace, batch="submit"), workspace).skipped == 3
        assert len(server.batches) == 1
        assert analyzed(reader_of(server, workspace, batch="collect"), workspace).done == 3
