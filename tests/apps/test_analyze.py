"""``comix analyze`` with models over the network, as a user types it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "vlm"))

from drawn_pages import drawn_workspace, with_panels
from fakeserver import FakeServer, completion, of_envelope, page_answer, panel

from comix.io.analysis import read_analysis
from comix.paths import conf_dir


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "not-a-real-key-0123456789")
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-real-key-0123456789")


def test_a_dry_run_says_what_a_job_costs_and_leaves_no_trace(tmp_path: Path, comix: Callable[..., Any]) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 1000)
    before = sorted(workspace.root.rglob("*"))
    words = ["analyze", f"workspace={workspace.root}", "vlm=openrouter", "dry_run=true"]
    ran = comix(*words, "vlm.preset=gemini-2.5-flash-lite", "vlm.rpm=100")  # no key, no limit, no network needed
    assert ran.code == 0, ran.err
    assert "1000 pages to do, 1000 requests to google/gemini-2.5-flash-lite" in ran.out
    assert "0.17 at the limits" in ran.out  # 1,000 pages at 100 a minute are 10 minutes
    dollars = float(ran.out.split("about ")[1].split(",")[0])
    assert 0.9 < dollars < 2.0  # 1.34 dollars per 1,000 pages were measured for this model
    assert "nothing (free)" in comix(*words, "vlm.preset=gemma-3-12b-it:free", "limit=5").out
    assert sorted(workspace.root.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["vlm=openrouter"], "vlm.max_usd= is missing"),
        (["vlm=openrouter", "vlm.max_usd=1", "vlm.model=nobody/knows"], "no price known"),
        (["vlm=openrouter", "vlm.preset=gemini-flash"], "did you mean 'gemini-2.5-flash-lite'?"),
        (["vlm=local"], "vlm.model= is missing"),
        (["vlm=openrouter", "vlm.max_usd=1", "prompt=guidet"], "did you mean 'guided'?"),
        (["vlm=openrouter", "vlm.max_usd=1", "vlm.concurrency=0"], "vlm.concurrency=0: wanted 1 or more"),
        (["vlm=openrouter", "vlm.max_usd=1", "vlm.structured=yes"], "vlm.structured=yes: wanted one of"),
        (["vlm=openrouter", "vlm.max_usd=1", "vlm.batch=send"], "vlm.batch=send: wanted"),
        (["vlm=openrouter", "vlm.max_usd=1", "prompt=guided"], "no detections by ensemble yet"),
        (["vlm=ocr", "dry_run=true"], "only readers that ask a service"),
        (["vlm=openrouter", "vlm.max_usd=1", "prices=nowhere.yaml"], "nowhere.yaml: no such file"),
        (["vlm=openrouter", "vlm.max_usd=1", "prompt=file", "prompt.file=no, such.yaml"], "no such file"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], said: str, tmp_path: Path, comix: Callable[..., Any], key: None) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 1)
    ran = comix("analyze", f"workspace={workspace.root}", *words)
    assert (ran.code, ran.err.count("\n")) == (2, 1), ran.err
    assert said in ran.err


def test_guided_reading_goes_on_to_align(tmp_path: Path, comix: Callable[..., Any], key: None) -> None:
    workspace = with_panels(drawn_workspace(tmp_path / "My w, 100%", 3)[0])
    value = {"summary": "They talk.", "panels": [panel(1, "HELLO"), panel(2, "BYE")], "outside": []}
    with FakeServer(default=lambda request: completion(json.dumps(value))) as server:
        words = ["analyze", f"workspace={workspace.root}", "vlm=openrouter", f"vlm.base_url={server.base_url}", "vlm.max_usd=1"]
        ran = comix(*words, "prompt=guided", "vlm.preset=gemini-2.5-flash-lite", "limit=2")
        assert (ran.code, "2 pages = 2 done" in ran.out) == (0, True), ran.err
        assert comix(*words, "prompt=guided", "vlm.preset=gemini-2.5-flash-lite").code == 0
        assert len(server.requests) == 3 + 1  # and the test picture
        assert all("api_key" not in json.dumps(request) for request in server.requests)
    ran = comix("align", f"workspace={workspace.root}", "reader=gemini-2.5-flash-lite-guided")
    assert (ran.code, "3 pages = 3 done" in ran.out) == (0, True), ran.err + ran.out
    spec = json.loads(next((workspace.root / "dataspec").rglob("0001.json")).read_text(encoding="utf-8"))
    assert [one["text"]["dialogue"] for one in spec["panels"]] == [["HELLO"], ["BYE"]]


def test_folders_prices_and_error_logs_where_one_wants_them(tmp_path: Path, comix: Callable[..., Any], key: None) -> None:
    workspace, images = drawn_workspace(tmp_path / "w", 3)
    table = tmp_path / "my prices.yaml"
    table.write_text(yaml.safe_dump({"models": {"own": {"prompt_usd": 1, "completion_usd": 2}}}), encoding="utf-8")
    refusal = completion("I'm sorry, but I can't help with that.", cost=None)
    with FakeServer(
        scripts={images[1]: [refusal]}, default=lambda request: completion(json.dumps(page_answer()), cost=None)
    ) as server:
        ran = comix(
            "analyze", f"workspace={workspace.root}", "vlm=openai", f"vlm.base_url={server.base_url}", "vlm.model=own",
            "vlm.max_usd=1", f"prices={table}", f"output={tmp_path / 'out'}", f"error_log_dir={tmp_path / 'log'}",
        )  # fmt: skip
        assert server.requests[-1]["max_completion_tokens"] == 4096
    assert (ran.code, "2 done + 1 failed" in ran.out) == (1, True), ran.err
    assert "0.0033 dollars" in ran.out  # three requests of 1,000 and 50 tokens at 1 and 2 dollars per million
    assert read_analysis(tmp_path / "out" / "book" / "0001.json").status == "ok"
    assert "I'm sorry, but I can't" in (tmp_path / "log" / "book" / "0002.txt").read_text(encoding="utf-8")


def test_prices_are_fetched_into_the_workspace(tmp_path: Path, comix: Callable[..., Any], key: None) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 1)
    with FakeServer() as server:
        words = ["analyze", f"workspace={workspace.root}", "vlm=openrouter", f"vlm.base_url={server.base_url}"]
        ran = comix(*words, "vlm.model=fake", "vlm.max_usd=1", "vlm.refresh_prices=true")
        assert ran.code == 0, ran.err
    table = yaml.safe_load((workspace.root / "prices.yaml").read_text(encoding="utf-8"))
    assert (table["models"]["fake"]["prompt_usd"], table["models"]["fake"]["completion_usd"]) == (0.1, 0.4)


def test_shares_keep_ledgers_of_their_own_and_pay_nothing_twice(tmp_path: Path, comix: Callable[..., Any], key: None) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 4)
    with FakeServer() as server:
        words = ["analyze", f"workspace={workspace.root}", "vlm=openrouter", f"vlm.base_url={server.base_url}", "vlm.max_usd=1"]
        for part in (1, 2):
            assert comix(*words, f"shard={part}/2").code == 0
        n = len(server.requests)
        ran = comix(*words)
        assert (ran.code, "4 pages = 4 done" in ran.out, len(server.requests)) == (0, True, n), ran.err


def test_no_model_name_stands_in_the_code() -> None:
    names = [
        preset["model"].split("/")[-1].removesuffix(":free")
        for name in ("openrouter", "openai")
        for preset in yaml.safe_load((conf_dir() / "vlm" / f"{name}.yaml").read_text(encoding="utf-8"))["presets"].values()
    ]
    code = Path(os.path.commonpath([conf_dir(), __file__])) / "comix"
    for path in code.rglob("*.py"):
        text = path.read_text(encoding="utf-8").split('"""', 2)[-1]  # examples in a stage's help may name some
        assert not [name for name in names if f'"{name}"' in text or f'/{name}"' in text], path


def test_401_ends_with_one_line_and_code_2(tmp_path: Path, comix: Callable[..., Any], key: None) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 2)
    with FakeServer(default=lambda request: of_envelope({"error": {"message": "User not found."}}, 401)) as server:
        ran = comix(
            "analyze", f"workspace={workspace.root}", "vlm=openrouter", f"vlm.base_url={server.base_url}", "vlm.max_usd=1",
            "vlm.structured=json_schema",
        )  # fmt: skip
    assert ran.code == 2
    assert ran.err.strip().splitlines()[-1].startswith("comix analyze: http://127.0.0.1")
    assert "User not found." in ran.err
