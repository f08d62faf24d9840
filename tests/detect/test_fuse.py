"""Two detectors' boxes made into one set."""

import cv2
import numpy as np

from comix.core.geometry import Box
from comix.core.page import Detection
from comix.detect.ensemble import EnsembleDetector
from comix.detect.fuse import fuse
from comix.metrics.detection import count_page

LEFT, RIGHT, BOTH = Box(0, 0, 95, 200), Box(105, 0, 95, 200), Box(0, 0, 200, 200)


def test_where_both_agree_the_exact_box_is_kept():
    loose = Box(3, 4, 93, 193)
    found = fuse([Detection(LEFT, 0.9)], [Detection(loose, 0.95)], 300, 300, 0.5)
    assert [one.box for one in found] == [LEFT]


def test_what_the_network_alone_is_sure_of_is_kept_and_what_it_denies_is_not():
    found = fuse([Detection(LEFT, 0.9)], [Detection(LEFT, 0.95), Detection(RIGHT, 0.97)], 400, 400, 0.5)
    assert {one.box for one in found} == {LEFT, RIGHT}
    assert fuse([Detection(BOTH, 0.45)], [], 210, 210, 0.5) == []


def test_two_sure_panels_beat_the_box_around_them():
    found = fuse([Detection(BOTH, 0.6)], [Detection(LEFT, 0.97), Detection(RIGHT, 0.96)], 400, 400, 0.5)
    assert {one.box for one in found} == {LEFT, RIGHT}


def test_nothing_found_is_nothing_fused():
    assert fuse([], [], 100, 100, 0.5) == []


def test_a_drawn_page():
    page, boxes = np.full((1200, 800, 3), 255, np.uint8), []
    for row, columns in enumerate((2, 3, 1)):
        width = (740 - 20 * (columns - 1)) // columns
        boxes += [Box(30 + column * (width + 20), 30 + row * 390, width, 360) for column in range(columns)]
    for number, box in enumerate(boxes):
        x, y, w, h = (int(value) for value in box.xywh)
        page[y : y + h, x : x + w] = np.random.default_rng(number).integers(90, 220, 3)
        cv2.circle(page, (x + w // 2, y + h // 2), 90, (40, 60, 20 * number), -1)
        cv2.rectangle(page, (x, y), (x + w - 1, y + h - 1), (0, 0, 0), 4)
    detector = EnsembleDetector(gutter={"min_score": 0.1}, learned={"min_score": 0.05})
    found = detector.detect(page)
    assert count_page([one.box for one in found], boxes, 0.9).exact
    assert detector.detect(np.full((600, 400, 3), 255, np.uint8)) == []
