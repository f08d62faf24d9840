"""Labelled pages for the panel detector: what bad input says."""

import json

import cv2
import numpy as np
import pytest

from comix.core.errors import FileFormatError, MissingInputError, UsageError
from comix.data.boxdata import BoxData, BoxDataSettings
from comix.data.boxpages import BoxSource, read_box_pages
from comix.data.vary import Variation, varied_page
from comix.train.boxplan import box_training


def written(folder, boxes, name="a.png", draw=True):
    if draw:
        cv2.imwrite(str(folder / name), np.full((60, 40, 3), 255, np.uint8))
    content = {
        "images": [{"id": 1, "file_name": name, "width": 40, "height": 60}],
        "annotations": [{"id": n, "image_id": 1, "category_id": 1, "bbox": box} for n, box in enumerate(boxes)],
        "categories": [{"id": 1, "name": "Panel"}, {"id": 2, "name": "face"}],
    }
    path = folder / "boxes.json"
    path.write_text(json.dumps(content))
    return path


def test_pages_are_read_with_boxes_of_the_wanted_classes(tmp_path):
    pages = read_box_pages([BoxSource(str(written(tmp_path, [[1, 2, 10, 20]])), str(tmp_path))], ("panel",))
    assert pages[0].boxes.tolist() == [[1, 2, 11, 22]]
    assert pages[0].labels.tolist() == [1]


@pytest.mark.parametrize(
    ("boxes", "draw", "pages", "error", "words"),
    [
        ([[1, 2, 10, 20]], False, (), MissingInputError, "image not found"),
        ([[1, 2, float("nan"), 20]], True, (), FileFormatError, "annotations.0.*NaN"),
        ([[1, 2, 10]], True, (), FileFormatError, "got 3 numbers"),
        ([[1, 2, 10, 20]], True, ("other/",), FileFormatError, "none of its 1 images is listed"),
        ([[1, 2, 10, 20]], True, "absent.txt", MissingInputError, "no such list"),
    ],
)
def test_bad_input_names_what_is_wrong(tmp_path, boxes, draw, pages, error, words):
    source = BoxSource(str(written(tmp_path, boxes, draw=draw)), str(tmp_path), pages)
    with pytest.raises(error, match=words):
        read_box_pages([source], ("panel",))


def test_an_empty_list_or_no_box_at_all_is_refused(tmp_path):
    (tmp_path / "none.txt").write_text("\n")
    source = BoxSource(str(written(tmp_path, [])), str(tmp_path), str(tmp_path / "none.txt"))
    with pytest.raises(MissingInputError, match="the list of pages is empty"):
        read_box_pages([source], ("panel",))
    with pytest.raises(MissingInputError, match=r"task\.data\.train is empty"):
        BoxData(BoxDataSettings([], []), 2, 1, 0)
    with pytest.raises(MissingInputError, match="none of 1 training pages has a box"):
        BoxData(BoxDataSettings([BoxSource(source.coco, source.images)], [], cache=str(tmp_path / "c")), 2, 1, 0)
    with pytest.raises(UsageError, match=r"task\.data\.train: no key 'folder'"):
        box_training({"train": [{"folder": "x"}]})


def test_batches_depend_on_seed_and_number_only(tmp_path):
    source = BoxSource(str(written(tmp_path, [[1, 2, 30, 40]])), str(tmp_path))
    settings = BoxDataSettings([source], [], canvas_area=4096, cache=str(tmp_path / "c"))
    first, again = (list(BoxData(settings, 2, 3, 7).train_dataloader()) for _ in range(2))
    assert len(first) == 3
    for one, other in zip(first, again, strict=True):
        assert one.pixels.equal(other.pixels)
        assert all(a.equal(b) for a, b in zip(one.boxes, other.boxes, strict=True))


def test_boxes_follow_their_page():
    image = np.full((300, 200, 3), 255, np.uint8)
    image[40:140, 20:120] = 0
    still = Variation((1, 1), 0, 1, 0, 0, 0, 0, 0, 0)
    canvas, boxes, kept = varied_page(
        image, np.array([[20, 40, 120, 140]], np.float32), (600, 400), still, np.random.default_rng(0)
    )
    assert kept.tolist() == [True]
    left, top, right, bottom = boxes[0].round().astype(int)
    assert (left, top, right, bottom) == (160, 80, 360, 280)
    assert canvas[top + 4 : bottom - 4, left + 4 : right - 4].max() < 20
    assert canvas[:, : left - 4].min() > 200
