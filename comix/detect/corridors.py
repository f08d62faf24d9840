"""Where a region is cut in two: straight corridors of background, bridged here and there, and straight frame lines.

Every place where a region might be cut is described by a few measurements (`CutEvidence`), and a linear model says how
likely it is a gutter; the likeliest are proposed, and `proof` looks at them closely. The weights were fitted by
``benchmarks/fit_gutter.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.detect.background import Mask
from comix.detect.lines import LineMasks
from comix.detect.sheared import Floats, Ints, Sheared

_LEAST_COVER = 0.5
"""Corridors with less background are not looked at."""
_APART = 10
"""Cuts of one kind that start fewer pixels apart are one cut."""


class CutEvidence(NamedTuple):
    """What speaks for a cut; also the form of the model's weights.

    Attributes:
        cover: share of its length that is background.
        wall_low: share of its background with something in one row beside it, weaker side; ``wall_high`` stronger.
        line_low: share of its length with a straight edge beside it, weaker side; ``line_high`` stronger.
        is_line: 1 for a cut along an edge, 0 for one along a corridor.
        thickness: of the corridor, 1 at a twentieth of the page's shorter side or more.
        slant: rise over run.
        part: extent of the smaller part, in shorter sides of the page, at most 0.3.
        length: in shorter sides of the page, at most 1.
        joint: share of its length that is background or has a straight edge.
        crowd: share of straight edges on parallel lines nearby: high in hatching, low at a frame.
    """

    cover: float
    wall_low: float
    wall_high: float
    line_low: float
    line_high: float
    is_line: float
    thickness: float
    slant: float
    part: float
    length: float
    joint: float
    crowd: float


_WEIGHTS = CutEvidence(0.34, 1.28, 0.52, -0.66, 6.94, 0.13, -5.09, -18.33, 16.7, -0.03, 6.87, -3.9)
_BIAS = -15.48


@dataclass(frozen=True, slots=True)
class Cut:
    """A straight cut across a region.

    Attributes:
        vertical: whether it runs from top to bottom.
        first: pixel where it starts at its middle, measured across it; ``last``: where it ends (exclusive).
        shear: how far it moves across over the region's whole extent along it, in pixels.
        evidence: what was measured on it.
        logit: log odds that it is a gutter, by that.
    """

    vertical: bool
    first: int
    last: int
    shear: int
    evidence: CutEvidence
    logit: float


@dataclass(frozen=True, slots=True)
class CutSearch:
    """What is searched for.

    Attributes:
        min_part: least extent in pixels of what is left on either side of a cut.
        max_slant: steepest cut, as rise over run.
        min_logit: least log odds of a cut.
        unit: shorter side of the page in pixels.
    """

    min_part: int
    max_slant: float
    min_logit: float
    unit: int


def proposed_cuts(free: Mask, lines: LineMasks, search: CutSearch, most: int = 3) -> list[Cut]:
    """The likeliest cuts across a region in either direction, none next to a likelier one of its kind.

    Args:
        free: ``(h, w)`` mask of the region's bounding box: background, or not part of the region.
        lines: straight lines in the same box.
        search: what counts as a cut.
        most: cuts given of each direction.
    """
    found: list[Cut] = []
    for vertical in (False, True):
        run, extent = free.shape if vertical else free.shape[::-1]
        if extent < 2 * search.min_part + 3 or run < 4 or _best_bound(run, extent, search.unit) < search.min_logit:
            continue
        flat, edge = (free, lines.upright) if vertical else (_turned(free), _turned(lines.lying))
        evidence, place = cut_evidence(flat, edge, search)
        if len(evidence):
            found += _likeliest(evidence, place, vertical, search.min_logit, most)
    return found


def _likeliest(evidence: Floats, place: Ints, vertical: bool, min_logit: float, most: int) -> list[Cut]:
    logits = (evidence * np.array(_WEIGHTS, np.float32)).sum(axis=1) + _BIAS  # a product would start BLAS threads
    kept: list[Cut] = []
    for index in np.argsort(-logits, kind="stable").tolist():
        if logits[index] < min_logit or len(kept) == most:
            break
        known = CutEvidence(*evidence[index].tolist())
        first, last, shear = place[index].tolist()
        cut = Cut(vertical, first, last, shear, known, float(logits[index]))
        if all(abs(cut.first - other.first) >= _APART or known.is_line != other.evidence.is_line for other in kept):
            kept.append(cut)
    return kept


def _turned(mask: Mask) -> Mask:
    """Rows and columns swapped, contiguous."""
    return np.asarray(cv2.transpose(mask), np.uint8)


def cut_evidence(free: Mask, edge: Mask, search: CutSearch) -> tuple[Floats, Ints]:
    """The places where a region might be cut, in a frame where the cut runs along the first axis.

    Args:
        free: ``(run, extent)`` mask, see `best_cut`.
        edge: straight edges along the first axis.
        search: what counts as a cut; places that cannot reach ``min_logit`` are left out.

    Returns:
        Evidence ``(n, 12)`` in the order of `CutEvidence`; first row, last row (exclusive) and shear, ``(n, 3)``.
    """
    width, height = free.shape
    bound = _best_bound(width, height, search.unit)
    slack = (bound - search.min_logit) / -_WEIGHTS.slant
    reach = min(int(min(search.max_slant, slack) * width), height // 3)
    step = max(5, width // 80)
    shears = np.arange(-(reach // step) * step, reach + 1, step)
    line = Sheared(edge, shears)
    most = line.profiles[:, max(0, search.min_part - 4) : height - search.min_part + 4].max(axis=1)
    bounds = bound + (_WEIGHTS.line_low + _WEIGHTS.line_high) * (most - 1) + _WEIGHTS.slant * np.abs(shears) / width
    hopeful = np.flatnonzero(bounds >= search.min_logit)
    if hopeful.size == 0:
        return np.zeros((0, len(_WEIGHTS)), np.float32), np.zeros((0, 3), np.intp)
    shears = shears[hopeful]
    line.keep(hopeful)
    ground = Sheared(free, shears)
    index, first, last, cover = _corridors(ground.profiles, search.min_part)
    every = np.arange(len(shears))
    rows = line.profiles[:, search.min_part : height - search.min_part].argmax(axis=1) + search.min_part
    is_line = np.repeat([0.0, 1.0], [len(index), len(shears)])
    index = np.concatenate([index, every])
    first, last = np.concatenate([first, rows]), np.concatenate([last, rows + 1])
    cover = np.concatenate([cover, ground.profiles[every, rows]])
    known = {
        "cover": cover,
        "is_line": is_line,
        "thickness": np.minimum((last - first) / (0.05 * search.unit), 1.0),
        "slant": np.abs(shears[index]) / width,
        "part": np.minimum(np.minimum(first, height - last) / search.unit, 0.3),
        "length": np.full(len(index), min(1.0, width / search.unit)),
    } | _lines_beside(line.profiles, index, first, last)
    keep = _hopeful(known, search.min_logit)
    index, first, last = index[keep], first[keep], last[keep]
    known = {name: values[keep] for name, values in known.items()}
    known |= _walls_beside(ground, line, index, first, last)
    evidence = np.stack([known[name] for name in CutEvidence._fields], axis=1).astype(np.float32)
    return evidence, np.stack([first, last, shears[index]], axis=1)


def _best_bound(run: int, extent: int, unit: int) -> float:
    """The log odds of a cut through the middle of a region if everything spoke for it."""
    weights: dict[str, float] = _WEIGHTS._asdict()
    best = sum(max(weight, 0.0) for name, weight in weights.items() if name not in ("part", "length"))
    return _BIAS + best + _WEIGHTS.part * min(extent / 2 / unit, 0.3) + _WEIGHTS.length * min(1.0, run / unit)


def _hopeful(known: dict[str, NDArray[np.floating]], min_logit: float) -> Ints:
    """Places that reach ``min_logit`` if all that is not known yet speaks for them."""
    weights = _WEIGHTS._asdict()
    bound = _BIAS + sum(max(weight, 0.0) for name, weight in weights.items() if name not in known)
    total = bound + sum(weights[name] * values for name, values in known.items())
    return np.flatnonzero(np.asarray(total) >= min_logit)


def _corridors(profiles: Floats, min_part: int) -> tuple[Ints, Ints, Ints, Floats]:
    """Stretches of rows with much background: index of the shear, first row, last row (exclusive), largest cover."""
    thick = cv2.erode(profiles, np.ones((1, 3), np.uint8))
    thick[:, :min_part] = 0
    thick[:, profiles.shape[1] - min_part :] = 0
    change = np.diff(np.pad(thick >= _LEAST_COVER, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    index, first = np.nonzero(change == 1)
    _, last = np.nonzero(change == -1)
    if len(index) == 0:
        return index, first, last, np.zeros(0, np.float32)
    bounds = np.stack([first, last], axis=1) + index[:, None] * thick.shape[1]
    cover = np.maximum.reduceat(np.append(thick.ravel(), np.float32(0)), bounds.ravel())[::2]
    return index, first, last, cover


def _lines_beside(profiles: Floats, index: Ints, first: Ints, last: Ints) -> dict[str, Floats]:
    """Straight edges beside ``n`` cuts and farther off, ``(n,)`` each."""
    lines, crowd = [], []
    for start, direction in ((first, -1), (last - 1, 1)):
        rows = start[:, None] + direction * np.array([-2, -1, 0, 1, 2, 3, 4, 10, 16, 22])
        edge = profiles[index[:, None], np.clip(rows, 0, profiles.shape[1] - 1)]
        lines.append(edge[:, :7].max(axis=1))
        crowd.append(edge[:, 7:].mean(axis=1))
    return {"line_low": np.minimum(*lines), "line_high": np.maximum(*lines), "crowd": np.mean(crowd, axis=0)}


def _walls_beside(ground: Sheared, line: Sheared, index: Ints, first: Ints, last: Ints) -> dict[str, Floats]:
    """What ends the background beside ``n`` cuts, and how much of them background and edges explain, ``(n,)`` each."""
    open_ground = ground.at(index, ((first + last) // 2)[:, None])[:, 0]
    free = open_ground > 0.6
    n_free = np.maximum(free.sum(axis=1), 1)
    walls = []
    for start, direction in ((first, -1), (last - 1, 1)):
        near = ground.at(index, start[:, None] + direction * np.arange(1, 5))
        walls.append(((near < 0.4) & free[:, None, :]).sum(axis=2).max(axis=1) / n_free)
    edges = line.at(index, np.stack([first - 1, last], axis=1)).max(axis=1)
    return {
        "wall_low": np.minimum(*walls),
        "wall_high": np.maximum(*walls),
        "joint": np.maximum(open_ground, edges).mean(axis=1),
    }
