"""Figures of a network on labelled pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from comix.core.geometry import Box
from comix.data.boxpages import BoxPage
from comix.data.packed import PackedPages
from comix.detect.rcnn.predict import Found, predict
from comix.metrics.average_precision import PageBoxes, average_precision
from comix.metrics.detection import count_page, pool

_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(2, 20))


class BoxFigures:
    """Validation: AP at IoU .5, and F1 at IoU .5 and .75 at the best of a few score thresholds, boxes of all classes alike.

    Args:
        pages: what is looked at; not empty.
        packed: the same pages decoded.
        area: of the canvas.
    """

    def __init__(self, pages: Sequence[BoxPage], packed: PackedPages, area: float) -> None:
        self.pages, self.packed, self.area = pages, packed, area

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """``ap50``; ``f1_50``, ``f1_75`` and ``page_exact`` at ``threshold``; ``score``, the mean of the two F1."""
        images = [self.packed[number] for number in range(len(self.pages))]
        found = predict(network, images, self.area)
        truth = [
            _boxes(page.boxes * np.array([image.shape[1] / page.width, image.shape[0] / page.height] * 2))
            for page, image in zip(self.pages, images, strict=True)
        ]
        scored = [
            PageBoxes(_xywh(one.boxes), one.scores, np.array([box.xywh for box in true]).reshape(-1, 4))
            for one, true in zip(found, truth, strict=True)
        ]
        precision = average_precision(scored) or (0.0,)
        rows = [(self._at(found, truth, threshold), threshold) for threshold in _THRESHOLDS]
        best, threshold = max(rows, key=lambda row: row[0]["f1_50"] + row[0]["f1_75"])
        score = (best["f1_50"] + best["f1_75"]) / 2
        return {"ap50": precision[0], **best, "threshold": threshold, "score": score}

    def _at(self, found: Sequence[Found], truth: Sequence[list[Box]], threshold: float) -> dict[str, float]:
        kept = [_boxes(one.boxes[one.scores >= threshold]) for one in found]
        loose = pool([count_page(boxes, true, 0.5) for boxes, true in zip(kept, truth, strict=True)])
        strict = pool([count_page(boxes, true, 0.75) for boxes, true in zip(kept, truth, strict=True)])
        return {"f1_50": loose.f1, "f1_75": strict.f1, "page_exact": loose.page_exact}


def _xywh(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


def _boxes(corners: NDArray[Any]) -> list[Box]:
    return [Box.from_xyxy(*(float(value) for value in corner)) for corner in corners]
