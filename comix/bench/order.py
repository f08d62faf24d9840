"""Order figures over pages: on the given boxes, and on detected ones that are matched to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from comix.bench.figures import Figure, Row, grouped
from comix.bench.truth import TruthPage
from comix.core.order import Method, order_panels
from comix.io.detections import PageDetections
from comix.metrics.average_precision import iou_matrix
from comix.metrics.bootstrap import Counts, book_interval
from comix.metrics.order import PageOrder, page_order

COLUMNS = {
    "page_exact": "page-exact", "page_tolerant": "ties right", "tau": "tau", "successor": "successor", "edit": "edits",
    "coverage": "coverage", "exact_complete": "all found",
}  # fmt: skip
_MATCH_IOU = 0.5


@dataclass(frozen=True, slots=True)
class OrderedPage:
    """One page's order against the truth.

    Attributes:
        truth: the page.
        ranks: predicted place of each panel that was found, in the true order.
        scores: of these.
        n_panels: of the truth; ``n_extra``: detected boxes that match none.
    """

    truth: TruthPage
    ranks: tuple[float, ...]
    scores: PageOrder
    n_panels: int
    n_extra: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every panel was found and nothing else."""
        return len(self.ranks) == self.n_panels and not self.n_extra


def countable(pages: Sequence[TruthPage]) -> list[TruthPage]:
    """Pages whose order can be right or wrong: two panels or more, each with a place."""
    return [page for page in pages if page.has_order and len(page.panels) > 1]


def order_given(pages: Sequence[TruthPage], method: Method) -> list[OrderedPage]:
    """A method on the true boxes, listed last to first so that their order in the file helps nobody."""
    ordered = []
    for page in pages:
        boxes = page.panels
        found = order_panels(boxes[::-1], page.direction, method, (page.found.width, page.found.height))
        places = {len(boxes) - 1 - index: float(rank) for rank, index in enumerate(found.indices)}
        ranks = tuple(places[panel] for panel in range(len(boxes)))
        ordered.append(OrderedPage(page, ranks, page_order(ranks), len(boxes)))
    return ordered


def order_found(
    pairs: Sequence[tuple[TruthPage, PageDetections]], method: Method | None = None, min_score: float = 0.0
) -> list[OrderedPage]:
    """The order of detected panels, scored on the true panels that they match one to one at IoU .5 (largest total IoU).

    Args:
        pairs: see `comix.bench.truth.join`.
        method: orders the boxes; None takes the order in the file, where panels without a place come last, together.
        min_score: boxes below it are left out.
    """
    ordered = []
    for page, prediction in pairs:
        chosen = [
            (one, rank)
            for one, rank in zip(prediction.detections, prediction.order or (None,) * len(prediction.detections), strict=True)
            if one.category == "panel" and one.score >= min_score
        ]
        if method is None:
            places = [float(len(chosen)) if rank is None else float(rank) for _, rank in chosen]
        else:
            size = (page.found.width, page.found.height)
            indices = order_panels([one.box for one, _ in chosen], page.direction, method, size).indices
            places = [0.0] * len(chosen)
            for rank, index in enumerate(indices):
                places[index] = float(rank)
        truth = page.panels
        ious = iou_matrix(
            np.array([box.xywh for box in truth], np.float64).reshape(-1, 4),
            np.array([one.box.xywh for one, _ in chosen], np.float64).reshape(-1, 4),
        )
        ious[ious < _MATCH_IOU] = 0.0
        rows, columns = linear_sum_assignment(-ious)
        ranks = tuple(places[column] for row, column in zip(rows, columns, strict=True) if ious[row, column] > 0)
        ordered.append(OrderedPage(page, ranks, page_order(ranks), len(truth), len(chosen) - len(ranks)))
    return ordered


def order_rows(name: str, pages: Sequence[OrderedPage], n_resamples: int = 1000) -> list[Row]:
    """The figures of all pages, of each source and of each direction."""
    groups = grouped(pages, {"source": lambda page: page.truth.source, "direction": lambda page: page.truth.direction})
    return [order_row(name, group, members, n_resamples) for group, members in groups.items()]


def order_row(name: str, group: str, pages: Sequence[OrderedPage], n_resamples: int = 1000) -> Row:
    """The figures of one group: tau, successors and edits averaged over pages and (``_micro``) over panels.

    ``page_exact`` asks that every panel was found, nothing else, and all in order; the other order figures look at the panels
    that were found; ``coverage`` says how many those are. ``exact_complete`` is page-exact among the pages that were found
    completely.
    """
    n = len(pages)
    links = sum(page.scores.n_links for page in pages)
    panels = sum(len(page.ranks) for page in pages)
    complete = [page for page in pages if page.is_complete]
    linked = [page for page in pages if page.scores.n_links]
    exact = [page.is_complete and page.scores.exact for page in pages]
    figures: dict[str, Figure] = {
        "page_exact": _mean([float(one) for one in exact]),
        "page_tolerant": _mean([float(page.is_complete and page.scores.tolerant) for page in pages]),
        "tau": _mean([page.scores.tau for page in linked]),
        "successor": _mean([page.scores.n_linked / page.scores.n_links for page in linked]),
        "successor_micro": sum(page.scores.n_linked for page in pages) / links if links else None,
        "edit": _mean([page.scores.edit for page in pages]),
        "edit_micro": sum(page.scores.edit * len(page.ranks) for page in pages) / panels if panels else None,
        "coverage": panels / total if (total := sum(page.n_panels for page in pages)) else None,
        "exact_complete": _mean([float(page.scores.exact) for page in complete]),
        "n_complete": len(complete),
    }
    counts = np.array([(float(one), 1.0) for one in exact], np.float64).reshape(-1, 2)
    interval = book_interval(counts, [page.truth.book for page in pages], _ratio, n_resamples)
    return Row(name, group, n, figures, {} if interval is None else {"page_exact": interval})


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _ratio(sums: Counts) -> Counts:
    return np.asarray(sums[..., 0] / sums[..., 1], np.float64)
