"""A second, closer look at a proposed cut: do edges of one direction really run straight along it, pixel by pixel?

`corridors` looks at a region in coarse pieces and proposes cuts; here each is measured along its own line, where the edge
of a frame is told from strands of hair and folds that go the same way for a while. A linear model over `CutProof` gives
the log odds that the cut is a gutter; its weights were fitted by ``benchmarks/fit_gutter.py``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from comix.detect.background import Mask
from comix.detect.corridors import Cut

_STEP = 24
"""Grey levels over two pixels that make an edge."""
_PIECES = 12
"""A cut is looked at in this many pieces."""
_REACH = 6
"""Pixels beside a cut in which its edges are looked for."""
_LEANS = (-6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6)
"""Pixels by which an edge may lean against the proposal over its whole length."""
_CLOSING = 7
"""Pixels at each end of a cut in which something must close the region, if it is closed."""


class CutProof(NamedTuple):
    """What the closer look finds; also the form of the model's weights.

    Attributes:
        logit: of the proposal.
        opened: 1 when background interrupts what closes the region at both ends of the cut and only there, 0.5 at one end.
        is_line: 1 for a cut along an edge, 0 for one along a corridor.
        edge: how little of its length has no edge of one direction (dark to light, or light to dark) on one straight line,
            as a negative logarithm: 3.5 for none of it, 0 for all.
        cover: the same for what is not background.
        length: in shorter sides of the page, at most 1.
        long_edge: ``edge * length``: over a short way an edge goes straight by chance.
    """

    logit: float
    opened: float
    is_line: float
    edge: float
    cover: float
    length: float
    long_edge: float


_WEIGHTS = CutProof(0.89, 1.95, 0.45, 0.3, 0.28, -0.21, 0.31)
_BIAS = -1.4


def proof_logit(proof: CutProof) -> float:
    """Log odds that a cut is a gutter, by the closer look."""
    return _BIAS + sum(weight * value for weight, value in zip(_WEIGHTS, proof, strict=True))


def cut_proof(gradient: NDArray[np.int16], free: Mask, shape: Mask, cut: Cut) -> CutProof:
    """Measures one cut.

    Args:
        gradient: ``(h, w)`` of the region's box, across the cut: along x for a vertical one.
        free: background, or not part of the region.
        shape: the region.
        cut: the proposal.
    """
    if not cut.vertical:
        gradient, free, shape = gradient.T, free.T, shape.T
    edge, cover = _rarity(_edge(gradient, shape, cut)), _rarity(cut.evidence.cover)
    length = cut.evidence.length
    return CutProof(cut.logit, _opened(free, cut), cut.evidence.is_line, edge, cover, length, edge * length)


def _rarity(share: float) -> float:
    """Grows as a share nears 1: 0.03 less than that is told apart.

    >>> round(_rarity(1.0), 1), round(_rarity(0.9), 1), round(_rarity(0.5), 1)
    (3.5, 2.0, 0.6)
    """
    return -math.log(1.03 - share)


def _edge(gradient: NDArray[np.int16], shape: Mask, cut: Cut) -> float:
    """Share of the cut's length inside the region with an edge of one direction on one straight line near it."""
    run, extent = gradient.shape
    along = np.arange(run)
    margin, wide = max(_LEANS) // 2, cut.last - cut.first + 2 * _REACH
    start = np.round(cut.first - _REACH - margin + (along - run / 2) * cut.shear / run).astype(np.intp)
    across = np.clip(start[:, None] + np.arange(wide + 2 * margin), 0, extent - 1)
    strip = gradient[along[:, None], across]
    inside = shape[along[:, None], across] > 0
    bounds = np.linspace(0, run, min(_PIECES, run) + 1).astype(np.intp)
    middle = (bounds[:-1] + bounds[1:]) / 2 / run - 0.5
    leans = margin + np.round(middle[None, :] * np.array(_LEANS)[:, None]).astype(np.intp)
    columns, rows = leans[:, :, None] + np.arange(wide), np.arange(len(middle))[:, None]
    length, *edges = (
        np.add.reduceat(mask, bounds[:-1], axis=0, dtype=np.float32)[rows, columns].sum(axis=1)
        for mask in (inside, (strip > _STEP) & inside, (strip < -_STEP) & inside)
    )
    return float((np.maximum(*edges) / np.maximum(length, 0.2 * run)).max())


def _opened(free: Mask, cut: Cut) -> float:
    """``opened`` of `CutProof`, the cut along the first axis."""
    found = 0.0
    for end, lean in ((free[:_CLOSING], -0.5), (free[-_CLOSING:], 0.5)):
        gap = end.mean(axis=0) > 220
        middle, half = round((cut.first + cut.last) / 2 + lean * cut.shear), (cut.last - cut.first) // 2 + 3
        here = gap[max(0, middle - half) : max(0, middle + half + 1)]
        found += 0.5 * float(here.any()) * (1 - min(1.0, 2 * float(gap.mean())))
    return found
