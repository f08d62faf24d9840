import cv2
import numpy as np
import pytest

from comix.core.geometry import Box
from comix.detect.base import Detector
from comix.detect.gutter import GutterDetector
from comix.metrics.detection import match_boxes

WHITE, BLACK, TEAL = (255, 255, 255), (0, 0, 0), (120, 110, 40)


@pytest.fixture(scope="module")
def detector():
    return GutterDetector()


def drawing(width, height, seed=0):
    """Something a panel shows: a sky that darkens, a hill, and figures."""
    random = np.random.default_rng(seed)
    sky = random.integers(120, 190, 3) + np.linspace(40, -40, height)[:, None, None]
    image = np.ascontiguousarray(np.broadcast_to(sky, (height, width, 3)).astype(np.uint8))
    hill = (int(random.integers(0, width)), int(height * 1.2))
    cv2.ellipse(image, hill, (width, height // 2), 0, 0, 360, random.integers(40, 150, 3).tolist(), -1)
    for _ in range(8):
        centre = (int(random.integers(0, width)), int(random.integers(0, height)))
        radius = int(random.integers(8, max(9, min(width, height) // 5)))
        cv2.circle(image, centre, radius, random.integers(0, 255, 3).tolist(), -1)
        cv2.circle(image, centre, radius, BLACK, 2)
    return image


def paste(page, box, seed=0, frame=3):
    x, y, w, h = (int(value) for value in box.xywh)
    page[y : y + h, x : x + w] = drawing(w, h, seed)
    if frame:
        cv2.rectangle(page, (x, y), (x + w - 1, y + h - 1), BLACK, frame)


def grid(columns, rows, width, height, margin, gutter):
    w = (width - 2 * margin - (columns - 1) * gutter) // columns
    h = (height - 2 * margin - (rows - 1) * gutter) // rows
    return [
        Box(margin + column * (w + gutter), margin + row * (h + gutter), w, h)
        for row in range(rows)
        for column in range(columns)
    ]


def page_of(boxes, ground=WHITE, width=800, height=1200):
    page = np.full((height, width, 3), ground, np.uint8)
    for seed, box in enumerate(boxes):
        paste(page, box, seed)
    return page


def assert_found(detections, truth, iou=0.8):
    boxes = [detection.box for detection in detections]
    assert len(boxes) == len(truth), boxes
    assert len(match_boxes(boxes, truth, iou)) == len(truth), boxes


def test_is_a_detector(detector):
    checked: Detector = detector
    assert (checked.name, checked.version) == ("gutter", "2")


@pytest.mark.parametrize("ground", [WHITE, BLACK, TEAL], ids=["white", "black", "coloured"])
def test_grid_on_any_ground(detector, ground):
    boxes = grid(2, 3, 800, 1200, 40, 20)
    assert_found(detector.detect(page_of(boxes, ground)), boxes, 0.9)


def test_boxes_are_in_pixels_of_the_full_page(detector):
    boxes = grid(2, 3, 2400, 3600, 120, 60)
    assert_found(detector.detect(page_of(boxes, WHITE, 2400, 3600)), boxes, 0.95)


def test_small_page(detector):
    boxes = grid(2, 2, 300, 420, 12, 8)
    assert_found(detector.detect(page_of(boxes, WHITE, 300, 420)), boxes)


def test_uneven_paper(detector):
    boxes = grid(2, 3, 800, 1200, 40, 20)
    page = page_of(boxes).astype(np.float32)
    shade = np.linspace(1.0, 0.75, 800)[None, :, None] * np.array([0.6, 0.85, 0.95])
    noise = np.random.default_rng(1).normal(0, 4, page.shape)
    assert_found(detector.detect(np.clip(page * shade + noise, 0, 255).astype(np.uint8)), boxes)


def test_balloon_across_a_gutter(detector):
    boxes = grid(2, 3, 800, 1200, 40, 20)
    page = page_of(boxes)
    cv2.ellipse(page, (400, 120), (90, 50), 0, 0, 360, WHITE, -1)
    cv2.ellipse(page, (400, 120), (90, 50), 0, 0, 360, BLACK, 3)
    cv2.ellipse(page, (220, 415), (42, 36), 0, 0, 360, WHITE, -1)
    cv2.ellipse(page, (220, 415), (42, 36), 0, 0, 360, BLACK, 3)
    assert_found(detector.detect(page), boxes)


def test_panels_that_share_one_line(detector):
    boxes = grid(2, 2, 800, 1000, 40, 0)
    page = np.full((1000, 800, 3), 255, np.uint8)
    for box in boxes:
        x, y, w, h = (int(value) for value in box.xywh)
        cv2.circle(page, (x + w // 2, y + h * 2 // 3), 60, BLACK, 3)
        cv2.rectangle(page, (x, y), (x + w, y + h), BLACK, 4)
    assert_found(detector.detect(page), boxes)


def test_slanted_gutter_gives_polygons(detector):
    page = np.full((1000, 800, 3), 255, np.uint8)
    art = drawing(800, 1000, 3)
    left = np.array([(40, 40), (460, 40), (320, 960), (40, 960)], np.int32)
    right = np.array([(484, 40), (760, 40), (760, 960), (344, 960)], np.int32)
    for corners in (left, right):
        mask = np.zeros((1000, 800), np.uint8)
        cv2.fillPoly(mask, [corners], 255)
        page[mask > 0] = art[mask > 0]
        cv2.polylines(page, [corners], True, BLACK, 3)
    found = detector.detect(page)
    assert_found(found, [Box(40, 40, 420, 920), Box(344, 40, 416, 920)])
    assert all(len(detection.polygon) == 4 for detection in found)


def test_upright_panels_have_no_polygon(detector):
    found = detector.detect(page_of(grid(2, 2, 800, 1000, 40, 20), height=1000))
    assert all(detection.polygon == () for detection in found)


def test_bleeding_panel_reaches_the_page_edge(detector):
    boxes = [Box(0, 0, 800, 500), Box(40, 530, 350, 630), Box(410, 530, 350, 630)]
    assert_found(detector.detect(page_of(boxes)), boxes)


def test_page_inside_a_coloured_mat(detector):
    boxes = [Box(box.x + 60, box.y + 60, box.w, box.h) for box in grid(2, 3, 680, 1080, 30, 20)]
    page = np.zeros((1200, 800, 3), np.uint8)
    page[60:1140, 60:740] = TEAL
    for seed, box in enumerate(boxes):
        paste(page, box, seed)
    assert_found(detector.detect(page), boxes)


def test_frame_thinner_than_two_pixels_around_white(detector):
    boxes = grid(2, 3, 1600, 2400, 80, 40)
    page = np.full((2400, 1600, 3), 255, np.uint8)
    for box in boxes:
        x, y, w, h = (int(value) for value in box.xywh)
        cv2.rectangle(page, (x, y), (x + w - 1, y + h - 1), BLACK, 1)
        cv2.circle(page, (x + w // 2, y + h * 2 // 3), w // 5, BLACK, 4)
    assert_found(detector.detect(page), boxes, 0.9)


def test_textured_gutters(detector):
    boxes = grid(2, 3, 800, 1200, 40, 24)
    page = page_of(boxes, (150, 190, 210))
    outside = np.full((1200, 800), True)
    for box in boxes:
        outside[int(box.y) : int(box.b), int(box.x) : int(box.r)] = False
    weave = np.random.default_rng(2).integers(-14, 15, (1200, 800, 1)) + 8 * np.sin(np.arange(800) / 3)[None, :, None]
    page[outside] = np.clip(page + weave, 0, 255).astype(np.uint8)[outside]
    assert_found(detector.detect(page), boxes)


def test_inset_that_crosses_its_host_is_no_reason_to_lose_the_others(detector):
    boxes = [Box(40, 40, 720, 520), Box(40, 584, 348, 576), Box(412, 584, 348, 576)]
    page = page_of(boxes)
    cv2.rectangle(page, (596, 376), (776, 576), WHITE, -1)
    paste(page, Box(604, 384, 164, 184), 9)
    found = [detection.box for detection in detector.detect(page)]
    assert len(match_boxes(found, boxes, 0.8)) == 3, found


def test_panel_without_a_frame_between_framed_ones(detector):
    boxes = [Box(40, 40, 720, 340), Box(120, 440, 560, 300), Box(40, 800, 720, 360)]
    page = page_of([boxes[0], boxes[2]])
    drawn = drawing(560, 300, 7)
    mask = np.zeros((300, 560), np.uint8)
    cv2.ellipse(mask, (280, 150), (279, 149), 0, 0, 360, 255, -1)
    page[440:740, 120:680][mask > 0] = drawn[mask > 0]
    assert_found(detector.detect(page), boxes)


def test_upright_edge_inside_a_panel_does_not_cut_it(detector):
    boxes = [Box(40, 40, 720, 260), *(box for box in grid(2, 3, 800, 1200, 40, 20) if box.y > 320)]
    page = page_of(boxes)
    page[110:298, 420:440] = 40  # a post on the ground, not quite as high as the panel
    assert_found(detector.detect(page), boxes)


def test_dark_drawings_on_black(detector):
    boxes = grid(2, 2, 800, 1000, 40, 16)
    page = np.full((1000, 800, 3), 4, np.uint8)
    for seed, box in enumerate(boxes):
        x, y, w, h = (int(value) for value in box.xywh)
        page[y : y + h, x : x + w] = (drawing(w, h, seed) * 0.3 + 12).astype(np.uint8)
    for x in range(390, 411):  # a limb across the gutter
        page[200:260, x] = 40
    assert_found(detector.detect(page), boxes)


def test_page_of_text_with_a_picture_has_none(detector):
    page = np.full((1200, 800, 3), 250, np.uint8)
    paste(page, Box(80, 700, 240, 160))
    for row in range(30):
        cv2.putText(page, "In those days nobody had heard of it", (80 if row < 16 else 360, 80 + 37 * row), 0, 0.6, BLACK, 1)
    assert detector.detect(page) == []


def test_splash_is_one_panel(detector):
    box = Box(40, 40, 720, 1120)
    assert_found(detector.detect(page_of([box])), [box], 0.9)


def test_blank_pages_have_none(detector):
    for level in (0, 128, 255):
        assert detector.detect(np.full((1200, 800, 3), level, np.uint8)) == []


def test_text_page_has_none(detector):
    page = np.full((1200, 800, 3), 255, np.uint8)
    for row in range(12):
        cv2.putText(page, "Once upon a time there was no picture", (60, 100 + 90 * row), 0, 0.9, BLACK, 2)
    assert detector.detect(page) == []


def test_tall_webtoon(detector):
    boxes = [Box(40, 100 + 900 * index, 620, 700) for index in range(6)]
    assert_found(detector.detect(page_of(boxes, WHITE, 700, 5600)), boxes)


def test_wide_strip(detector):
    boxes = [Box(10 + 240 * index, 10, 225, 280) for index in range(4)]
    assert_found(detector.detect(page_of(boxes, WHITE, 980, 300)), boxes)


def test_boxes_stay_on_the_page_and_scores_are_probabilities(detector):
    boxes = [Box(0, 0, 800, 500), Box(0, 520, 800, 680)]
    found = detector.detect(page_of(boxes))
    assert found
    for detection in found:
        assert detection.category == "panel"
        assert 0 <= detection.score <= 1
        assert detection.box == detection.box.clipped(800, 1200)
    assert [detection.score for detection in found] == sorted((d.score for d in found), reverse=True)


def test_a_framed_panel_scores_above_a_scrap(detector):
    framed = Box(40, 40, 720, 500)
    page = page_of([framed])
    for offset in range(0, 240, 24):
        cv2.line(page, (80 + offset, 1100), (110 + offset, 980 - offset // 3), BLACK, 5)
    found = GutterDetector(min_score=0.0).detect(page)
    best = max(found, key=lambda detection: detection.score)
    assert best.box.iou(framed) > 0.9
    assert all(detection.score < best.score for detection in found if detection is not best)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 200, 3), (200, 3, 3), (17, 13, 3)])
def test_tiny_images_are_no_error(detector, shape):
    assert isinstance(detector.detect(np.zeros(shape, np.uint8)), list)


def test_input_is_left_alone_and_result_repeats(detector):
    page = page_of(grid(2, 2, 800, 1200, 40, 20))
    before = page.copy()
    first = detector.detect(page)
    assert np.array_equal(page, before)
    assert detector.detect(page) == first


def test_min_score_and_cut_logit_are_obeyed():
    boxes = grid(2, 1, 800, 800, 40, 0)
    page = page_of(boxes, height=2000)
    assert len(GutterDetector().detect(page)) == 2
    assert len(GutterDetector(min_cut_logit=1e9).detect(page)) == 1
    assert GutterDetector(min_score=1.01).detect(page) == []
