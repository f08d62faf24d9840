"""Panels found by their gutters, without a network: background, straight cuts, and a score per region."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box
from comix.core.page import Detection
from comix.detect.background import Mask, background_colours, ground_mask, working_copy
from comix.detect.corridors import CutSearch, best_cut, line_masks
from comix.detect.regions import Page, Region, components, halves, region_score

_DEEPEST = 6
"""A region is cut in two at most this many times in a row."""
_WHOLE = 0.85
"""A component that covers more than this of what it was found in has not been told from it."""


class GutterDetector:
    """Classical panel detector, no weights to load; thread-safe.

    A page is reduced, its background colour guessed (paper may be uneven, gutters black or coloured), and what
    background from the border does not reach is a candidate. Candidates are cut along straight gutters and frame lines
    as long as a cut is likely, even where balloons bridge it; a large candidate with a background of its own is treated
    as a page. Every region gets the probability that it is a panel.

    Args:
        working_side: shorter side of the reduced page in pixels; smaller is faster and loses thin gutters.
        min_score: regions less likely to be a panel are left out.
        min_cut_logit: least log odds of a cut; lower cuts more.
        max_slant: steepest gutter, as rise over run.
        min_area: least area of a panel, as share of the page.
        min_side: least side of a panel, as share of the page's shorter side.
        tolerance: least difference from the background colour, in grey levels of the strongest channel, that is drawing.
        max_tolerance: the same on uneven paper.
        line_step: least grey levels between the sides of a frame line; ``line_length``: its least length in pixels.
    """

    name = "gutter"
    version = "1"

    def __init__(
        self,
        working_side: int = 720,
        min_score: float = 0.4,
        min_cut_logit: float = -1.0,
        max_slant: float = 0.2,
        min_area: float = 0.008,
        min_side: float = 0.05,
        tolerance: int = 18,
        max_tolerance: int = 50,
        line_step: int = 25,
        line_length: int = 25,
    ) -> None:
        self.working_side = working_side
        self.min_score = min_score
        self.min_cut_logit = min_cut_logit
        self.max_slant = max_slant
        self.min_area = min_area
        self.min_side = min_side
        self.tolerance = tolerance
        self.max_tolerance = max_tolerance
        self.line_step = line_step
        self.line_length = line_length

    def detect(self, image: NDArray[np.uint8], page_id: str = "") -> list[Detection]:
        """Panels of a ``(h, w, 3)`` uint8 BGR page, surest first; boxes in its pixels; an empty list without any."""
        small, factor = working_copy(image, self.working_side)
        page = Page(small, *line_masks(small, self.line_step, self.line_length))
        regions = self.regions(page)
        scored = [(region, region_score(page, region)) for region in regions]
        scored = [item for item in _without_nested(scored) if item[1] >= self.min_score]
        height, width = image.shape[:2]
        scales = (width / small.shape[1], height / small.shape[0])
        return [_detection(region, score, scales, width, height) for region, score in scored]

    def regions(self, page: Page) -> list[Region]:
        """Everything that might be a panel, in working pixels, unscored."""
        return self._segment(page, page.whole, 0)

    def _segment(self, page: Page, region: Region, depth: int) -> list[Region]:
        """Regions inside one that may have a background of its own."""
        near, found = self._tell_apart(page, region)
        origin = (region.box[0], region.box[1])
        if depth > 0:
            told = [part for part in found if part.support > 0.8 and part.area < 0.9 * region.area]
            if sum(part.area for part in told) < 0.5 * region.area:
                return self._split(page, region, near, origin, 0)
        panels = []
        for part in found:
            nested = depth < 2 and part.area > 0.4 * page.area and (depth == 0 or part.area < 0.9 * region.area)
            panels += self._segment(page, part, depth + 1) if nested else self._split(page, part, near, origin, 0)
        return panels

    def _tell_apart(self, page: Page, region: Region) -> tuple[Mask, list[Region]]:
        """The background of a region, as the colour that shows the most framed parts, and those parts."""
        crop = page.image[region.window]
        outside = cv2.bitwise_not(region.shape)
        best: tuple[float, Mask, list[Region]] | None = None
        for ground in background_colours(crop):
            near = ground_mask(crop, ground, self.tolerance, self.max_tolerance)
            parts = components(
                near | outside, self.min_area * page.area, self.min_side * page.unit, (region.box[0], region.box[1])
            )
            value = sum(_told(part, region) for part in parts)
            if best is None or value > best[0]:
                best = (value, near, parts)
        if best is None:
            return outside, [region]
        return best[1], best[2]

    def _split(self, page: Page, region: Region, near: Mask, origin: tuple[int, int], depth: int) -> list[Region]:
        """The region cut along gutters until no cut is likely; ``near`` starts at ``origin`` on the page."""
        left, top, right, bottom = region.box
        here = near[top - origin[1] : bottom - origin[1], left - origin[0] : right - origin[0]]
        search = CutSearch(round(1.2 * self.min_side * page.unit), self.max_slant, self.min_cut_logit, page.unit)
        lines = (page.lying[region.window], page.upright[region.window])
        cut = best_cut(here | cv2.bitwise_not(region.shape), lines, search) if depth < _DEEPEST else None
        parts = [] if cut is None else halves(region, here, cut, trim=0.03)
        if len(parts) < 2:
            return [region]
        return [leaf for part in parts for leaf in self._split(page, part, near, origin, depth + 1)]


def _told(part: Region, parent: Region) -> float:
    """How much a component says for the background it was found with: the perimeter it backs."""
    if part.area > _WHOLE * parent.area:
        return 0.1
    left, top, right, bottom = part.box
    return float((right - left + bottom - top) * part.support**4)


def _without_nested(scored: list[tuple[Region, float]]) -> list[tuple[Region, float]]:
    """Regions that lie mostly inside a larger one taken out, surest first."""
    kept: list[tuple[Region, float]] = []
    for region, score in sorted(scored, key=lambda item: -item[0].area):
        if all(region.shared(other) <= 0.7 * region.area for other, _ in kept):
            kept.append((region, score))
    return sorted(kept, key=lambda item: -item[1])


def _detection(region: Region, score: float, scales: tuple[float, float], width: int, height: int) -> Detection:
    left, top, right, bottom = region.box
    box = Box.from_xyxy(left * scales[0], top * scales[1], right * scales[0], bottom * scales[1])
    corners = tuple((x * scales[0], y * scales[1]) for x, y in _slanted_corners(region))
    return Detection(box.clipped(width, height), round(score, 3), "panel", corners)


def _slanted_corners(region: Region) -> list[tuple[float, float]]:
    """Corners of a clearly slanted region in working pixels, clockwise; none when its box says it all."""
    contours, _ = cv2.findContours(region.shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return []
    hull = cv2.convexHull(np.concatenate(contours), clockwise=True)
    area = cv2.contourArea(hull)
    solid = np.count_nonzero(region.shape) > 0.9 * area
    if area > 0.92 * region.area or not solid:
        return []
    corners = cv2.approxPolyDP(hull, 0.02 * cv2.arcLength(hull, True), True)[:, 0]
    if not 3 <= len(corners) <= 6:
        return []
    return [(float(x + region.box[0]), float(y + region.box[1])) for x, y in corners]
