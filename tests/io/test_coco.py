"""COCO as columns: what was written is read back, and a changed file is told from an unchanged one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comix.core.errors import FileFormatError
from comix.core.geometry import Box
from comix.core.page import Detection, PageRecord
from comix.io.coco import PageDetections, read_predictions, write_predictions

POLYGON = ((10.0, 10.0), (110.25, 12.0), (100.0, 90.5))


def page(number: int) -> PageRecord:
    fixed = dict.fromkeys(PageRecord.columns(), "")
    return PageRecord(**{**fixed, "page_id": f"b/{number:04d}", "page_num": number, "width": 500, "height": 700})  # type: ignore[arg-type]


def found(number: int) -> PageDetections:
    detections = (
        Detection(Box(10.25, 10, 100, 80), 0.75, "panel", POLYGON if number == 2 else ()),
        Detection(Box(30, 40, 5, 5), 0.5, "text"),
        Detection(Box(10, 200, 100.5, 80), 0.25),
    )
    return PageDetections(f"b/{number:04d}", 500, 700, detections, (1, None, 0), True, "rtl", 0.5)


def test_a_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    empty = PageDetections("b/0003", 500, 700)
    pages = [(page(1), found(1)), (page(2), found(2)), (page(3), empty)]
    assert write_predictions(path, pages, {"detector": "d"})
    assert not write_predictions(path, iter(pages), {"detector": "d"})
    assert json.loads(path.read_text())["annotations"][5]["id"] == 6
    read = read_predictions(path)
    assert list(read) == ["b/0001", "b/0002", "b/0003"]
    for number in (1, 2):
        again = read[f"b/{number:04d}"]
        assert (again.detections, again.order) == (found(number).detections, (1, None, 0))
        assert (again.margin, again.reading_direction, again.is_ordered) == (0.5, "rtl", True)
        assert [one.score for one in again.panels(0.2)] == [0.25, 0.75]
        assert [one.score for one in again.panels(0.6)] == [0.75]
    assert (read["b/0003"].detections, read["b/0003"].is_ordered) == ((), False)
    assert read.first_unordered() is None
    assert "b/0009" not in read
    assert read.get("b/0009") is None


def test_annotations_in_any_order_find_their_page(tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    write_predictions(path, [(page(1), found(1)), (page(2), found(2))], {})
    document = json.loads(path.read_text())
    document["annotations"] = document["annotations"][::-1]
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(document).encode())
    assert read_predictions(path)["b/0002"].detections == found(2).detections[::-1]


def test_a_file_of_another_tool_is_refused_where_page_ids_are_wanted(tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    path.write_text('{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []}')
    with pytest.raises(FileFormatError, match="lacks page_id"):
        read_predictions(path)
