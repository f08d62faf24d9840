"""What a reader of pages is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box
from comix.core.page import PageRecord
from comix.io.analysis import Analysis


class Reader(Protocol):
    """Reads one page at a time; built once per worker process.

    Attributes:
        name: names the folder ``analysis/<name>/``.
        version: changes whenever the output for the same page may change; part of every fingerprint.
        needs_panels: whether `read` uses the panel boxes (then the stage needs detections).
    """

    name: str
    version: str
    needs_panels: bool

    def read(self, image: NDArray[np.uint8], panels: Sequence[Box], page: PageRecord) -> Analysis:
        """Text of a ``(h, w, 3)`` uint8 BGR page; ``panels`` are its boxes in reading order (panel_number 1 first)."""
        ...
