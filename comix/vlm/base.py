"""What a reader of pages is."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box
from comix.core.page import PageRecord
from comix.core.task import Item, Outcome
from comix.io.analysis import Analysis


@dataclass(frozen=True, slots=True)
class ReadJob:
    """One page: its image, its panels in reading order, and where the analysis goes."""

    page: PageRecord
    image: Path
    panels: tuple[Box, ...]
    target: Path


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


@runtime_checkable
class SelfRunning(Protocol):
    """Reads many pages at once in its own way, in this process: a service over the network, a model on the GPU.

    Attributes:
        name: names the folder ``analysis/<name>/``; ``version`` as for `Reader`.
    """

    name: str
    version: str

    @property
    def needs_panels(self) -> bool:
        """Whether it cannot do without panels."""
        ...

    @property
    def uses_panels(self) -> bool:
        """Whether panels help where there are any, although it can do without."""
        ...

    def run(self, todo: Iterator[Item], stop: threading.Event) -> Iterator[tuple[Item, Outcome] | None]:
        """Outcomes as they come; a `comix.core.work.Run`."""
        ...

    def notes(self) -> list[str]:
        """What the stage's line shall say besides counts: dollars, replies used again."""
        ...
