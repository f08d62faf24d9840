"""COCO average precision, equal to pycocotools to 1e-6 (a test compares them), without its id 0 and empty-class traps.

Source: the COCO evaluation, https://cocodataset.org/#detection-eval: IoU .50 to .95 by .05, precision at 101 recall points, at
most 100 boxes a page, all areas. An annotation whose id is 0 counts here like any other; pycocotools takes it for unmatched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLDS: tuple[float, ...] = tuple(np.linspace(0.5, 0.95, 10).tolist())
_RECALLS = np.linspace(0.0, 1.0, 101)
_MAX_BOXES = 100


@dataclass(frozen=True, slots=True)
class PageBoxes:
    """One page of one category.

    Attributes:
        detected: ``(n, 4)`` boxes xywh, pixels, in file order (equal scores are taken in this order).
        scores: ``(n,)``.
        truth: ``(m, 4)`` boxes xywh.
    """

    detected: NDArray[np.float64]
    scores: NDArray[np.float64]
    truth: NDArray[np.float64]


def average_precision(pages: Sequence[PageBoxes]) -> tuple[float, ...] | None:
    """Average precision at each of `THRESHOLDS`; None where there is nothing to find. AP is their mean, AP50 the first.

    >>> box = np.array([[0.0, 0.0, 10.0, 10.0]])
    >>> round(average_precision([PageBoxes(box, np.array([0.9]), box)])[0], 6)
    1.0
    >>> average_precision([PageBoxes(box, np.array([0.9]), np.empty((0, 4)))]) is None
    True
    """
    n_truth = sum(len(page.truth) for page in pages)
    if not n_truth:
        return None
    scores: list[NDArray[np.float64]] = [np.empty(0)]
    hits: list[NDArray[np.bool_]] = [np.empty((len(THRESHOLDS), 0), bool)]
    for page in pages:
        order = np.argsort(-page.scores, kind="stable")[:_MAX_BOXES]
        scores.append(page.scores[order])
        hits.append(_page_hits(iou_matrix(page.detected[order], page.truth)))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    found = np.concatenate(hits, axis=1)[:, order]
    return tuple(_area_under(one, n_truth) for one in found)


def iou_matrix(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of every box of ``(n, 4)`` with every one of ``(m, 4)``, xywh: ``(n, m)``; 0 for empty boxes.

    >>> iou_matrix(np.array([[0.0, 0, 10, 10]]), np.array([[5.0, 0, 10, 10]])).round(3).tolist()
    [[0.333]]
    """
    one, two = first[:, None, :], second[None, :, :]
    wide = np.minimum(one[..., 0] + one[..., 2], two[..., 0] + two[..., 2]) - np.maximum(one[..., 0], two[..., 0])
    high = np.minimum(one[..., 1] + one[..., 3], two[..., 1] + two[..., 3]) - np.maximum(one[..., 1], two[..., 1])
    shared = np.clip(wide, 0, None) * np.clip(high, 0, None)
    union = one[..., 2] * one[..., 3] + two[..., 2] * two[..., 3] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), np.float64)


def _page_hits(ious: NDArray[np.float64]) -> NDArray[np.bool_]:
    """``(thresholds, n)``: which boxes, best first, take a true box of their own; of equal overlaps the last one is taken."""
    hits = np.zeros((len(THRESHOLDS), len(ious)), bool)
    if not ious.size:
        return hits
    for level, threshold in enumerate(THRESHOLDS):
        free = ious.copy()
        for row in range(len(ious)):
            best = free.shape[1] - 1 - int(np.argmax(free[row, ::-1]))
            if free[row, best] >= min(threshold, 1 - 1e-10):
                hits[level, row] = True
                free[:, best] = -1.0
    return hits


def _area_under(hits: NDArray[np.bool_], n_truth: int) -> float:
    """Mean over 101 recalls of the best precision at that recall or beyond."""
    right = np.cumsum(hits)
    recall = right / n_truth
    precision = right / (np.arange(len(hits)) + 1 + np.spacing(1))
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, _RECALLS, side="left")
    reached = places < len(precision)
    return float(np.where(reached, precision[np.minimum(places, len(precision) - 1)], 0.0).mean()) if len(precision) else 0.0
