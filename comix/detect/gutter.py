"""Panels from the gutters between them: background components, then cuts along bridged corridors. No weights."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box
from comix.core.page import Detection
from comix.detect.background import Mask, background_colours, connected_to_border, ground_mask, working_copy
from comix.detect.corridors import Cut, candidate_cuts, line_masks


_WEIGHTS = np.array([1.03, -0.22, 2.54, 1.39, 1.45, -0.19, -1.33, -11.19, 20.81, 1.93, 5.83, -4.89, 0.08], np.float32)
_BIAS = -16.46


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


@dataclass
class _Page:
    """A page at working size and what is computed once on it."""

    image: NDArray[np.uint8]
    lying: Mask
    upright: Mask
    unit: int
    area: int


class GutterDetector:
    """Classical panel detector: no weights, a few tens of milliseconds a page."""

    name = "gutter"
    version = "1"

    def __init__(
        self,
        working_side: int = 720,
        tolerance: int = 18,
        min_area: float = 0.008,
        min_side: float = 0.05,
        min_cover: float = 0.75,
        min_walls: float = 1.0,
        max_slant: float = 0.2,
        min_support: float = 0.1,
        min_line: float = 0.85,
        line_step: int = 25,
        line_length: int = 25,
        nest_cover: float = 0.5,
        reflood: bool = True,
        trim: float = 0.03,
        min_logit: float = -1.0,
    ) -> None:
        self.working_side = working_side
        self.tolerance = tolerance
        self.min_area = min_area
        self.min_side = min_side
        self.max_slant = max_slant
        self.min_support = min_support
        self.min_line = min_line
        self.line_step = line_step
        self.line_length = line_length
        self.nest_cover = nest_cover
        self.reflood = reflood
        self.trim = trim
        self.min_logit = min_logit

    def detect(self, image: NDArray[np.uint8], page_id: str = "") -> list[Detection]:
        """Panels of a ``(h, w, 3)`` uint8 BGR page, in no particular order; an empty list when there is none."""
        small, factor = working_copy(image, self.working_side)
        high, wide = small.shape[:2]
        page = _Page(small, *line_masks(small, self.line_step, self.line_length), min(high, wide), high * wide)
        whole = Region((0, 0, wide, high), np.full((high, wide), 255, np.uint8))
        regions = self._clean(self._segment(page, whole, 0), page.area)
        height, width = image.shape[:2]
        result = []
        for region in regions:
            left, top, right, bottom = (value / factor for value in region.box)
            box = Box.from_xyxy(left, top, right, bottom).clipped(width, height)
            result.append(Detection(box, round(region.support, 3)))
        return result

    def _segment(self, page: _Page, region: Region, depth: int) -> list[Region]:
        """Panels inside a region that may have a background of its own."""
        left, top, right, bottom = region.box
        crop = page.image[top:bottom, left:right]
        best: list[Region] = []
        best_value = 0.0
        best_near: Mask = np.zeros(crop.shape[:2], np.uint8)
        for ground in background_colours(crop):
            near = ground_mask(crop, ground, self.tolerance, 50)
            found = self._components(near | ~region.shape, page, left, top)
            value = sum(self._perimeter(part, region) for part in found)
            if value > best_value or not best:
                best, best_value, best_near = found, value, near
        if depth > 0:
            good = [part for part in best if part.support > 0.8 and part.area < 0.9 * region.area]
            if sum(part.area for part in good) < self.nest_cover * region.area:
                return self._split(page, region, best_near, (left, top), 0)
        panels = []
        for part in best:
            if depth < 2 and part.area > 0.4 * page.area and (depth == 0 or part.area < 0.9 * region.area):
                panels += self._segment(page, part, depth + 1)
            else:
                panels += self._split(page, part, best_near, (left, top), 0)
        return panels

    def _perimeter(self, part: Region, parent: Region) -> float:
        left, top, right, bottom = part.box
        if part.area > 0.85 * parent.area:
            return 0.1
        return (right - left + bottom - top) * part.support**4

    def _components(self, near: Mask, page: _Page, x: int, y: int) -> list[Region]:
        ground = connected_to_border(near, 3)
        rest = cv2.bitwise_not(ground)
        contours, _ = cv2.findContours(rest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        regions = []
        for contour in contours:
            left, top, wide, high = cv2.boundingRect(contour)
            if wide * high < self.min_area * page.area or min(wide, high) < self.min_side * page.unit:
                continue
            shape = np.zeros((high, wide), np.uint8)
            cv2.drawContours(shape, [contour], 0, 255, cv2.FILLED, offset=(-left, -top))
            regions.append(Region((x + left, y + top, x + left + wide, y + top + high), shape))
        return regions

    def _split(self, page: _Page, region: Region, near: Mask, origin: tuple[int, int], depth: int) -> list[Region]:
        left, top, right, bottom = region.box
        if depth >= 6:
            return [region]
        x, y = origin
        near_here = near[top - y : bottom - y, left - x : right - x]
        free = near_here | ~region.shape
        min_part = round(1.2 * self.min_side * page.unit)
        window = (slice(top, bottom), slice(left, right))
        lines = (page.lying[window], page.upright[window])
        cuts = candidate_cuts(free, lines, min_part, self.max_slant, page.unit)
        if not cuts:
            return [region]
        logits = np.stack([cut.evidence for cut in cuts]) @ _WEIGHTS + _BIAS
        index = int(logits.argmax())
        if logits[index] < self.min_logit:
            return [region]
        cut = cuts[index]
        halves = self._halves(page, region, near_here, cut)
        if len(halves) < 2 or min(half.support for half in halves) < self.min_support:
            return [region]
        return [part for half in halves for part in self._split(page, half, near, origin, depth + 1)]

    def _halves(self, page: _Page, region: Region, near: Mask, cut: Cut) -> list[Region]:
        high, wide = region.shape.shape
        extent, run = (wide, high) if cut.vertical else (high, wide)
        along = np.arange(run)
        middle = (cut.first + cut.last) / 2 + (along - run / 2) * cut.shear / run
        across = np.arange(extent)[:, None] - middle[None, :]
        band = (np.abs(across) <= (cut.last - cut.first) / 2 + 2).astype(np.uint8) * 255
        side = across < 0
        if cut.vertical:
            band, side = band.T, side.T
        halves = []
        for keep in (side, ~side):
            shape = np.where(keep, region.shape & ~(near & band), 0).astype(np.uint8)
            part = self._tight(shape, region.box[0], region.box[1])
            if part is None:
                continue
            if self.reflood:
                x, y = part.box[0] - region.box[0], part.box[1] - region.box[1]
                high_, wide_ = part.shape.shape
                part = self._trim(part, near[y : y + high_, x : x + wide_])
            halves.append(part)
        return halves

    def _trim(self, region: Region, near: Mask) -> Region:
        solid = region.shape & ~near
        least = self.trim
        rows = np.flatnonzero(solid.mean(axis=1) > least * 255)
        columns = np.flatnonzero(solid.mean(axis=0) > least * 255)
        if rows.size == 0 or columns.size == 0:
            return region
        y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        left, top = region.box[:2]
        return Region((left + int(x0), top + int(y0), left + int(x1), top + int(y1)), region.shape[y0:y1, x0:x1])

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
