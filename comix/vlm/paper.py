"""What lies behind and around lettering: which patch of paper each line stands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box
from comix.vlm.lines import TextLine


@dataclass(frozen=True, slots=True)
class Ground:
    """The patch of plain ground a line is lettered on.

    Attributes:
        label: the same number for lines on the same connected patch, 0 when the ground is too broken to tell.
        box: box around the patch, page pixels; empty when unknown.
        fill: share of that box inside the patch's outline, 0 to 1: 1 for a caption box, 0.79 for an ellipse.
        colour: median blue, green, red of the ground under the line.
        purity: share of the line's box that belongs to the patch: low on drawn ground.
    """

    label: int
    box: Box
    fill: float
    colour: tuple[int, int, int]
    purity: float


def grounds_of(image: NDArray[np.uint8], lines: Sequence[TextLine]) -> list[Ground]:
    """The ground of each line of a ``(h, w, 3)`` BGR page; ink and outlines part one patch from the next.

    The space between letters joins the inside of a balloon, so a line stands mostly on one connected patch, and the
    balloon's outline keeps it from its neighbour's. Light letters on dark are looked up on the inverted page.
    """
    if not lines:
        return []
    size = float(np.median([line.size for line in lines]))
    factor = 24.0 / size if size > 30 else 1.0  # finer than that only costs time; thin outlines survive
    small = image if factor == 1.0 else cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    block = max(15, round(2.5 * size * factor)) | 1
    maps = [_patches(grey, block), None]
    found = []
    for line in lines:
        area = _pixels(line.box.scaled(factor), grey.shape)
        dark = _is_dark(grey[area])
        if dark and maps[1] is None:
            maps[1] = _patches(np.asarray(255 - grey, dtype=np.uint8), block)
        patches = maps[1] if dark else maps[0]
        assert patches is not None
        found.append(_ground(patches, area, np.asarray(small), factor, 1_000_000 if dark else 0))
    return found


@dataclass(frozen=True, slots=True)
class _Patches:
    """Connected patches: ``labels`` (h, w) int32 from 0 = ink, ``stats`` (n, 5) as OpenCV gives them, fills known."""

    labels: NDArray[np.int32]
    stats: NDArray[np.int32]
    fills: dict[int, float] = field(default_factory=dict)

    def fill(self, label: int) -> float:
        """Share of the patch's box inside its outline; 1 for a patch larger than a quarter of the page."""
        if label not in self.fills:
            left, top, width, height, _ = (int(value) for value in self.stats[label])
            inner = self.labels[top : top + height, left : left + width] == label
            outlines: Sequence[Any] = ()
            if 4 * width * height <= self.labels.size:
                outlines, _ = cv2.findContours(inner.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            area = max((cv2.contourArea(outline) for outline in outlines), default=float(width * height))
            self.fills[label] = area / (width * height)
        return self.fills[label]


def _patches(grey: NDArray[np.uint8], block: int) -> _Patches:
    plain = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, block, 14)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(plain, connectivity=4, ltype=cv2.CV_32S)
    return _Patches(np.asarray(labels, dtype=np.int32), np.asarray(stats, dtype=np.int32))


def _pixels(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    kept = box.clipped(shape[1], shape[0])
    left, top = int(min(kept.x, shape[1] - 1)), int(min(kept.y, shape[0] - 1))
    return slice(top, max(top + 1, int(kept.b))), slice(left, max(left + 1, int(kept.r)))


def _is_dark(grey: NDArray[np.uint8]) -> bool:
    """Whether letters are lighter than their ground: most pixels lie nearer the dark end of the range."""
    low, high = np.percentile(grey, [3, 97])
    return bool(high - low > 60 and np.median(grey) < low + 0.4 * (high - low))


def _ground(patches: _Patches, area: tuple[slice, slice], small: NDArray[np.uint8], factor: float, offset: int) -> Ground:
    labels = patches.labels[area]
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    best = int(counts.argmax())
    plain = int(counts.sum())
    inside = small[area][labels == best] if best else small[area].reshape(-1, 3)
    blue, green, red = (int(value) for value in np.median(inside, axis=0))
    purity = float(counts[best]) / labels.size
    if best == 0 or counts[best] < 0.5 * plain:
        return Ground(0, Box(0, 0, 0, 0), 0.0, (blue, green, red), purity)
    left, top, width, height, _ = (int(value) for value in patches.stats[best])
    box = Box(left, top, width, height).scaled(1 / factor)
    return Ground(best + offset, box, patches.fill(best), (blue, green, red), purity)
