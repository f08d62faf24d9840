"""Our average precision against pycocotools."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from comix.metrics.average_precision import THRESHOLDS, PageBoxes, average_precision


def oracle(pages: list[PageBoxes]) -> list[float]:
    """Per threshold what pycocotools says; ids from 1, because it takes an annotation with the id 0 for unmatched."""
    truth: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "panel"}]}
    found: list[dict[str, Any]] = []
    for number, page in enumerate(pages, start=1):
        truth["images"].append({"id": number, "width": 1000, "height": 1000})
        for box in page.truth.tolist():
            one = {"id": len(truth["annotations"]) + 1, "image_id": number, "category_id": 1, "bbox": box}
            truth["annotations"].append(one | {"area": box[2] * box[3], "iscrowd": 0})
        found += [
            {"image_id": number, "category_id": 1, "bbox": box, "score": score}
            for box, score in zip(page.detected.tolist(), page.scores.tolist(), strict=True)
        ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(found), "bbox")
        run.evaluate()
        run.accumulate()
    return [float(run.eval["precision"][level, :, 0, 0, 2].mean()) for level in range(len(THRESHOLDS))]


def random_page(rng: np.random.Generator, ties: bool) -> PageBoxes:
    n = rng.integers(0, 12)
    truth = np.concatenate([rng.integers(0, 800, (n, 2)), rng.integers(20, 300, (n, 2))], axis=1).astype(float)
    jitter = truth[rng.random(len(truth)) < 0.8] + rng.normal(0, 12, 4)
    extra = rng.integers(5, 500, (rng.integers(0, 5), 4)).astype(float)
    detected = np.concatenate([jitter, jitter[:1], extra]).clip(1)
    scores = rng.choice([0.5, 0.7, 0.9], len(detected)) if ties else rng.random(len(detected))
    return PageBoxes(detected, scores, truth)


@pytest.mark.parametrize("ties", [False, True])
def test_it_equals_pycocotools(ties: bool) -> None:
    rng = np.random.default_rng(4)
    for _ in range(4):
        pages = [random_page(rng, ties) for _ in range(25)]
        ours = average_precision(pages)
        assert ours is not None
        assert ours == pytest.approx(oracle(pages), abs=1e-6)


def test_equal_overlaps_and_many_boxes() -> None:
    box = np.array([[0.0, 0.0, 100.0, 100.0]])
    twins = PageBoxes(np.repeat(box, 3, 0), np.ones(3), np.repeat(box, 2, 0))
    many = np.array([[float(n), 0.0, 50.0, 50.0] for n in range(130)])
    crowd = PageBoxes(many, np.full(130, 0.5), many[-1:])
    nothing = PageBoxes(np.empty((0, 4)), np.empty(0), box)
    for pages in ([twins], [crowd], [twins, crowd, nothing], [nothing, twins]):
        assert average_precision(pages) == pytest.approx(oracle(pages), abs=1e-6)
    assert average_precision([]) is None
    assert average_precision([nothing]) == (0.0,) * 10
