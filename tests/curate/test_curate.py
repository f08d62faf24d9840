"""Duplicates and page types, and the training list that follows them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd


def test_exact_duplicates_train_once_and_stay_in_the_table(library: Path, tmp_path: Path, comix: Callable[..., object]) -> None:
    doubled, workspace = tmp_path / "doubled", tmp_path / "ws"
    shutil.copytree(library / "Baffling Mysteries", doubled / "one")
    shutil.copytree(library / "Baffling Mysteries", doubled / "two")
    comix("pipeline", f"library={doubled}", f"workspace={workspace}", "until=curate")
    table = pd.read_parquet(workspace / "curation.parquet")
    assert len(table) == 4
    assert table["dup_group_exact"].nunique() == 2
    assert list(table["is_canonical"]) == [True, True, False, False]
    assert set(table.loc[~table["is_canonical"], "dup_reason"]) == {"exact"}
    csv = pd.read_csv(workspace / "alignment" / "alignment.csv")
    assert len(csv) == 4
    assert {"dup_group_exact", "page_type", "quality_score"} <= set(csv.columns)
    trained = (workspace / "lists" / "training.txt").read_text(encoding="utf-8")
    assert "two/" not in trained


def test_page_types(finished: Path) -> None:
    table = pd.read_parquet(finished / "curation.parquet")
    assert set(table["page_type"]) <= {"cover", "back_cover", "interior", "splash", "text", "unknown"}
    assert table["page_type_conf"].between(0, 1).all()
    trained = (finished / "lists" / "training.txt").read_text(encoding="utf-8").splitlines()
    assert len(trained) <= table["page_type"].isin(["interior", "splash"]).sum()
