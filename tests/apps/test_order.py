"""``comix order`` on any tool's boxes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

BOXES = [[110, 110, 90, 90], [0, 0, 100, 100], [110, 0, 90, 90], [0, 110, 100, 90]]


def test_coco_in_coco_with_order_out(comix: Callable[..., object], tmp_path: Path) -> None:
    images = [{"id": 7, "file_name": "a.jpg", "width": 200, "height": 200, "reading_direction": "rtl", "mine": "kept"}]
    annotations = [{"id": n, "image_id": 7, "category_id": 5, "bbox": box} for n, box in enumerate(BOXES)]
    document = {"images": images, "annotations": annotations, "categories": [{"id": 5, "name": "Panel"}]}
    (tmp_path / "in.json").write_text(json.dumps(document))
    for direction, wanted in (("auto", [2, 1, 0, 3]), ("ltr", [1, 2, 3, 0])):
        ran = comix(
            "order", f"boxes={tmp_path / 'in.json'}", f"output={tmp_path / 'out.json'}", f"direction={direction}",
            f"workspace={tmp_path / 'ws'}",
        )  # fmt: skip
        assert ran.code == 0
        out = json.loads((tmp_path / "out.json").read_text())
        assert out["images"][0]["mine"] == "kept"
        assert [one["id"] for one in sorted(out["annotations"], key=lambda one: one["order"])] == wanted


def test_plain_boxes_in_indices_out(comix: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps({"p, 1.jpg": BOXES, "empty.jpg": []}))
    comix("order", f"boxes={tmp_path / 'in.json'}", f"output={tmp_path / 'out.json'}", f"workspace={tmp_path}")
    assert json.loads((tmp_path / "out.json").read_text()) == {"p, 1.jpg": [1, 2, 3, 0], "empty.jpg": []}


def test_what_is_not_boxes_is_named(comix: Callable[..., object], tmp_path: Path) -> None:
    cases = {
        '{"a.jpg": [[1, 2, 3]]}': "a.jpg",
        "[1, 2]": "wanted COCO",
        '{"images": [], "annotations": [{"image_id": 1, "bbox": [0, 0, 1, 1]}]}': "image_id 1",
        '{"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 1, "bbox": [0, 0, NaN, 1]}]}': "NaN",
        '{"images": [1], "annotations": []}': "images[0]",
        '{"images": [{"id": 1, "file_name": "a", "width": "x"}], "annotations": []}': "width",
        '{"images": [{"id": 1, "file_name": "a"}], "annotations": [5]}': "annotations[0]",
        '{"images": [], "annotations": [], "categories": {"a": 1}}': "categories",
        '{"a.jpg": [[0, 0, -3, 1]]}': "negative",
        "{broken": "not valid JSON",
    }
    for content, wanted in cases.items():
        (tmp_path / "in.json").write_text(content)
        ran = comix("order", f"boxes={tmp_path / 'in.json'}", f"output={tmp_path / 'out.json'}", f"workspace={tmp_path}")
        assert ran.code == 2
        assert wanted in ran.err
        assert not (tmp_path / "out.json").exists()


def test_boxes_that_no_category_calls_panels(comix: Callable[..., object], tmp_path: Path) -> None:
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]}],
        "categories": [{"id": 1, "name": "Comic Panels"}],
    }
    (tmp_path / "in.json").write_text(json.dumps(document))
    ran = comix("order", f"boxes={tmp_path / 'in.json'}", f"output={tmp_path / 'out.json'}")
    assert (ran.code, "comic panels" in ran.err) == (2, True)
