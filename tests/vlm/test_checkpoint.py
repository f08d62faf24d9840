"""A model in this process."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path

from drawn_pages import drawn_workspace
from tiny_checkpoint import ANSWER, tiny_checkpoint

from comix.io.analysis import read_analysis


def test_a_checkpoint_folder_answers_in_batches(tmp_path: Path, comix: Callable[..., object]) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 5)
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    words = ["analyze", f"workspace={workspace.root}", "vlm=transformers", f"vlm.path={checkpoint}", "prompt=page_type"]
    ran = comix(*words, "vlm.device=cpu", "vlm.max_tokens=16", "vlm.max_tokens_retry=16")
    assert (ran.code, "stay on this machine" in ran.err) == (0, True), ran.err
    assert "5 requests, free" in ran.out
    found = read_analysis(workspace.analysis_dir("tiny-page_type") / "book" / "0003.json")
    assert (found.page.page_type, found.page.reading_direction) == ("interior", "rtl")
    with sqlite3.connect(workspace.root / "vlm" / "ledger.sqlite") as database:
        replies = database.execute("SELECT class, completion_tokens, reply FROM attempts").fetchall()
    assert [(cls, n) for cls, n, _ in replies] == [("ok", 2)] * 5
    assert ANSWER.replace('"', '\\"').encode() in zlib.decompress(replies[0][2])


def test_a_folder_without_a_model_is_said_in_one_line(tmp_path: Path, comix: Callable[..., object]) -> None:
    workspace, _ = drawn_workspace(tmp_path / "w", 1)
    ran = comix("analyze", f"workspace={workspace.root}", "vlm=transformers", f"vlm.path={tmp_path}")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "no config.json" in ran.err
