"""``detector=ensemble``: gutters and the learned network, fused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comix.core.files import digest
from comix.core.page import Detection
from comix.detect.fuse import FITTED, fuse
from comix.detect.gutter import GutterDetector
from comix.detect.rcnn.detector import FasterRcnnDetector


class EnsembleDetector:
    """Both detectors on every page, their boxes weighed against each other, see `fuse`.

    Args:
        gutter: arguments of `GutterDetector`; ``learned``: of `FasterRcnnDetector`. Both should keep boxes that they are not
            sure of: the other one may be.
        min_score: boxes less likely to be a panel, as both together see it, are left out.
        name: folder below ``detections/``.

    Raises:
        MissingInputError, FileFormatError: the network's weights are not there, or not what they say.
    """

    def __init__(
        self, gutter: Mapping[str, Any], learned: Mapping[str, Any], min_score: float = 0.5, name: str = "ensemble"
    ) -> None:
        self.name, self.min_score = name, min_score
        self.gutter, self.learned = GutterDetector(**gutter), FasterRcnnDetector(**learned)
        self.version = digest(self.gutter.version, dict(gutter), self.learned.version, FITTED, min_score)

    def detect(self, image: NDArray[np.uint8], page_id: str = "") -> list[Detection]:
        """Panels of a ``(h, w, 3)`` uint8 BGR page, surest first; an empty list when there is none."""
        height, width = image.shape[:2]
        found = [one for one in self.learned.detect(image, page_id) if one.category == "panel"]
        return fuse(self.gutter.detect(image, page_id), found, width, height, self.min_score)
