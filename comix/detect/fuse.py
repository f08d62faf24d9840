"""Two detectors' boxes made into one set: every box gets the probability that it is right, given all others.

Boxes of gutters are exact where they are right; those of a network are seldom badly wrong. A linear model weighs what both
say of a box (`BoxEvidence`); then the likeliest boxes that do not stand in each other's way are taken. Its weights were fitted
by ``benchmarks/fit_ensemble.py`` on composed pages and on the openly licensed pages that may be tuned on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from comix.core.geometry import Box
from comix.core.page import Detection

_SAME = 0.5
"""IoU from which two boxes are of the same panel."""
_INSIDE = 0.75
"""Share of a box that must lie in another for it to be a part of that."""
_INSET = 0.35
"""A part smaller than this share of its whole may be an inset, and both may be right."""
_SNAP = 0.025
"""Edges of the network's boxes move to an edge of a gutter box within this share of the page's side."""


_LEAST_COVERED = 0.15
"""Boxes that together cover less of a page are pictures on a page of text; a page of panels is covered by more than half."""


class BoxEvidence(NamedTuple):
    """What speaks for a box; also the form of the model's weights.

    Attributes:
        is_gutter: 1 for a box of gutters, 0 for one of the network.
        gutter: log odds of the gutter box that is most like it, halved; 0 without one.
        has_gutter: 1 with such a box; ``gutter_iou``: its IoU beyond .5, doubled, 0 to 1.
        learned: the same of the network's box; likewise ``has_learned`` and ``learned_iou``.
        parts: boxes of the other kind inside it, their scores added, at most 3.
        whole: score of the surest box of the other kind that it is a part of.
        beside: share of it on boxes of the other kind that are neither part nor whole.
        big: 1 when it covers more than .6 of the page; ``small``: how far its area falls short of .04 of the page, 0 to 1.
        alone: 1 when the other kind found nothing on the page.
    """

    is_gutter: float
    gutter: float
    has_gutter: float
    gutter_iou: float
    learned: float
    has_learned: float
    learned_iou: float
    parts: float
    whole: float
    beside: float
    big: float
    small: float
    alone: float


@dataclass(frozen=True, slots=True)
class FusionModel:
    """The linear model.

    Attributes:
        weights: of the evidence; ``bias``: log odds without any.
    """

    weights: BoxEvidence
    bias: float

    def probability(self, evidence: BoxEvidence) -> float:
        """That the box is a panel's, 0 to 1."""
        logit = self.bias + math.fsum(weight * value for weight, value in zip(self.weights, evidence, strict=True))
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


FITTED = FusionModel(BoxEvidence(-0.2, 0.83, 0.4, 1.17, 1.23, 1.28, 2.28, -0.88, -0.14, -1.02, -0.04, 0.01, -0.5), -4.69)


def fuse(
    gutter: Sequence[Detection], learned: Sequence[Detection], width: float, height: float, min_score: float,
    model: FusionModel = FITTED,
) -> list[Detection]:  # fmt: skip
    """One set of boxes out of two, surest first; scores are the model's probabilities.

    Args:
        gutter: boxes of `GutterDetector`; ``learned``: of a network, both also the less sure ones.
        width: of the page, likewise ``height``.
        min_score: boxes less likely are left out.
    """
    candidates = candidates_of(gutter, learned, width, height)
    scored = [one._replace(score=model.probability(evidence)) for one, evidence in candidates]
    kept: list[Detection] = []
    for one in sorted(scored, key=lambda one: -one.score):
        if one.score >= min_score and all(may_stand_together(one.box, other.box) for other in kept):
            kept.append(one._replace(score=round(one.score, 4)))
    return kept if sum(one.box.area for one in kept) >= _LEAST_COVERED * width * height else []


