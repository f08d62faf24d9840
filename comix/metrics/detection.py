"""Panel detection figures: one-to-one matching at an IoU threshold, pooled precision, recall and F1, page-exact.

Boxes are matched greedily: of all pairs of a detected and a true box at or above the threshold, the pair with the
highest IoU is taken first, and each box is used once.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from comix.core.geometry import Box


@dataclass(frozen=True, slots=True)
class Match:
    """One detected box paired with one true box.

    Attributes:
        detected: index into the detected boxes.
        truth: index into the true boxes.
        iou: their intersection over union.
    """

    detected: int
    truth: int
    iou: float


@dataclass(frozen=True, slots=True)
class PageCounts:
    """What one page adds to the pooled figures.

    Attributes:
        n_matched: pairs at or above the IoU threshold.
        n_detected: boxes found.
        n_truth: boxes of the ground truth.
    """

    n_matched: int
    n_detected: int
    n_truth: int

    @property
    def exact(self) -> bool:
        """Whether every true box is matched and no box is left over; a page without panels is exact without boxes."""
        return self.n_matched == self.n_detected == self.n_truth


@dataclass(frozen=True, slots=True)
class DetectionScores:
    """Figures pooled over pages, each 0 to 1.

    Attributes:
        precision: matched over detected; 1 when nothing was detected.
        recall: matched over true; 1 when there was nothing to find.
        f1: ``2 * matched / (detected + true)``; 1 when both are empty.
        page_exact: share of pages that are exact; 1 without pages.
        n_pages: pages counted.
    """

    precision: float
    recall: float
    f1: float
    page_exact: float
    n_pages: int


def match_boxes(detected: Sequence[Box], truth: Sequence[Box], threshold: float = 0.5) -> list[Match]:
    """Pairs of boxes at or above the IoU ``threshold``, highest IoU first, each box at most once.

    >>> match_boxes([Box(0, 0, 10, 8), Box(0, 0, 10, 10)], [Box(0, 0, 10, 10)])
    [Match(detected=1, truth=0, iou=1.0)]
    """
    pairs = [
        (iou, found, true)
        for found, box in enumerate(detected)
        for true, other in enumerate(truth)
        if (iou := box.iou(other)) >= threshold
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    matches: list[Match] = []
    used_detected: set[int] = set()
    used_truth: set[int] = set()
    for iou, found, true in pairs:
        if found not in used_detected and true not in used_truth:
            used_detected.add(found)
            used_truth.add(true)
            matches.append(Match(found, true, iou))
    return matches


def count_page(detected: Sequence[Box], truth: Sequence[Box], threshold: float = 0.5) -> PageCounts:
    """Matched, detected and true boxes of one page at an IoU ``threshold``.

    >>> count_page([Box(0, 0, 10, 10), Box(50, 50, 4, 4)], [Box(0, 0, 10, 9)])
    PageCounts(n_matched=1, n_detected=2, n_truth=1)
    """
    return PageCounts(len(match_boxes(detected, truth, threshold)), len(detected), len(truth))


def pool(pages: Sequence[PageCounts]) -> DetectionScores:
    """Precision, recall, F1 and page-exact over pages; all boxes count alike.

    >>> scores = pool([PageCounts(4, 4, 4), PageCounts(1, 2, 3), PageCounts(0, 0, 0)])
    >>> round(scores.precision, 3), round(scores.recall, 3), round(scores.f1, 3), round(scores.page_exact, 3)
    (0.833, 0.714, 0.769, 0.667)
    """
    matched = sum(page.n_matched for page in pages)
    detected = sum(page.n_detected for page in pages)
    truth = sum(page.n_truth for page in pages)
    return DetectionScores(
        precision=matched / detected if detected else 1.0,
        recall=matched / truth if truth else 1.0,
        f1=2 * matched / (detected + truth) if detected + truth else 1.0,
        page_exact=sum(page.exact for page in pages) / len(pages) if pages else 1.0,
        n_pages=len(pages),
    )


def f1_interval(
    pages: Sequence[PageCounts], n_resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of the pooled F1, resampling whole pages; ``(1.0, 1.0)`` without pages.

    >>> f1_interval([PageCounts(4, 4, 4)] * 5)
    (1.0, 1.0)
    """
    if not pages:
        return (1.0, 1.0)
    draw = random.Random(seed)
    values = sorted(pool(draw.choices(pages, k=len(pages))).f1 for _ in range(n_resamples))
    tail = (1.0 - level) / 2
    return values[int(tail * (n_resamples - 1))], values[int((1.0 - tail) * (n_resamples - 1))]
