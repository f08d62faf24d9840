"""Panels found by their gutters, without a network: background, straight cuts, and a score per region."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box
from comix.core.page import Detection
from comix.detect.background import Mask, background_colours, ground_mask, working_copy
from comix.detect.corridors import Cut, CutSearch, proposed_cuts
from comix.detect.lines import line_masks
from comix.detect.proof import CutProof, cut_proof, proof_logit
from comix.detect.regions import Page, Region, components, halves, is_blank, region_evidence, region_score

_DEEPEST = 6
"""A region is cut in two at most this many times in a row."""
_LEAST_NEAR = 0.01
"""A background that covers less of a region shows no gutter in it."""
_CLEAR = 0.6
"""A colour on this share of a page side that tells panels apart is the background, others are not tried."""
_WHOLE = 0.85
"""A component that covers more than this of what it was found in has not been told from it."""


class GutterDetector:
    """Classical panel detector, no network and no download; thread-safe.

    A page is reduced, its background colour guessed (paper may be uneven, gutters black or coloured), and what
    background from the border does not reach is a candidate. Candidates are cut in two along straight gutters and frame
    lines as long as a cut is likely, even where balloons bridge it: `corridors` proposes cuts, `proof` looks at them
    closely. A large candidate with a background of its own is treated as a page. Every region gets the probability that it
    is a panel (`regions`). The few weights of the three models stand in the code; they come from
    ``benchmarks/fit_gutter.py``, fitted on the ``tune`` half of the openly licensed books and on pages composed of it.

    Args:
        working_side: shorter side of the reduced page in pixels; smaller is faster and loses thin gutters.
        min_score: regions less likely to be a panel are left out.
        min_cut_logit: least log odds of a cut; lower cuts more.
        min_proposal: least log odds at which a cut is looked at closely.
        max_slant: steepest gutter, as rise over run.
        min_area: least area of a panel, as share of the page.
        min_side: least side of a panel, as share of the page's shorter side.
        min_covered: least share of the page that its panels cover; less is a page of text with a picture.
        tolerance: least difference from the background colour, in grey levels of the strongest channel, that is drawing.
        max_tolerance: the same on uneven paper.
        line_step: least grey levels between the sides of a frame line; ``line_length``: its least length in pixels.
    """

    name = "gutter"
    version = "2"

    def __init__(
        self,
        working_side: int = 640,
        min_score: float = 0.55,
        min_cut_logit: float = 0.5,
        min_proposal: float = 0.0,
        max_slant: float = 0.12,
        min_area: float = 0.008,
        min_side: float = 0.05,
        min_covered: float = 0.15,
        tolerance: int = 18,
        max_tolerance: int = 50,
        line_step: int = 25,
        line_length: int = 25,
    ) -> None:
        self.working_side = working_side
        self.min_score = min_score
        self.min_cut_logit = min_cut_logit
        self.min_proposal = min_proposal
        self.max_slant = max_slant
        self.min_area = min_area
        self.min_side = min_side
        self.min_covered = min_covered
        self.tolerance = tolerance
        self.max_tolerance = max_tolerance
        self.line_step = line_step
        self.line_length = line_length

    def detect(self, image: NDArray[np.uint8], page_id: str = "") -> list[Detection]:
        """Panels of a ``(h, w, 3)`` uint8 BGR page, surest first; boxes in its pixels; an empty list without any."""
        small = working_copy(image, self.working_side)
        page = self.page(small)
        candidates = self.candidates(page)
        scores = [region_score(evidence) for evidence in region_evidence(page, candidates)]
        found = sorted(zip(candidates, scores, strict=True), key=lambda item: -item[1])
        found = [(region, score) for region, score in found if score >= self.min_score]
        if sum(region.area for region, _ in found) < self.min_covered * page.area:
            return []
        height, width = image.shape[:2]
        scales = (width / small.shape[1], height / small.shape[0])
        return [_detection(region, score, scales, width, height) for region, score in found]

    def page(self, small: NDArray[np.uint8]) -> Page:
        """A page at working size with its straight edges."""
        return Page(small, line_masks(small, self.line_step, self.line_length))

    def candidates(self, page: Page) -> list[Region]:
        """What is scored: the regions that are large enough, show something and do not lie inside another."""
        regions = [region for region in self.regions(page) if self._is_large(page, region) and not is_blank(page, region)]
        return _without_nested(regions)

    def _is_large(self, page: Page, region: Region) -> bool:
        return region.area >= self.min_area * page.area and region.side >= self.min_side * page.unit

    def regions(self, page: Page) -> list[Region]:
        """Everything that might be a panel, in working pixels, unscored."""
        return self._segment(page, page.whole, (), 0)

    def _segment(self, page: Page, region: Region, outer: tuple[Mask, ...], depth: int) -> list[Region]:
        """Regions inside one that may have a background of its own; ``outer`` are those around it."""
        near, found = self._tell_apart(page, region)
        nears = (*outer, near)
        if outer:
            told = [part for part in found if part.support > 0.8 and part.area < 0.9 * region.area]
            if sum(part.area for part in told) < 0.5 * region.area:
                return self._split(page, region, nears, 0)
        panels = []
        for part in found:
            nested = depth < 2 and part.area > 0.4 * page.area and (not outer or part.area < 0.9 * region.area)
            panels += self._segment(page, part, nears, depth + 1) if nested else self._split(page, part, nears, 0)
        return panels

    def _tell_apart(self, page: Page, region: Region) -> tuple[Mask, list[Region]]:
        """The background of a region (a mask of the page), its colour the one that shows the most, and its parts."""
        crop = page.image[region.window]
        outside = np.bitwise_not(region.shape)
        whole = np.zeros(page.image.shape[:2], np.uint8)
        best: tuple[float, Mask, list[Region]] | None = None
        for ground in background_colours(crop):
            near = ground_mask(crop, ground, self.tolerance, self.max_tolerance)
            if best is not None and np.count_nonzero(near) < _LEAST_NEAR * near.size:
                continue
            parts = components(
                near | outside, self.min_area * page.area, self.min_side * page.unit, (region.box[0], region.box[1])
            )
            value = sum(_told(part, region, ground.share > 0) for part in parts)
            if best is None or value > best[0]:
                best = (value, near, parts)
            if ground.share >= _CLEAR and _is_told(parts, region):
                break
        if best is None:
            return whole, [region]
        whole[region.window] = best[1]
        return whole, best[2]

    def _split(self, page: Page, region: Region, nears: tuple[Mask, ...], depth: int) -> list[Region]:
        """The region cut along gutters until no cut is likely; ``nears`` are the backgrounds they may show."""
        best = self._best(page, region, nears) if depth < _DEEPEST else None
        parts = [] if best is None else halves(region, best[1], best[0], trim=0.03)
        if len(parts) < 2:
            return [region]
        return [leaf for part in parts for leaf in self._split(page, part, nears, depth + 1)]

    def _best(self, page: Page, region: Region, nears: tuple[Mask, ...]) -> tuple[Cut, Mask] | None:
        """The likeliest cut of a region by the closer look, and the background that it was found with."""
        best: tuple[Cut, Mask] | None = None
        least = self.min_cut_logit
        for proof, cut, near in self.proven_cuts(page, region, nears):
            logit = proof_logit(proof)
            if logit >= least:
                best, least = (cut, near), logit
        return best

    def proven_cuts(self, page: Page, region: Region, nears: tuple[Mask, ...]) -> Iterator[tuple[CutProof, Cut, Mask]]:
        """Proposed cuts of a region with what the closer look finds, and the background they were proposed with."""
        search = CutSearch(round(1.2 * self.min_side * page.unit), self.max_slant, self.min_proposal, page.unit)
        lines = page.lines.window(*region.window)
        outside = np.bitwise_not(region.shape)
        for near in nears:
            here = near[region.window]
            if near is nears[0] or np.count_nonzero(here) >= _LEAST_NEAR * here.size:
                free = here | outside
                for cut in proposed_cuts(free, lines, search):
                    proof = cut_proof(lines.right if cut.vertical else lines.down, free, region.shape, cut)
                    yield proof, cut, here


def _is_told(parts: Sequence[Region], parent: Region) -> bool:
    """Whether a background leaves little to ask: none of its parts is all of the region, and good ones fill half of it."""
    good = sum(part.area for part in parts if part.support > 0.8)
    return good >= 0.5 * parent.area and all(part.area <= _WHOLE * parent.area for part in parts)


def _told(part: Region, parent: Region, seen: bool) -> float:
    """How much a component says for the background it was found with, ``seen`` on a side: the perimeter it backs."""
    if part.area > _WHOLE * parent.area:
        return 0.1 if seen else 0.0
    left, top, right, bottom = part.box
    return float((right - left + bottom - top) * part.support**4)


def _without_nested(regions: list[Region]) -> list[Region]:
    """Regions that lie mostly inside a larger one taken out, largest first."""
    kept: list[Region] = []
    for region in sorted(regions, key=lambda region: -region.area):
        if all(region.shared(other) <= 0.7 * region.area for other in kept):
            kept.append(region)
    return kept


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
