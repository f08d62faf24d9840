"""Share of questions answered right, with its interval: what all closure tasks are told by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from comix.bench.figures import Row
from comix.metrics.bootstrap import book_interval

COLUMNS: Mapping[str, str] = {"accuracy": "accuracy", "ties": "ties"}


def accuracy_row(
    name: str, group: str, right: NDArray[np.float64], is_tie: NDArray[np.bool_], books: Sequence[str], n_resamples: int
) -> Row:
    """The figures of one way to answer.

    Args:
        right: ``(n,)`` the point of each question, a share of it where candidates tie.
        is_tie: ``(n,)`` whether they do.
        books: of the questions; the interval is by book.
    """
    counts = np.stack([right, np.ones(len(right))], axis=1)
    interval = book_interval(counts, books, lambda sums: sums[..., 0] / sums[..., 1], n_resamples)
    figures = {"accuracy": float(right.mean()), "ties": float(is_tie.mean())}
    return Row(name, group, len(right), figures, {} if interval is None else {"accuracy": interval})
