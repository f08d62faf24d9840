"""``comix evaluate target=model`` and ``checkpoint=bundled``: figures beside baselines, plots, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comix.io.images import read_bgr
from comix.paths import bundled_model
from comix.train.checkpoint import load_model


def test_the_bundled_model_is_measured_and_drawn(workspace_copy: Path, comix: Callable[..., Any]) -> None:
    ran = comix("evaluate", "target=model", "checkpoint=bundled", f"workspace={workspace_copy}", "worst=2")
    assert ran.code == 0, ran.err
    (folder,) = (workspace_copy / "runs" / "evaluate").iterdir()
    document = json.loads((folder / "metrics.json").read_text())
    rows = {row["name"]: row["figures"] for row in document["rows"]}
    assert {"open_mpm", "no training: chance", "no training: cut", "no training: untrained_cosine"} <= set(rows)
    assert (
        rows["open_mpm"]["image_recall_10"] > 0.8
        and rows["open_mpm"]["rpp_page_exact"] > rows["no training: centre"]["rpp_page_exact"]
    )
    plots = sorted(one.name for one in (folder / "plots").iterdir())
    assert "panel_on_page.png" in plots and "page_1.png" in plots
    for name in plots:
        assert read_bgr(folder / "plots" / name).std() > 5
        assert f"plots/{name}" in (folder / "index.html").read_text()
    assert any("a rule's own" in note for note in document["notes"])


def test_the_bundled_model_embeds_and_searches(workspace_copy: Path, comix: Callable[..., Any]) -> None:
    where = f"workspace={workspace_copy}"
    assert comix("embed", "checkpoint=bundled", "name=open", where).code == 0
    assert comix("index", "name=open", where).code == 0
    assert comix("search", "potion", "name=open", where).code == 0


def test_the_bundled_model_is_small_and_says_where_it_is_from() -> None:
    folder = bundled_model()
    assert sum(one.stat().st_size for one in folder.iterdir()) < 10_000_000
    loaded = load_model(folder)
    assert loaded.config["n_pages"]["train"] > 1000 and "table=open_mpm" in loaded.config["trained_by"]
    text = (folder / "README.md").read_text()
    assert loaded.model_hash in text and "CC BY" in text


def test_mistakes_are_one_line(workspace_copy: Path, comix: Callable[..., Any]) -> None:
    where = f"workspace={workspace_copy}"
    for words, wanted in (
        (["target=model", "checkpoint=nobody"], "checkpoint=bundled"),
        (["target=model"], "checkpoint=bundled"),
        (["target=model", "checkpoint=bundled", f"truth={workspace_copy}/none.txt"], "no such list file"),
        (["target=order"], "needs truth=FILE"),
    ):
        ran = comix("evaluate", *words, where)
        assert ran.code == 2 and wanted in ran.err and len(ran.err.strip().splitlines()) == 1, (words, ran)
