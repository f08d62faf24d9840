"""Regions of a page that may be panels: found between background, cut in two, trimmed, scored.

The score is the probability that a region is a panel, by a linear model of a few measurements (`RegionEvidence`) whose
weights were fitted by ``benchmarks/fit_gutter.py``; ``benchmarks/detect_panels.py`` shows how far it holds on other pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.detect.background import Mask, connected_to_border
from comix.detect.corridors import Cut
from comix.detect.lines import LineMasks

_NEAR_FRAME = 4
"""A frame line lies within this many working pixels of the box."""

_BLANK_SPREAD = 4.0
"""Grey levels of standard deviation below which a region shows nothing; ``_BLANK_LEVEL``: darkest blank paper."""
_BLANK_LEVEL = 170.0


@dataclass(frozen=True, slots=True)
class Region:
    """A candidate in working pixels: its box ``left, top, right, bottom`` and its filled shape inside the box."""

    box: tuple[int, int, int, int]
    shape: Mask

    @property
    def area(self) -> int:
        """Area of the box."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    @property
    def side(self) -> int:
        """Shorter side of the box."""
        left, top, right, bottom = self.box
        return min(right - left, bottom - top)

    @property
    def window(self) -> tuple[slice, slice]:
        """Index of the box in an array of the page."""
        left, top, right, bottom = self.box
        return slice(top, bottom), slice(left, right)

    @property
    def support(self) -> float:
        """Share of the box's perimeter with the shape right behind it, 0 to 1."""
        height, width = self.shape.shape
        depth_y, depth_x = max(3, height // 40), max(3, width // 40)
        sides = [self.shape[:depth_y].max(axis=0), self.shape[-depth_y:].max(axis=0)]
        sides += [self.shape[:, :depth_x].max(axis=1), self.shape[:, -depth_x:].max(axis=1)]
        hits: int = sum(int(np.count_nonzero(side)) for side in sides)
        return hits / (2 * (int(height) + int(width)))

    def shared(self, other: Region) -> int:
        """Area the two boxes share."""
        wide = min(self.box[2], other.box[2]) - max(self.box[0], other.box[0])
        high = min(self.box[3], other.box[3]) - max(self.box[1], other.box[1])
        return max(0, wide) * max(0, high)


@dataclass(frozen=True, slots=True)
class Page:
    """A page at working size and what is computed once on it.

    Attributes:
        image: ``(h, w, 3)`` uint8 BGR.
        lines: its straight lines.
    """

    image: NDArray[np.uint8]
    lines: LineMasks

    @property
    def unit(self) -> int:
        """Shorter side in pixels."""
        return int(min(self.image.shape[:2]))

    @property
    def area(self) -> int:
        """Pixels of the page."""
        return int(self.image.shape[0]) * int(self.image.shape[1])

    @property
    def whole(self) -> Region:
        """The page as one region."""
        height, width = self.image.shape[:2]
        return Region((0, 0, width, height), np.full((height, width), 255, np.uint8))


class RegionEvidence(NamedTuple):
    """What speaks for a region being a panel; also the form of the model's weights.

    Attributes:
        side: shorter side, in shorter sides of the page, at most 0.4.
        support: see `Region.support`.
        frame_low: share of straight edge along the box side with the least; ``frame_high``: along the third.
        fill: share of the box that the shape fills.
        big: 1 when it covers more than 0.6 of the page.
        bleed: share of its sides that lie on the page's edge.
        covered: share of the page that all candidates cover together: little on a page of text, much on a page of panels.
    """

    side: float
    support: float
    frame_low: float
    frame_high: float
    fill: float
    big: float
    bleed: float
    covered: float


_WEIGHTS = RegionEvidence(7.86, 0.96, 1.29, 1.89, 1.84, -1.7, -1.41, 1.6)
_BIAS = -6.04


def components(near: Mask, min_area: float, min_side: float, offset: tuple[int, int] = (0, 0)) -> list[Region]:
    """The connected regions that background of a mask's border does not reach.

    Args:
        near: ``(h, w)`` mask of background-coloured pixels.
        min_area: least area of a region's box in pixels; ``min_side``: its least side.
        offset: x and y of the mask on the page.
    """
    rest = cv2.bitwise_not(connected_to_border(near, 3))
    contours, _ = cv2.findContours(rest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    x, y = offset
    regions = []
    for contour in contours:
        left, top, wide, high = cv2.boundingRect(contour)
        if wide * high >= min_area and min(wide, high) >= min_side:
            shape = np.zeros((high, wide), np.uint8)
            cv2.drawContours(shape, [contour], 0, 255, cv2.FILLED, offset=(-left, -top))
            regions.append(Region((x + left, y + top, x + left + wide, y + top + high), shape))
    return regions


def halves(region: Region, near: Mask, cut: Cut, trim: float) -> list[Region]:
    """The parts on both sides of a cut, without the background of the corridor and along their sides; 0 to 2.

    Args:
        region: what is cut.
        near: background-coloured pixels of its box.
        cut: where.
        trim: rows and columns at the sides with a smaller share of anything but background are taken off.
    """
    high, wide = region.shape.shape
    extent, run = (wide, high) if cut.vertical else (high, wide)
    middle = (cut.first + cut.last) / 2 + (np.arange(run, dtype=np.float32) - run / 2) * np.float32(cut.shear / run)
    across = np.arange(extent, dtype=np.float32)[:, None] - middle[None, :].astype(np.float32)
    side = across < 0
    corridor = np.abs(across) <= (cut.last - cut.first) / 2 + 2
    if cut.vertical:
        side, corridor = side.T, corridor.T
    solid = region.shape > 0
    ground = near > 0
    kept = solid & ~(ground & corridor)
    parts = [_trimmed(region, kept & keep, ground, trim) for keep in (side, ~side)]
    return [part for part in parts if part is not None]


def _trimmed(region: Region, kept: NDArray[np.bool_], ground: NDArray[np.bool_], trim: float) -> Region | None:
    for mask, least in ((kept, 0.0), (kept & ~ground, trim)):
        rows = np.flatnonzero(mask.any(axis=1))
        columns = np.flatnonzero(mask.any(axis=0))
        if rows.size == 0:
            return None
        y0, y1, x0, x1 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        if least > 0:
            inner = mask[y0:y1, x0:x1]
            rows = np.flatnonzero(inner.mean(axis=1) > least)
            columns = np.flatnonzero(inner.mean(axis=0) > least)
            if rows.size and columns.size:
                y0, y1 = y0 + int(rows[0]), y0 + int(rows[-1]) + 1
                x0, x1 = x0 + int(columns[0]), x0 + int(columns[-1]) + 1
    left, top = region.box[:2]
    shape = kept[y0:y1, x0:x1].astype(np.uint8) * 255
    return Region((left + x0, top + y0, left + x1, top + y1), shape)


def is_blank(page: Page, region: Region) -> bool:
    """Whether a region is nothing but light paper inside: no line, no drawing."""
    left, top, right, bottom = region.box
    mx, my = (right - left) // 12, (bottom - top) // 12
    mean, spread = cv2.meanStdDev(page.image[top + my : bottom - my, left + mx : right - mx])
    return float(spread.max()) < _BLANK_SPREAD and float(mean.min()) > _BLANK_LEVEL


def region_score(evidence: RegionEvidence) -> float:
    """Probability that a region is a panel, 0 to 1."""
    logit = _BIAS + sum(weight * value for weight, value in zip(_WEIGHTS, evidence, strict=True))
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, logit))))


