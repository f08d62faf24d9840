"""Intervals by resampling whole books: pages of a book are drawn alike, so they are no independent evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]


def book_interval(
    counts: Counts,
    books: Sequence[str],
    figure: Callable[[Counts], Counts],
    n_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Interval of a pooled figure; None for fewer than two books, of which nothing can be said.

    Args:
        counts: ``(pages, k)`` what each page adds.
        books: of each page.
        figure: ``(..., k)`` sums to ``(...)`` figures; NaN where a resample leaves nothing to measure, which is left out.
        n_resamples: draws.
        level: of confidence.
        seed: of the draws.

    >>> book_interval(np.array([[1.0, 1], [0, 1], [1, 1]]), ["a", "a", "b"], lambda sums: sums[..., 0] / sums[..., 1])
    (0.5, 1.0)
    >>> book_interval(np.ones((2, 2)), ["a", "a"], lambda sums: sums[..., 0] / sums[..., 1]) is None
    True
    """
    names = sorted(set(books))
    if len(names) < 2:
        return None
    place = {name: row for row, name in enumerate(names)}
    sums = np.zeros((len(names), counts.shape[1]))
    np.add.at(sums, [place[one] for one in books], counts)
    random = np.random.default_rng(seed)
    weights = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_resamples)
    values = figure(weights @ sums)
    values = np.sort(values[np.isfinite(values)])
    if not len(values):
        return None
    tail = (1 - level) / 2
    return float(values[int(tail * (len(values) - 1))]), float(values[int((1 - tail) * (len(values) - 1))])
