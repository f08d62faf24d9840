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


def difference_by_chance(one: float, other: float, n: int) -> float:
    """How far two shares may be apart by chance alone, in 95 of 100 cases, each counted over ``n`` answers.

    Source: A. Agresti, B. Caffo, "Simple and Effective Confidence Intervals for Proportions and Differences of Proportions
    Result from Adding Two Successes and Two Failures", The American Statistician 54, 2000.

    >>> round(difference_by_chance(0.5, 0.5, 100), 3), round(difference_by_chance(1.0, 1.0, 10), 3)
    (0.137, 0.221)
    """
    spread = 0.0
    for share in (one, other):
        likely = (share * n + 1) / (n + 2)
        spread += likely * (1 - likely) / (n + 2)
    return float(1.96 * np.sqrt(spread))


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
    return float(first_place_hits(scores, right, allowed).mean()), float((1 / allowed.sum(axis=1)).mean())


def first_place_hits(scores: Scores, right: NDArray[np.int64], allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``(n,)``: which rows' right column scores above every other allowed one; arguments as for `first_place_share`.

    >>> first_place_hits(np.array([[2.0, 1.0], [3.0, 1.0]]), np.array([0, 1]), np.ones((2, 2), bool)).tolist()
    [True, False]
    """
    rows = np.arange(len(scores))
    others = np.where(allowed, scores, -np.inf)
    own = scores[rows, right]
    others[rows, right] = -np.inf
    return np.asarray(own > others.max(axis=1), np.bool_)


def recall_at(queries: Scores, items: Scores, right: NDArray[np.int64], k: int) -> float | None:
    """Share of queries ``(n, d)`` whose own item is among the ``k`` nearest by cosine; None without queries.

    A tie with another item counts against the own one.

    Args:
        items: ``(m, d)``.
        right: ``(n,)`` row of each query's own item.

    >>> recall_at(np.eye(3), np.eye(3)[[1, 0, 2]], np.array([0, 0, 2]), 1)
    0.6666666666666666
    """
    if not len(queries):
        return None
    unit = items / np.maximum(np.linalg.norm(items, axis=1, keepdims=True), 1e-12)
    ranks = []
    for start in range(0, len(queries), 1024):
        scores = queries[start : start + 1024] @ unit.T  # (q, m)
        chosen = right[start : start + 1024]
        own = scores[np.arange(len(scores)), chosen]
        ranks.append((scores >= own[:, None]).sum(axis=1))
    return float((np.concatenate(ranks) <= k).mean())


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
