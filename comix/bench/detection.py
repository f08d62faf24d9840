"""Detection figures over pages: COCO average precision, pooled precision, recall and F1, pages exactly right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from comix.bench.figures import Figure, Row, grouped
from comix.bench.truth import TruthPage
from comix.core.geometry import Box
from comix.core.page import Detection
from comix.io.detections import PageDetections
from comix.metrics.average_precision import PageBoxes, average_precision
from comix.metrics.bootstrap import Counts, book_interval
from comix.metrics.detection import PageCounts, count_page, pool

LEVELS = (0.5, 0.75, 0.9)
COLUMNS = {
    "ap": "AP", "ap50": "AP50", "precision_50": "P@.5", "recall_50": "R@.5", "f1_50": "F1@.5", "f1_75": "F1@.75",
    "f1_90": "F1@.9", "page_exact": "page-exact",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScoredPage:
    """One page: its truth, what was found, and the counts at each of `LEVELS`; boxes below the threshold do not count."""

    truth: TruthPage
    found: tuple[Detection, ...]
    wanted: tuple[Box, ...]
    counts: tuple[PageCounts, ...]


def score_pages(
    pairs: Sequence[tuple[TruthPage, PageDetections]], category: str = "panel", min_score: float = 0.0
) -> list[ScoredPage]:
    """Every page's counts.

    Args:
        pairs: see `comix.bench.truth.join`.
        category: what is measured.
        min_score: boxes below it are left out of everything but the average precision.
    """
    scored = []
    for truth, prediction in pairs:
        found = tuple(one for one in prediction.detections if one.category == category)
        wanted = tuple(one.box for one in truth.found.detections if one.category == category)
        boxes = [one.box for one in found if one.score >= min_score]
        scored.append(ScoredPage(truth, found, wanted, tuple(count_page(boxes, wanted, level) for level in LEVELS)))
    return scored


def detection_rows(name: str, pages: Sequence[ScoredPage], n_resamples: int = 1000) -> list[Row]:
    """The figures of all pages, of each source and of each direction."""
    groups = grouped(pages, {"source": lambda page: page.truth.source, "direction": lambda page: page.truth.direction})
    return [detection_row(name, group, members, n_resamples) for group, members in groups.items()]


def detection_row(name: str, group: str, pages: Sequence[ScoredPage], n_resamples: int = 1000) -> Row:
    """The figures of one group of pages; intervals of F1 at .5 and of page-exact."""
    precisions = average_precision([_as_arrays(page) for page in pages])
    figures: dict[str, Figure] = {
        "ap": None if precisions is None else float(np.mean(precisions)),
        "ap50": None if precisions is None else precisions[0],
    }
    for place, level in enumerate(LEVELS):
        scores = pool([page.counts[place] for page in pages])
        for key, value in (("precision", scores.precision), ("recall", scores.recall), ("f1", scores.f1)):
            figures[f"{key}_{round(100 * level)}"] = value
    figures["page_exact"] = pool([page.counts[0] for page in pages]).page_exact
    figures["n_truth"] = sum(page.counts[0].n_truth for page in pages)
    figures["n_found"] = sum(page.counts[0].n_detected for page in pages)
    empty = [page for page in pages if not page.wanted]
    figures["n_empty_pages"], figures["n_left_empty"] = len(empty), sum(page.counts[0].exact for page in empty)
    return Row(name, group, len(pages), figures, _intervals(pages, n_resamples))


def _intervals(pages: Sequence[ScoredPage], n_resamples: int) -> dict[str, tuple[float, float]]:
    counts = np.array(
        [(one.n_matched, one.n_detected + one.n_truth, one.exact, 1) for one in (page.counts[0] for page in pages)], np.float64
    ).reshape(-1, 4)
    books = [page.truth.book for page in pages]
    found = {
        "f1_50": book_interval(counts, books, _f1, n_resamples),
        "page_exact": book_interval(counts, books, _exact, n_resamples),
    }
    return {key: interval for key, interval in found.items() if interval is not None}


def _f1(sums: Counts) -> Counts:
    return np.divide(2 * sums[..., 0], sums[..., 1], out=np.ones_like(sums[..., 0]), where=sums[..., 1] > 0)


def _exact(sums: Counts) -> Counts:
    return np.asarray(sums[..., 2] / sums[..., 3], np.float64)


def _as_arrays(page: ScoredPage) -> PageBoxes:
    return PageBoxes(
        np.array([one.box.xywh for one in page.found], np.float64).reshape(-1, 4),
        np.array([one.score for one in page.found], np.float64),
        np.array([box.xywh for box in page.wanted], np.float64).reshape(-1, 4),
    )


def whole_pages(pages: Sequence[TruthPage]) -> list[tuple[TruthPage, PageDetections]]:
    """The baseline: each page is one box as large as itself."""
    return [
        (
            page,
            PageDetections(
                page.key, page.found.width, page.found.height, (Detection(Box(0, 0, page.found.width, page.found.height), 1.0),)
            ),
        )
        for page in pages
    ]
