"""Readings on panels, scores, and what a damaged analysis does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from comix.align.match import assign_readings
from comix.align.quality import score_counted, subsets
from comix.core.geometry import Box
from comix.io.analysis import Analysis, PanelReading, ReaderInfo, TextItem

PANELS = [Box(0, 0, 100, 100), Box(110, 0, 100, 100), Box(0, 110, 210, 100)]


def analysis(source: str, readings: list[PanelReading]) -> Analysis:
    return Analysis(page_id="b/0001", reader=ReaderInfo(name="r"), panel_source=source, panels=readings)  # type: ignore[arg-type]


def reading(number: int, text: str, box: Box | None = None) -> PanelReading:
    return PanelReading(panel_number=number, box=box.xywh if box else None, dialogue=[TextItem(text=text)])


def words(assignment: object) -> list[str | None]:
    return [one.dialogue[0].text if one else None for one in assignment.readings]  # type: ignore[attr-defined]


def test_given_boxes_join_by_number_even_out_of_sequence() -> None:
    read = [reading(3, "c", PANELS[2]), reading(1, "a", PANELS[0])]
    found = assign_readings(PANELS, analysis("given", read))
    assert (words(found), found.method) == (["a", None, "c"], "number")


def test_given_boxes_that_are_not_todays_join_by_overlap() -> None:
    read = [reading(1, "c", PANELS[2]), reading(2, "a", Box(2, 2, 90, 95)), reading(3, "x", Box(900, 900, 10, 10))]
    found = assign_readings(PANELS, analysis("given", read))
    assert (words(found), found.method) == (["a", None, "c"], "iou")
    assert [one.dialogue[0].text for one in found.leftover] == ["x"]


def test_no_boxes_join_in_sequence_and_a_missed_panel_stays_empty() -> None:
    equal = assign_readings(PANELS, analysis("reader", [reading(1, "a"), reading(2, "b"), reading(3, "c")]))
    assert (words(equal), equal.method) == (["a", "b", "c"], "sequence")
    fewer = assign_readings(PANELS, analysis("reader", [reading(1, "a"), reading(2, "c")]))
    assert words(fewer).count(None) == 1
    assert words(fewer)[2] == "c"
    assert set(words(fewer)) == {"a", "c", None}


@pytest.mark.parametrize(
    ("n_reader", "coverage", "score", "names"),
    [
        (20, 0.6, 4, ["perfect_matches", "high_quality"]),
        (20, 0.59, 3, ["perfect_matches", "medium_quality"]),
        (18, 0.0, 3, ["near_perfect", "medium_quality"]),
        (22, 1.0, 3, ["near_perfect", "medium_quality"]),
        (23, 0.1, 2, ["low_quality"]),
        (15, 0.1, 2, ["low_quality"]),
        (15, 0.0, 1, ["low_quality"]),
        (14, 1.0, 1, ["low_quality"]),
        (0, 0.0, 0, ["low_quality"]),
    ],
)
def test_score_bands(n_reader: int, coverage: float, score: int, names: list[str]) -> None:
    assert score_counted(n_reader, 20, coverage, 0.6) == score
    assert subsets(score, n_reader / 20) == names


def test_given_boxes_are_never_perfect_by_count(finished: Path) -> None:
    table = pd.read_parquet(finished / "alignment" / "alignment.parquet")
    assert set(table["panel_source"]) == {"given"}
    assert table["panel_count_ratio"].isna().all()
    assert not table["is_perfect_match"].any()
    assert (finished / "alignment" / "alignment_perfect_matches.txt").read_text() == ""
    sizes = [
        len((finished / "alignment" / f"alignment_{name}_quality.txt").read_text(encoding="utf-8").splitlines())
        for name in ("high", "medium", "low")
    ]
    assert sum(sizes) == len(table) == 6


def test_a_damaged_a_foreign_and_a_missing_analysis(workspace_copy: Path, comix: Callable[..., object]) -> None:
    files = sorted((workspace_copy / "analysis" / "ocr").rglob("*.json"))
    files[0].write_text("{broken", encoding="utf-8")
    foreign = json.loads(files[1].read_text(encoding="utf-8")) | {"page_id": "another/0001"}
    files[1].write_text(json.dumps(foreign), encoding="utf-8")
    files[2].unlink()
    ran = comix("align", f"workspace={workspace_copy}")
    assert ran.code == 1
    assert "6 pages = 3 done + 2 failed + 1 skipped" in ran.out
    table = pd.read_parquet(workspace_copy / "alignment" / "alignment.parquet")
    assert len(table) == 6
    assert (table["quality_score"] == 0).sum() >= 3
    assert "another/0001" in comix("failures", f"workspace={workspace_copy}", "stage=align").out


def test_a_readers_own_count_gives_a_ratio(workspace_copy: Path, comix: Callable[..., object], tmp_path: Path) -> None:
    pages = pd.read_parquet(workspace_copy / "pages.parquet")
    document = json.loads((workspace_copy / "detections/gutter/predictions.json").read_text(encoding="utf-8"))
    counts = {image["page_id"]: 0 for image in document["images"]}
    by_id = {image["id"]: image["page_id"] for image in document["images"]}
    for annotation in document["annotations"]:
        counts[by_id[annotation["image_id"]]] += 1
    for page_id in pages["page_id"]:
        read = [reading(n + 1, f"words {n}").model_dump(mode="json") for n in range(counts[page_id])]
        made = {"page_id": page_id, "reader": {"name": "vlm"}, "panel_source": "reader", "panels": read}
        target = tmp_path / "made" / f"{page_id}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(made), encoding="utf-8")
    comix("analyze", "vlm=replay", f"vlm.path={tmp_path / 'made'}", f"workspace={workspace_copy}", "workers=0")
    comix("align", "reader=replay", f"workspace={workspace_copy}")
    table = pd.read_parquet(workspace_copy / "alignment" / "alignment.parquet")
    with_panels = table[table["rcnn_panels"] > 0]
    assert with_panels["is_perfect_match"].all()
    assert (with_panels["quality_score"] == 4).all()
    listed = (workspace_copy / "lists" / "dataspec_perfect_list.txt").read_text(encoding="utf-8").splitlines()
    assert len(listed) == len(with_panels)
    comix("align", f"workspace={workspace_copy}")  # back to the other reader: dataspec/ holds its text again
    for path in (workspace_copy / "dataspec").rglob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["provenance"]["reader"] == "ocr"
