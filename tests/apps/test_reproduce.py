"""``comix reproduce``: rows within and outside their tolerance, quoted rows, absent data, tables that cannot be run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from comix.bench.table import read_table
from comix.paths import experiments_dir

BOXES = [[20, 20, 260, 180], [300, 20, 280, 180], [20, 220, 260, 360], [300, 220, 280, 360]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One drawn page with its truth, and a table about it."""
    image = np.full((600, 600, 3), 255, np.uint8)
    for x, y, w, h in BOXES:
        cv2.rectangle(image, (x, y), (x + w, y + h), (90, 120, 160), -1)
        cv2.rectangle(image, (x, y), (x + w, y + h), (0, 0, 0), 4)
    (tmp_path / "pages").mkdir()
    cv2.imwrite(str(tmp_path / "pages/drawn.png"), image)
    truth = {
        "images": [{"id": 1, "file_name": "drawn.png", "width": 600, "height": 600, "reading_direction": "ltr"}],
        "annotations": [{"id": n, "image_id": 1, "category_id": 1, "bbox": box, "order": n} for n, box in enumerate(BOXES)],
        "categories": [{"id": 1, "name": "panel"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "experiments/drawn").mkdir(parents=True)
    shutil.copy(experiments_dir() / "panels_open/gutter.yaml", tmp_path / "experiments/drawn/gutter.yaml")
    return tmp_path


def write_table(data: Path, task: str, rows: list[dict[str, Any]], **more: Any) -> None:
    table = {
        "claim": "a drawn page", "source": "drawn", "task": task, "truth": ["truth.json"], "images": "pages", "tolerance": 0.01,
        "columns": {"page_exact": "page-exact"}, "rows": rows, **more,
    }  # fmt: skip
    (data / "experiments/drawn/table.yaml").write_text(yaml.safe_dump(table))


def run(comix: Callable[..., Any], data: Path, where: Path, *words: str) -> Any:
    return comix(
        "reproduce", "table=drawn", f"data={where}", f"experiments={data / 'experiments'}", f"workspace={data / 'ws'}", *words
    )


def test_rows_hold_or_do_not(data: Path, comix: Callable[..., Any]) -> None:
    quoted = {"name": "theirs", "quoted": {"page_exact": 0.5}, "source": "their paper"}
    good = {"name": "ours", "detector": "gutter.yaml", "expected": {"page_exact": 1.0, "f1_75": 1.0}}
    write_table(data, "detection", [quoted, good])
    ran = run(comix, data, data, "rows=[theirs,ours]")
    assert (ran.code, "all 2 rows hold" in ran.out) == (0, True), ran.out + ran.err
    assert "theirs (all): quoted: their paper" in ran.out
    write_table(data, "detection", [good | {"expected": {"page_exact": 0.5}}])
    ran = run(comix, data, data, "rows=ours")
    assert (ran.code, "outside: page_exact 1.0000, expected 0.5 ± 0.01" in ran.out) == (1, True)
    document = json.loads(max((data / "ws/runs/reproduce").glob("*/metrics.json")).read_text())
    assert (document["rows"][0]["is_good"], document["rows"][0]["figures"]["page_exact"]) == (False, 1)


def test_order_rows_on_given_and_detected_boxes(data: Path, comix: Callable[..., Any]) -> None:
    rows = [{"name": method, "method": method, "expected": {"page_exact": 1.0}} for method in ("auto", "cut", "graph", "rows")]
    found = {"name": "found", "method": "auto", "detector": "gutter.yaml", "expected": {"page_exact": 1.0, "coverage": 1.0}}
    write_table(data, "order", [*rows, found])
    ran = run(comix, data, data, "rows=[auto,cut,graph,rows,found]")
    assert (ran.code, "all 5 rows hold" in ran.out) == (0, True), ran.out


def test_a_set_is_a_truth_file_or_the_beginning_of_paths(data: Path, comix: Callable[..., Any]) -> None:
    truth = json.loads((data / "truth.json").read_text())
    truth["images"].append({"id": 2, "file_name": "more/blank.png", "width": 600, "height": 600})
    (data / "truth.json").write_text(json.dumps(truth))
    (data / "pages/more").mkdir()
    cv2.imwrite(str(data / "pages/more/blank.png"), np.full((600, 600, 3), 255, np.uint8))
    row = {"detector": "gutter.yaml", "expected": {"n_truth": 0}}
    sets = {"blank": ["more/"], "file": ["truth"]}
    write_table(data, "detection", [row | {"name": name, "set": name} for name in sets], sets=sets)
    ran = run(comix, data, data, "rows=[blank,file]")
    assert (ran.code, "blank (blank): within" in ran.out, "n_truth 4.0000" in ran.out) == (1, True, True), ran.out


def test_absent_data_is_never_a_pass(data: Path, comix: Callable[..., Any], tmp_path: Path) -> None:
    write_table(data, "order", [{"name": "auto", "method": "auto", "expected": {"page_exact": 1.0}}])
    ran = run(comix, data, tmp_path / "nowhere", "rows=auto")
    assert (ran.code, "auto (all): not run: data absent" in ran.out) == (1, True)
    (data / "pages/drawn.png").unlink()
    ran = run(comix, data, data, "rows=auto")
    assert (ran.code, "not run: data absent (1 of 1 images" in ran.out) == (1, True)


def test_a_damaged_page_and_a_detector_that_is_not_there(data: Path, comix: Callable[..., Any]) -> None:
    (data / "experiments/drawn/other.yaml").write_text("_target_: comix.detect.absent.Detector\n")
    row = {"name": "ours", "detector": "gutter.yaml", "expected": {"page_exact": 1.0}}
    write_table(data, "detection", [row, row | {"name": "other", "detector": "other.yaml"}])
    (data / "pages/drawn.png").write_bytes(b"no image")
    ran = run(comix, data, data, "rows=[ours,other]")
    assert ran.code == 1
    assert "ours (all): failed: 1 pages, first drawn.png" in ran.out
    assert "other (all): not run: _target_=comix.detect.absent.Detector" in ran.out


def test_tables_that_cannot_be_run_are_named(data: Path, comix: Callable[..., Any]) -> None:
    cases: list[tuple[list[dict[str, Any]], dict[str, Any], str]] = [
        ([{"name": "a", "quoted": {"page_exact": 1}}], {}, "need their source"),
        ([{"name": "a", "method": "auto", "set": "west"}], {}, "no set 'west'"),
        ([{"name": "a"}], {}, "names a detector, a method"),
        ([{"name": "a", "method": "auto", "expect": {}}], {}, "Extra inputs"),
        ([{"name": "a", "method": "auto"}], {"tolerance": -1}, "tolerance"),
    ]
    for rows, more, wanted in cases:
        write_table(data, "order", rows, **more)
        ran = run(comix, data, data)
        assert (ran.code, wanted in ran.err) == (2, True), ran.err
    ran = comix("reproduce", "table=nothing", f"workspace={data / 'ws'}")
    assert (ran.code, "order_open, panels_open" in ran.err) == (2, True), ran.err
    write_table(data, "order", [{"name": "a", "method": "auto"}])
    assert "there are a, " in run(comix, data, data, "rows=b").err


@pytest.mark.parametrize("name", ["panels_open", "order_open"])
def test_the_tables_that_come_with_comix_are_whole(name: str) -> None:
    table = read_table(experiments_dir() / name)
    for row in table.rows:
        assert not row.detector or (experiments_dir() / name / row.detector).is_file()
        assert set(row.expected) <= set(table.columns)