def region_evidence(page: Page, regions: Sequence[Region]) -> list[RegionEvidence]:
    """The measurements that the scores of a page's regions are made of."""
    covered = min(1.0, sum(region.area for region in regions) / page.area)
    return [_evidence(page, region, covered) for region in regions]


def _evidence(page: Page, region: Region, covered: float) -> RegionEvidence:
    left, top, right, bottom = region.box
    height, width = page.image.shape[:2]
    at_edge = (left <= _NEAR_FRAME, top <= _NEAR_FRAME, right >= width - _NEAR_FRAME, bottom >= height - _NEAR_FRAME)
    frame = sorted(_frame(page, region))
    return RegionEvidence(
        side=min(0.4, region.side / page.unit),
        support=region.support,
        frame_low=frame[0],
        frame_high=frame[2],
        fill=float(np.count_nonzero(region.shape)) / region.area,
        big=float(region.area > 0.6 * page.area),
        bleed=sum(at_edge) / 4,
        covered=covered,
    )


def _frame(page: Page, region: Region) -> list[float]:
    """Share of each box side with a straight edge along it; a side on the page's edge counts as framed."""
    left, top, right, bottom = region.box
    height, width = page.image.shape[:2]
    shares = []
    for mask, at, end, along in (
        (page.lines.lying, top, height, slice(left, right)),
        (page.lines.lying, bottom, height, slice(left, right)),
        (page.lines.upright.T, left, width, slice(top, bottom)),
        (page.lines.upright.T, right, width, slice(top, bottom)),
    ):
        if at <= _NEAR_FRAME or at >= end - _NEAR_FRAME:
            shares.append(1.0)
        else:
            strip = mask[at - _NEAR_FRAME : at + _NEAR_FRAME, along]
            shares.append(float(np.count_nonzero(strip.any(axis=0))) / strip.shape[1])
    return shares
