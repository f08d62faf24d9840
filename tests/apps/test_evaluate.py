"""``comix evaluate``: figures worked by hand, joins that never guess, pictures of the worst pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

GRID = [[0, 0, 90, 90], [100, 0, 90, 90], [0, 100, 90, 90], [100, 100, 90, 90]]


def coco(pages: dict[str, list[list[float]]], order: bool = True, **facts: Any) -> dict[str, Any]:
    """Pages of 200 x 200 with boxes in reading order; ``facts`` per image by the last folder of its path."""
    images, annotations = [], []
    for number, (name, boxes) in enumerate(pages.items()):
        images.append({"id": number, "file_name": name, "width": 200, "height": 200, **facts.get(name.split("/")[0], {})})
        for rank, box in enumerate(boxes):
            one = {"id": len(annotations), "image_id": number, "category_id": 1, "bbox": box, "score": 0.9}
            annotations.append(one | ({"order": rank} if order else {}))
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "panel"}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Truth of four pages in two books, the second read from the right; and images of all."""
    mirrored = [GRID[1], GRID[0], GRID[3], GRID[2]]
    truth = coco(
        {"a/1.png": GRID, "a/2.png": GRID, "b/1.png": mirrored, "b/2.png": []}, b={"reading_direction": "rtl", "book": "B"}
    )
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        (tmp_path / "pages" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "pages" / name), np.full((200, 200, 3), 255, np.uint8))
    return tmp_path


def rows_of(out: Path) -> tuple[dict[tuple[str, str], Any], dict[str, Any]]:
    path = max((out / "runs/evaluate").glob("*/metrics.json"))
    document = json.loads(path.read_text())
    return {(row["name"], row["group"]): row for row in document["rows"]}, document


