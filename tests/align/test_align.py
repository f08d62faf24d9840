"""Readings on panels, scores, and what a damaged analysis does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from comix.align.match import assign_readings
from comix.align.quality import score_counted, subsets
from comix.core.geometry import Box
from comix.io.readings import PanelRead, Reader, Reading, Text

PANELS = [Box(0, 0, 100, 100), Box(110, 0, 100, 100), Box(0, 110, 210, 100)]


def analysis(source: str, readings: list[PanelRead]) -> Reading:
    return Reading("b/0001", Reader("r"), source, panels=readings)  # type: ignore[arg-type]


def reading(number: int, text: str, box: Box | None = None) -> PanelRead:
    return PanelRead(number, tuple(box.xywh) if box else None, [Text(text)])  # type: ignore[arg-type]


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
    document = json.loads((workspace_copy / "detections/ensemble/predictions.json").read_text(encoding="utf-8"))
    counts = {image["page_id"]: 0 for image in document["images"]}
    by_id = {image["id"]: image["page_id"] for image in document["images"]}
    for annotation in document["annotations"]:
        counts[by_id[annotation["image_id"]]] += 1
    for page_id in pages["page_id"]:
        read = [msgspec.to_builtins(reading(n + 1, f"words {n}")) for n in range(counts[page_id])]
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


def made_by_another_reader(workspace: Path, folder: Path, change: Callable[[str], str], shift: int = 0) -> Path:
    """The workspace's readings as another reader gives them: boxes of its own, words changed, panels listed elsewhere."""
    for path in sorted((workspace / "analysis/ocr").rglob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        document["panel_source"], document["reader"] = "reader", {"name": "other"}
        for panel in document["panels"]:
            for kind in ("dialogue", "thought", "narration", "sfx"):
                for item in panel.get(kind, []):
                    item["text"] = change(item["text"])
        panels = document["panels"]
        document["panels"] = panels[shift:] + panels[:shift]
        for number, panel in enumerate(document["panels"], start=1):
            panel["panel_number"] = number
        target = folder / path.relative_to(workspace / "analysis/ocr")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(document), encoding="utf-8")
    return folder


def test_a_second_reader_and_the_gates(workspace_copy: Path, comix: Callable[..., object]) -> None:
    made_by_another_reader(workspace_copy, workspace_copy / "analysis/other", lambda text: text.lower())
    made_by_another_reader(workspace_copy, workspace_copy / "analysis/odd", lambda text: "XQZ " * len(text.split()), shift=1)
    path = workspace_copy / "alignment" / "alignment.parquet"
    comix("align", f"workspace={workspace_copy}", "second_reader=other")
    same = pd.read_parquet(path)
    measured = same["text_agreement"].dropna()
    assert len(measured) >= 4
    assert (measured > 0.99).sum() >= len(measured) - 1  # on one page a caption lies between two panels
    assert (measured > 0.5).all()
    ran = comix("align", f"workspace={workspace_copy}", "second_reader=odd", "min_text_agreement=0.5", "min_score=0")
    other = pd.read_parquet(path)
    assert (other["text_agreement"].dropna() < 0.3).all()
    assert set(other.loc[other["text_agreement"].notna(), "gates_failed"]) == {"text_agreement"}
    assert not other.loc[other["text_agreement"].notna(), "is_candidate"].any()
    assert f"min_text_agreement: {len(measured)} pages below it" in ran.out
    assert (other["quality_score"] == same["quality_score"]).all()
    comix("align", f"workspace={workspace_copy}", "reader=odd", "min_order_agreement=0.9", "min_mean_iou=0.5")
    turned = pd.read_parquet(path)
    several = turned[turned["rcnn_panels"] > 2]
    assert (several["mean_iou"] > 0.9).all()
    assert (several["order_agreement"] < 0.9).all()
    assert set(several["gates_failed"]) == {"order_agreement"}
    spec = json.loads((workspace_copy / several["dataspec_path"].iloc[0]).read_text(encoding="utf-8"))
    assert spec["quality"]["order_agreement"] == several["order_agreement"].iloc[0]


def test_two_workers_and_shards_give_the_same_files(workspace_copy: Path, comix: Callable[..., object]) -> None:
    def state() -> dict[str, bytes]:
        folders = ("alignment", "dataspec", "lists")
        found = [path for folder in folders for path in (workspace_copy / folder).rglob("*") if path.is_file()]
        return {path.relative_to(workspace_copy).as_posix(): path.read_bytes() for path in found}

    before = state()
    for path in (workspace_copy / "dataspec").rglob("*.json"):
        path.unlink()
    ran = comix("align", f"workspace={workspace_copy}", "workers=2")
    assert "6 worked on now" in ran.out
    assert state() == before
    (workspace_copy / "journal" / "align.sqlite").unlink()
    for part in ("1/2", "2/2"):
        comix("align", f"workspace={workspace_copy}", f"shard={part}")
    assert "0 to do" in comix("align", f"workspace={workspace_copy}").out
    assert state() == before


def test_a_damaged_curation_table_stops_before_the_work(workspace_copy: Path, comix: Callable[..., object]) -> None:
    before = (workspace_copy / "alignment" / "alignment.parquet").read_bytes()
    (workspace_copy / "curation.parquet").write_bytes(b"PAR1 not a table")
    ran = comix("align", f"workspace={workspace_copy}", "min_det_score=0.99")
    assert ran.code == 2
    assert "curation.parquet" in ran.err
    assert (workspace_copy / "alignment" / "alignment.parquet").read_bytes() == before


def missed_and_cut(kind: str) -> tuple[list[Box], list[str | None]]:
    """A 3x3 page as the detector sees it, and the reading that each of its boxes should get."""
    names = list("abcdefghi")
    found = [(Box(20 + 320 * (at % 3), 20 + 470 * (at // 3), 300, 450), name) for at, name in enumerate(names)]
    if "missed" in kind:
        del found[4]
    if "cut" in kind:
        box, name = found[1]
        found[1:2] = [(Box(box.x, box.y, box.w, 200), name), (Box(box.x, box.y + 200, box.w, 250), "")]
    return [box for box, _ in found], [name or None for _, name in found]


@pytest.mark.parametrize("kind", ["missed", "cut", "missed and cut"])
def test_without_boxes_a_missed_and_a_cut_panel_shift_nothing(kind: str) -> None:
    boxes, wanted = missed_and_cut(kind)
    read = [reading(at, name) for at, name in enumerate("abcdefghi", start=1)]
    found = assign_readings(boxes, analysis("reader", read), (980, 1430))
    assert words(found) == wanted
    assert [one.dialogue[0].text for one in found.leftover] == (["e"] if "missed" in kind else [])
    assert all(0 < sure <= 1 for sure, name in zip(found.confidences, wanted, strict=True) if name)


def test_a_text_with_its_own_box_goes_where_that_lies() -> None:
    whole = PanelRead(1, (0, 0, 210, 100), [Text("a", bbox=(10, 10, 20, 20)), Text("b", bbox=(150, 10, 20, 20))])
    found = assign_readings(PANELS, analysis("reader", [whole, reading(2, "c", PANELS[2])]))
    assert words(found) == ["a", "b", "c"]
