"""From "what follows what" to one reading order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def decode_order(logits: NDArray[np.float32], n_panels: int, width: int = 32) -> tuple[int, ...]:
    """The order of a page's panels whose steps are together most likely, each panel once, then "end".

    A beam search: exact where the beam holds all prefixes (up to four panels at the standing width), very near it beyond.

    Args:
        logits: ``(p, p + 1)``, one page of `ClosureLite.next_panel_logits`.
        n_panels: real panels, the first ``n_panels`` rows and columns.
        width: prefixes kept.

    Returns:
        positions of the panels, first read first; empty for no panels.

    >>> decode_order(np.array([[-9, 0, 5, 0], [0, -9, 0, 5], [0, 5, -9, 0]], np.float32), 3)
    (0, 2, 1)
    """
    if n_panels < 2:
        return tuple(range(n_panels))
    columns = [*range(n_panels), logits.shape[1] - 1]
    steps = _log_softmax(logits[:n_panels][:, columns].astype(np.float64))  # (n, n + 1)
    paths = np.arange(n_panels)[:, None]  # (k, length)
    scores = np.zeros(n_panels)
    for _ in range(n_panels - 1):
        paths, scores = _extended(paths, scores, steps, width)
    best = paths[np.argmax(scores + steps[paths[:, -1], -1])]
    return tuple(int(index) for index in best)


def _extended(
    paths: NDArray[np.int64], scores: NDArray[np.float64], steps: NDArray[np.float64], width: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The best prefixes that are one panel longer."""
    totals = scores[:, None] + steps[paths[:, -1], :-1]  # (k, n)
    np.put_along_axis(totals, paths, -np.inf, axis=1)
    flat = totals.ravel()
    chosen = np.argsort(-flat, kind="stable")[:width]
    chosen = chosen[flat[chosen] > -np.inf]
    rows, columns = np.divmod(chosen, totals.shape[1])
    return np.concatenate([paths[rows], columns[:, None]], axis=1), flat[chosen]


def _log_softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.where(np.isfinite(values), values, -1e9)
    shifted = values - values.max(axis=1, keepdims=True)
    out: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return out
