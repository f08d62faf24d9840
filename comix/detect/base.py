"""What a detector is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from comix.core.page import Detection


class Detector(Protocol):
    """Finds panels on one page at a time; built once per worker process.

    Attributes:
        name: names the folder ``detections/<name>/``.
        version: changes whenever the output for the same page may change; part of every fingerprint.
    """

    name: str
    version: str

    def detect(self, image: NDArray[np.uint8], page_id: str = "") -> list[Detection]:
        """Panels of a ``(h, w, 3)`` uint8 BGR page, in no particular order; an empty list when there is none."""
        ...


@runtime_checkable
class ReducedDetector(Protocol):
    """A detector that looks at pages at a reduced size, and so need not be given all their pixels.

    Attributes:
        working_side: shorter side in pixels that it reduces pages to.
    """

    working_side: int