def candidates_of(
    gutter: Sequence[Detection], learned: Sequence[Detection], width: float, height: float
) -> list[tuple[Detection, BoxEvidence]]:
    """Every box of both with what speaks for it; those of the network moved to the gutter boxes' edges."""
    exact = [one.box for one in gutter]
    moved = [one._replace(box=snapped(one.box, exact, _SNAP * width, _SNAP * height)) for one in learned]
    page = width * height
    found = [(one, _evidence(one, gutter, moved, page, is_gutter=True)) for one in gutter]
    return found + [(one, _evidence(one, moved, gutter, page, is_gutter=False)) for one in moved]


def _evidence(
    one: Detection, own: Sequence[Detection], others: Sequence[Detection], page: float, *, is_gutter: bool
) -> BoxEvidence:
    iou, score = _most_like(one.box, others)
    mine, theirs = (1.0, _logit(one.score)), (max(0.0, 2 * iou - 1), _logit(score))
    seen = iou >= _SAME
    theirs = theirs if seen else (0.0, 0.0)
    (gutter_iou, gutter), (learned_iou, learned) = (mine, theirs) if is_gutter else (theirs, mine)
    parts = whole = beside = 0.0
    for other in others:
        shared = one.box.intersection(other.box)
        if one.box.iou(other.box) >= _SAME or shared <= 0:
            continue
        if shared >= _INSIDE * other.box.area:
            parts += other.score
        elif shared >= _INSIDE * one.box.area:
            whole = max(whole, other.score)
        else:
            beside += other.score * shared / one.box.area
    share = one.box.area / page
    return BoxEvidence(
        float(is_gutter), gutter, float(is_gutter or seen), gutter_iou, learned, float(not is_gutter or seen), learned_iou,
        min(parts, 3.0), whole, min(beside, 1.0), float(share > 0.6), max(0.0, 1 - share / 0.04), float(not others),
    )  # fmt: skip


def _most_like(box: Box, others: Sequence[Detection]) -> tuple[float, float]:
    """IoU and score of the box most like this one."""
    return max(((box.iou(other.box), other.score) for other in others), default=(0.0, 0.5))


def _logit(score: float) -> float:
    score = min(max(score, 0.001), 0.999)
    return math.log(score / (1 - score)) / 2


def may_stand_together(one: Box, other: Box) -> bool:
    """Whether two boxes can both be panels: little of the smaller one is shared, or it is an inset.

    >>> may_stand_together(Box(0, 0, 50, 50), Box(45, 0, 50, 50)), may_stand_together(Box(0, 0, 50, 50), Box(10, 0, 50, 50))
    (True, False)
    """
    small, large = sorted((one.area, other.area))
    shared = one.intersection(other)
    if shared <= 0.4 * small:
        return True
    return small < _INSET * large and shared >= 0.9 * small


def snapped(box: Box, exact: Sequence[Box], near_x: float, near_y: float) -> Box:
    """The box with each edge at the nearest edge of an exact box that runs beside it, where one is near enough.

    Args:
        near_x: farthest that a left or right edge moves, pixels; ``near_y``: a top or bottom edge.

    >>> snapped(Box(1, 2, 50, 40), [Box(0, 0, 52, 100)], 3, 3)
    Box(x=0, y=0, w=52, h=42)
    """
    beside = [one for one in exact if one.overlap_y(box) > 0.5 * min(one.h, box.h)]
    along = [one for one in exact if one.overlap_x(box) > 0.5 * min(one.w, box.w)]
    left, right = _nearest(box.x, [one.x for one in beside], near_x), _nearest(box.r, [one.r for one in beside], near_x)
    top, bottom = _nearest(box.y, [one.y for one in along], near_y), _nearest(box.b, [one.b for one in along], near_y)
    return Box.from_xyxy(left, top, right, bottom) if right > left and bottom > top else box


def _nearest(value: float, edges: Sequence[float], reach: float) -> float:
    edge = min(edges, key=lambda one: abs(one - value), default=value)
    return edge if abs(edge - value) <= reach else value
