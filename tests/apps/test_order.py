"""``comix order`` on any tool's boxes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

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


SPREAD = [[x, y, 240, 300] for x in (0, 250, 560, 810) for y in (0, 310)]


def test_sizes_and_directions_beside_the_boxes(comix: Callable[..., object], tmp_path: Path) -> None:
    """Three ways to say the same; a wide page is a double page when its size says so or its fold does."""
    boxes = {"a.jpg": SPREAD, "b.jpg": BOXES}
    sizes, directions = {"a.jpg": [1050, 610]}, {"b.jpg": "rtl"}
    forms = [
        {**boxes, "sizes": sizes, "directions": directions},
        {"boxes": boxes, "sizes": sizes, "directions": directions},
        {"a.jpg": {"boxes": SPREAD, "size": [1050, 610]}, "b.jpg": {"boxes": BOXES, "direction": "rtl"}},
    ]
    for form in forms:
        (tmp_path / "in.json").write_text(json.dumps(form))
        ran = comix("order", f"boxes={tmp_path / 'in.json'}", f"output={tmp_path / 'out.json'}")
        assert (ran.code, ran.out.startswith("order: 12 panels on 2 pages ordered")) == (0, True)
        assert json.loads((tmp_path / "out.json").read_text()) == {"a.jpg": [0, 2, 1, 3, 4, 6, 5, 7], "b.jpg": [2, 1, 0, 3]}
    comix("order", f"boxes={tmp_path / 'in.json'}", f"output={tmp_path / 'out.json'}", "direction=ltr", "pages=single")
    assert json.loads((tmp_path / "out.json").read_text()) == {"a.jpg": [0, 2, 4, 6, 1, 3, 5, 7], "b.jpg": [1, 2, 3, 0]}


def test_pages_that_are_called_sizes(comix: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps({"sizes": BOXES, "directions": {"boxes": BOXES, "direction": "rtl"}}))
    comix("order", f"boxes={tmp_path / 'in.json'}", f"output={tmp_path / 'out.json'}")
    assert json.loads((tmp_path / "out.json").read_text()) == {"sizes": [1, 2, 3, 0], "directions": [2, 1, 0, 3]}


def test_coco_keeps_how_sure_it_is(comix: Callable[..., object], tmp_path: Path) -> None:
    """Texts that stand in columns tell the direction where nothing else does; both are written beside the order."""
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 200, "height": 200} for n in (0, 1)]
    panels = [{"id": n, "image_id": n // 4, "category_id": 1, "bbox": BOXES[n % 4]} for n in range(8)]
    texts = [{"id": 10 + n, "image_id": 1, "category_id": 2, "bbox": [9, 9 + n, 10, 40]} for n in range(4)]
    names = [{"id": 1, "name": "panel"}, {"id": 2, "name": "text"}]
    (tmp_path / "in.json").write_text(json.dumps({"images": images, "annotations": panels + texts, "categories": names}))
    assert comix("order", f"boxes={tmp_path / 'in.json'}", f"output={tmp_path / 'out.json'}").code == 0
    out = json.loads((tmp_path / "out.json").read_text())
    first, second = out["images"]
    assert (first["reading_direction"], first["direction_from"], first["direction_confidence"]) == ("ltr", "default", 0)
    assert (second["reading_direction"], second["direction_from"]) == ("rtl", "page")
    assert (second["order_margin"], second["order_notes"]) == (1, [])
    assert [one.get("order") for one in out["annotations"]] == [3, 0, 1, 2] + [2, 1, 0, 3] + [None] * 4
    assert "order" not in out["annotations"][-1]


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
        '{"a.jpg": [[0, 0, 3, "x"]]}': "a box must be",
        '{"a.jpg": "x"}': "wanted a list",
        '{"a.jpg": {"panels": []}}': "wanted boxes",
        '{"a.jpg": [], "sizes": {"b.jpg": [1, 2]}}': "names 'b.jpg'",
        '{"a.jpg": [], "sizes": {"a.jpg": [1, 0]}}': "above 0",
        '{"a.jpg": [], "directions": {"a.jpg": "left"}}': "ltr, rtl or ttb",
        '{"images": [{"id": 1, "file_name": "a", "reading_direction": "left"}], "annotations": []}': "ltr, rtl or ttb",
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


def test_the_direction_that_letters_tell(comix: Callable[..., object], tmp_path: Path) -> None:
    """A book without metadata: from the left by default and counted, from the right once its letters are looked at."""
    image = np.full((1100, 800, 3), 255, np.uint8)
    for x, y, w, h in ((20, 20, 370, 520), (410, 20, 370, 520), (20, 560, 760, 520)):
        cv2.rectangle(image, (x, y), (x + w, y + h), (0, 0, 0), 4)
        for one in range(40):
            cv2.putText(image, "AHKE"[one % 4], (x + 60 + 34 * (one % 5), y + 60 + 15 * (one // 5)), 0, 0.5, (0, 0, 0), 1, 16)
    (tmp_path / "library/book").mkdir(parents=True)
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"library/book/{number}.png"), image)
    workspace = f"workspace={tmp_path / 'ws'}"
    comix("extract", f"library={tmp_path / 'library'}", workspace, "workers=0")
    comix("detect", workspace, "workers=0")
    ran = comix("order", workspace)
    assert "3 read from the left because nothing says otherwise" in ran.out
    path = tmp_path / "ws/detections/ensemble/predictions.json"
    first = json.loads(path.read_text())["images"][0]
    assert (first["reading_direction"], first["direction_from"]) == ("ltr", "default")
    comix("order", workspace, "look=3")
    first = json.loads(path.read_text())["images"][0]
    assert (first["reading_direction"], first["direction_from"]) == ("rtl", "page")
    assert 0.5 <= first["direction_confidence"] <= 1
