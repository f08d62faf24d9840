"""How well scores tell the right ones from the wrong ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


def auc(positive: Scores, negative: Scores) -> float | None:
    """Probability that a positive scores above a negative, ties count half; None when either is empty.

    >>> auc(np.array([3.0, 1.0]), np.array([2.0, 0.0]))
    0.75
    """
    if not len(positive) or not len(negative):
        return None
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    up_to = np.searchsorted(ordered, positive, side="right")
    return float((below + up_to).sum() / 2 / len(positive) / len(negative))


def first_place_share(scores: Scores, right: NDArray[np.int64], allowed: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Share of rows whose right column scores highest among the allowed ones, and what chance gives; None without rows.

    A tie with a wrong column counts as wrong: vectors that are all equal find nothing.

    Args:
        scores: ``(n, m)``.
        right: ``(n,)`` column of the right answer, allowed in its row.
        allowed: ``(n, m)``.

    >>> first_place_share(np.array([[2.0, 1.0], [3.0, 1.0]]), np.array([0, 1]), np.ones((2, 2), bool))
    (0.5, 0.5)
    """
    if not len(scores):
        return None
    rows = np.arange(len(scores))
    own = scores[rows, right]
    others = np.where(allowed, scores, -np.inf)
    others[rows, right] = -np.inf
    hits = own > others.max(axis=1)
    return float(hits.mean()), float((1 / allowed.sum(axis=1)).mean())


def effective_rank(vectors: Scores) -> float:
    """How many directions vectors ``(n, d)`` really use: exp of the entropy of the centred singular values; 0 if all equal.

    >>> round(effective_rank(np.eye(4)), 3), effective_rank(np.ones((4, 3)))
    (3.0, 0.0)
    """
    if len(vectors) < 2:
        return 0.0
    values = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False)
    if values.sum() < 1e-9:
        return 0.0
    shares = values / values.sum()
    shares = shares[shares > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))
