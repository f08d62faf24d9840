"""Panels from the gutters between them: background components, then cuts along bridged corridors. No weights."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box
from comix.core.page import Detection
from comix.detect.background import Mask, background_colours, connected_to_border, ground_mask, working_copy
from comix.detect.corridors import CutRules, best_cut


@dataclass(frozen=True, slots=True)
class Region:
    """A candidate in working pixels: its box ``left, top, right, bottom`` and its filled shape inside the box."""

    box: tuple[int, int, int, int]
    shape: Mask

    @property
    def support(self) -> float:
        """Share of the box's perimeter with the shape right behind it, 0 to 1."""
        return _support(self.shape)

    @property
    def area(self) -> int:
        """Area of the box."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


def _support(shape: Mask) -> float:
    height, width = shape.shape
    depth_y, depth_x = max(3, height // 40), max(3, width // 40)
    horizontal = [shape[:depth_y].max(axis=0), shape[-depth_y:].max(axis=0)]
    vertical = [shape[:, :depth_x].max(axis=1), shape[:, -depth_x:].max(axis=1)]
    hit = sum(int(np.count_nonzero(side)) for side in horizontal + vertical)
    return hit / (2 * (height + width))


class GutterDetector:
    """Classical panel detector: no weights, a few tens of milliseconds a page."""

    name = "gutter"
    version = "1"

    def __init__(
        self,
        working_side: int = 720,
        tolerance: int = 16,
        min_area: float = 0.008,
        min_side: float = 0.05,
        min_cover: float = 0.75,
        min_walls: float = 1.5,
        max_slant: float = 0.2,
        min_support: float = 0.6,
    ) -> None:
        self.working_side = working_side
        self.tolerance = tolerance
        self.min_area = min_area
        self.min_side = min_side
        self.rules = CutRules(min_cover, min_walls, max_slant)
        self.min_support = min_support

    def detect(self, image: NDArray[np.uint8], page_id: str = "") -> list[Detection]:
        """Panels of a ``(h, w, 3)`` uint8 BGR page, in no particular order; an empty list when there is none."""
        small, factor = working_copy(image, self.working_side)
        best: list[Region] = []
        best_value = -1.0
        best_near: Mask = np.zeros(small.shape[:2], np.uint8)
        for ground in background_colours(small):
            near = ground_mask(small, ground, self.tolerance, 50)
            regions = self._components(near)
            value = sum(self._perimeter(region, near.size) for region in regions)
            if value > best_value:
                best, best_value, best_near = regions, value, near
        regions = [part for region in best for part in self._split(region, best_near, 0)]
        regions = self._clean(regions, small.shape[0] * small.shape[1])
        height, width = image.shape[:2]
        result = []
        for region in regions:
            left, top, right, bottom = (value / factor for value in region.box)
            box = Box.from_xyxy(left, top, right, bottom).clipped(width, height)
            result.append(Detection(box, round(region.support, 3)))
        return result

    def _perimeter(self, region: Region, page_area: int) -> float:
        left, top, right, bottom = region.box
        if region.area > 0.85 * page_area:
            return 0.1
        return (right - left + bottom - top) * region.support**4

    def _components(self, near: Mask) -> list[Region]:
        height, width = near.shape
        ground = connected_to_border(near, 3)
        rest = cv2.bitwise_not(ground)
        contours, _ = cv2.findContours(rest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        regions = []
        for contour in contours:
            left, top, wide, high = cv2.boundingRect(contour)
            if wide * high < self.min_area * height * width or min(wide, high) < self.min_side * min(height, width):
                continue
            shape = np.zeros((high, wide), np.uint8)
            cv2.drawContours(shape, [contour], 0, 255, cv2.FILLED, offset=(-left, -top))
            regions.append(Region((left, top, left + wide, top + high), shape))
        return regions

    def _split(self, region: Region, near: Mask, depth: int) -> list[Region]:
        left, top, right, bottom = region.box
        if depth >= 6:
            return [region]
        free = near[top:bottom, left:right] | ~region.shape
        min_part = round(1.2 * self.min_side * min(near.shape))
        cut = best_cut(free, min_part, self.rules)
        if cut is None:
            return [region]
        high, wide = region.shape.shape
        extent, run = (wide, high) if cut.vertical else (high, wide)
        slope = cut.shear / run
        along = np.arange(run)
        middle = (cut.first + cut.last) / 2 + (along - run / 2) * slope
        grid = np.arange(extent)[:, None] < middle[None, :]
        side = grid.T if cut.vertical else grid
        halves = []
        for keep in (side, ~side):
            shape = np.where(keep, region.shape & ~(near[top:bottom, left:right] & _band(cut, region, middle)), 0)
            part = self._tight(shape.astype(np.uint8), left, top)
            if part is not None:
                halves.append(part)
        if len(halves) < 2 or min(half.support for half in halves) < self.min_support:
            return [region]
        return [part for half in halves for part in self._split(half, near, depth + 1)]

    def _tight(self, shape: Mask, left: int, top: int) -> Region | None:
        rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
        if rows.size == 0:
            return None
        y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        return Region((left + int(x0), top + int(y0), left + int(x1), top + int(y1)), shape[y0:y1, x0:x1])

    def _clean(self, regions: list[Region], page_area: int) -> list[Region]:
        kept: list[Region] = []
        for region in sorted(regions, key=lambda item: -item.area):
            if region.area < self.min_area * page_area:
                continue
            box = Box.from_xyxy(*region.box)
            if any(box.intersection(Box.from_xyxy(*other.box)) > 0.7 * box.area for other in kept):
                continue
            kept.append(region)
        return kept


def _band(cut: object, region: Region, middle: NDArray[np.float64]) -> Mask:
    """Pixels around the cut's middle line, as far as the corridor is wide."""
    from comix.detect.corridors import Cut  # noqa: PLC0415

    assert isinstance(cut, Cut)
    high, wide = region.shape.shape
    extent = wide if cut.vertical else high
    half = (cut.last - cut.first) / 2 + 2
    near = (np.abs(np.arange(extent)[:, None] - middle[None, :]) <= half).astype(np.uint8) * 255
    return near.T if cut.vertical else near
