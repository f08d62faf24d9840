"""What makes two runs the same, and which unfinished one is gone on with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comix.data.page import PageExample
from comix.data.settings import DatasetSettings
from comix.train.metrics_file import write_state
from comix.train.objectives import objective
from comix.train.plan import Plan
from comix.train.run import _state_to_resume
from comix.train.settings import CsvLog, Optimisation, TrainerSettings
from comix.train.state import LAST


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(
        "name", "base", tmp_path / "runs" / "now", tmp_path / "models", tmp_path / "runs", 1, 3, 0, "auto", objective(),
        Optimisation(), TrainerSettings(), CsvLog(), DatasetSettings(), {"name": "closure_lite_simple"}, {},
    )  # fmt: skip


def marks(plan: Plan, pages: list[PageExample]) -> str:
    return plan.fingerprint(pages, plan.split(pages))


def test_copies_sides_and_the_content_of_weight_files_make_another_run(
    plan: Plan, pages: list[PageExample], tmp_path: Path
) -> None:
    first = marks(plan, pages)
    assert marks(plan, pages) == first
    assert marks(plan, [replace(pages[0], duplicate_group="g"), *pages[1:]]) != first
    turned = replace(plan, dataset=DatasetSettings(split_seed=5))
    assert turned.split(pages) != plan.split(pages)
    assert plan.fingerprint(pages, turned.split(pages)) != first
    (tmp_path / "roberta").mkdir()
    for content in (b"one", b"other"):
        (tmp_path / "roberta" / "model.safetensors").write_bytes(content)
        (tmp_path / "vit.pth").write_bytes(b"vit")
        local = {"text": str(tmp_path / "roberta"), "vision_weights": str(tmp_path / "vit.pth")}
        now = marks(replace(plan, model=local), pages)
        assert now != first
        first = now
    (tmp_path / "vit.pth").write_bytes(b"another")
    assert marks(replace(plan, model=local), pages) != first


def test_a_torn_state_is_passed_over_for_an_older_one(
    plan: Plan, train_small: Callable[..., Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plan.runs.mkdir()
    task, _ = train_small("base", "runs/good", epochs=1)
    batches = task.batches
    write_state(plan.runs / "good", "mark", "running")
    assert _state_to_resume(plan, "mark", task, batches) == plan.runs / "good" / LAST
    (plan.runs / "torn").mkdir()
    write_state(plan.runs / "torn", "mark", "running")
    (plan.runs / "torn" / LAST).write_bytes(b"half")
    assert _state_to_resume(plan, "mark", task, batches) == plan.runs / "good" / LAST
    assert "torn" in capfd.readouterr().err
    assert _state_to_resume(replace(plan, resume="never"), "mark", task, batches) is None
    assert _state_to_resume(plan, "another mark", task, batches) is None
