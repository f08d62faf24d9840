"""Two small drawn pages with their panels, and whether boxes are theirs."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box
from comix.core.page import Detection
from comix.metrics.detection import count_page

PANELS = (
    [Box(10, 10, 80, 60), Box(100, 10, 90, 60), Box(10, 80, 180, 90), Box(10, 180, 180, 110)],
    [Box(10, 10, 180, 130), Box(10, 150, 85, 140), Box(105, 150, 85, 140)],
)
WIDTH, HEIGHT = 200, 300


def drawn(boxes: Sequence[Box], width: int = WIDTH, height: int = HEIGHT, seed: int = 0) -> NDArray[np.uint8]:
    """A ``(height, width, 3)`` BGR page with a coloured scene in every box."""
    random = np.random.default_rng(seed)
    page = np.full((height, width, 3), 250, np.uint8)
    for box in boxes:
        x, y, w, h = (int(value) for value in box.xywh)
        cv2.rectangle(page, (x, y), (x + w - 1, y + h - 1), random.integers(60, 200, 3).tolist(), -1)
        cv2.circle(page, (x + w // 2, y + h // 2), min(w, h) // 3, random.integers(0, 120, 3).tolist(), -1)
        cv2.rectangle(page, (x, y), (x + w - 1, y + h - 1), (0, 0, 0), 2)
    return page


PAGES = tuple(drawn(boxes, seed=number) for number, boxes in enumerate(PANELS))


def are_panels(found: Sequence[Detection], number: int, iou: float = 0.8) -> bool:
    """Whether all boxes of one of the pages were found, and nothing else."""
    return count_page([one.box for one in found], PANELS[number], iou).exact


def relative(boxes: Sequence[Box]) -> list[list[float]]:
    """``[centre x, centre y, width, height]`` as shares of the page, as detectors are taught."""
    return [[box.cx / WIDTH, box.cy / HEIGHT, box.w / WIDTH, box.h / HEIGHT] for box in boxes]