def test_detection_by_source_and_direction_with_a_baseline(folder: Path, comix: Callable[..., Any]) -> None:
    """One page exact, one with a box lost and one invented, one empty as it should be, one that is absent."""
    found = coco({"a/1.png": GRID, "a/2.png": [*GRID[:3], [150, 150, 9, 9]], "b/2.png": []}, order=False)
    (folder / "found.json").write_text(json.dumps(found))
    ran = comix(
        "evaluate", "target=detection", f"truth={folder / 'truth.json'}", f"predictions={folder / 'found.json'}",
        f"images={folder / 'pages'}", f"workspace={folder / 'ws'}",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "1 pages of the truth have no prediction, first: 'b/1.png'" in ran.out
    rows, document = rows_of(folder / "ws")
    everything = rows["found", "all"]["figures"]
    assert (everything["precision_50"], everything["recall_50"]) == (7 / 8, 7 / 12)
    assert everything["f1_50"] == everything["f1_90"] == pytest.approx(14 / 20)
    assert everything["page_exact"] == 0.5
    assert (everything["n_empty_pages"], everything["n_left_empty"]) == (1, 1)
    assert rows["found", "source:a"]["figures"]["recall_75"] == 7 / 8
    assert rows["found", "direction:rtl"]["figures"]["ap"] == 0
    assert set(rows["found", "all"]["intervals"]) == {"f1_50", "page_exact"}
    assert rows["found", "source:a"]["intervals"] == {}  # one book says nothing of others
    assert rows["baseline: the page is one panel", "all"]["figures"]["recall_50"] == 0
    assert [one["page"] for one in document["worst"]] == ["b/1.png", "a/2.png"]
    out = max((folder / "ws/runs/evaluate").glob("*/index.html"))
    assert "1 missed, 1 too many" in out.read_text()
    assert len(list(out.parent.glob("worst/*.png"))) == 2
    assert (out.parent / "table.md").read_text().startswith("| what | pages |")
    comix(
        "evaluate", "target=detection", f"truth={folder / 'truth.json'}", f"predictions={folder / 'found.json'}",
        "missing=leave_out", f"workspace={folder / 'other'}",
    )  # fmt: skip
    assert rows_of(folder / "other")[0]["found", "all"]["figures"]["recall_50"] == 7 / 8


def test_order_on_given_and_on_detected_boxes(folder: Path, comix: Callable[..., Any]) -> None:
    """Detected: one page in order, one complete page with its tiers swapped, one that lacks a panel."""
    found = coco({"a/1.png": GRID, "a/2.png": [GRID[2], GRID[3], GRID[0], GRID[1]], "b/1.png": [GRID[1], GRID[0], GRID[3]]})
    (folder / "found.json").write_text(json.dumps(found))
    ran = comix(
        "evaluate", "target=order", f"truth={folder / 'truth.json'}", f"predictions={folder / 'found.json'}",
        "methods=auto,center", f"images={folder / 'pages'}", f"workspace={folder / 'ws'}",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "1 pages of the truth have fewer than two panels" in ran.out
    rows, document = rows_of(folder / "ws")
    assert rows["auto, given boxes", "all"]["figures"]["page_exact"] == 1
    own = rows["found: its order", "all"]["figures"]
    assert own["page_exact"] == pytest.approx(1 / 3)
    assert (own["exact_complete"], own["n_complete"]) == (0.5, 2)
    assert own["coverage"] == pytest.approx(11 / 12)
    assert own["tau"] == pytest.approx((1 + (2 - 4) / 6 + 1) / 3)
    assert rows["found: auto", "all"]["figures"]["page_exact"] == pytest.approx(2 / 3)
    assert document["worst"][0]["page"] == "a/2.png"


def test_a_workspace_is_evaluated_by_page_id_or_member_path(workspace_copy: Path, comix: Callable[..., Any]) -> None:
    """The detector's own boxes as truth: everything is exact; a page may be named by the path inside the library."""
    truth = json.loads((workspace_copy / "detections/ensemble/predictions.json").read_text())
    (workspace_copy / "truth.json").write_text(json.dumps(truth))
    for target in ("detection", "order"):
        ran = comix("evaluate", f"target={target}", f"truth={workspace_copy / 'truth.json'}", f"workspace={workspace_copy}")
        assert ran.code == 0, ran.err
    rows, _ = rows_of(workspace_copy)
    assert rows["ensemble: its order", "all"]["figures"]["page_exact"] == 1
    for image in truth["images"]:
        del image["page_id"]
    (workspace_copy / "truth.json").write_text(json.dumps(truth))
    comix("evaluate", "target=detection", f"truth={workspace_copy / 'truth.json'}", f"workspace={workspace_copy}")
    assert rows_of(workspace_copy)[0]["ensemble", "all"]["figures"]["f1_90"] == 1


def test_mistakes_are_named(folder: Path, comix: Callable[..., Any]) -> None:
    truth, base = folder / "truth.json", ["evaluate", f"workspace={folder / 'ws'}"]
    (folder / "theirs.json").write_text(json.dumps(coco({"elsewhere/1.png": GRID})))
    (folder / "unordered.json").write_text(json.dumps(coco({"a/1.png": GRID}, order=False)))
    cases: list[tuple[list[str], str]] = [
        (
            ["target=detection", f"truth={truth}", f"predictions={folder / 'theirs.json'}"],
            "joined by page_id or by the exact path",
        ),
        (["target=detection", f"truth={truth}"], "no detections by ensemble yet"),
        (["target=detection", f"truth=[{truth},{truth}]", f"predictions={truth}"], "name each page once"),
        (["target=detection", f"truth={truth}", f"predictions={truth}", "category=face"], "it has panel"),
        (["target=order", f"truth={folder / 'unordered.json'}"], "no page with two panels or more"),
        (["target=order", f"truth={truth}", "methods=best"], "wanted one or more of"),
        (["target=boxes", f"truth={truth}"], "wanted one of: detection, order"),
        (["target=order"], "needs truth=FILE"),
        (["target=order", f"truth={folder / 'absent.json'}"], "no such file"),
    ]
    for words, wanted in cases:
        ran = comix(*base, *words)
        assert (ran.code, wanted in ran.err) == (2, True), (words, ran.err)
