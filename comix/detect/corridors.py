"""Where a region is cut in two: straight corridors of background, bridged here and there, and straight frame lines.

Every place where a region might be cut is described by a few measurements (`CutEvidence`), and a linear model says how
likely it is a gutter. The weights were fitted by logistic regression on cuts of annotated pages (openMantra, Golden
Age, Pepper & Carrot, Anda's Game and others), labelled by whether they pass between annotated panels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.detect.background import Mask

Floats = NDArray[np.float32]
Ints = NDArray[np.intp]

_BLOCKS = 24
"""A line across a region is sampled in this many pieces."""
_LEAST_COVER = 0.5
"""Corridors with less background are not looked at."""


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
        extent: of the region across the cut, in shorter sides of the page, at most 2.
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
    extent: float


_WEIGHTS = CutEvidence(1.03, -0.22, 2.54, 1.39, 1.45, -0.19, -1.33, -11.19, 20.81, 1.93, 5.83, -4.89, 0.08)
_BIAS = -16.46


@dataclass(frozen=True, slots=True)
class Cut:
    """A straight cut across a region.

    Attributes:
        vertical: whether it runs from top to bottom.
        first: pixel where it starts at its middle, measured across it; ``last``: where it ends (exclusive).
        shear: how far it moves across over the region's whole extent along it, in pixels.
        logit: log odds that it is a gutter.
    """

    vertical: bool
    first: int
    last: int
    shear: int
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


def line_masks(image: NDArray[np.uint8], least_step: int, length: int) -> tuple[Mask, Mask]:
    """Edges that run straight for ``length`` pixels: the lying ones and the upright ones.

    Args:
        image: ``(h, w, 3)`` uint8.
        least_step: grey levels between the two sides of an edge.
        length: shortest run in pixels.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    masks = []
    for dx, dy, size in ((0, 1, (length, 1)), (1, 0, (1, length))):
        step = cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, dx, dy, ksize=1))
        steep = cv2.threshold(step, least_step, 255, cv2.THRESH_BINARY)[1]
        steep = cv2.dilate(steep, cv2.getStructuringElement(cv2.MORPH_RECT, (1 + 2 * dx, 1 + 2 * dy)))
        masks.append(cv2.morphologyEx(steep, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, size)))
    return np.asarray(masks[0], np.uint8), np.asarray(masks[1], np.uint8)


def best_cut(free: Mask, lines: tuple[Mask, Mask], search: CutSearch) -> Cut | None:
    """The likeliest cut across a region, None when none reaches ``search.min_logit``.

    Args:
        free: ``(h, w)`` mask of the region's bounding box: background, or not part of the region.
        lines: lying and upright straight edges in the same box.
        search: what counts as a cut.
    """
    best: Cut | None = None
    for vertical in (False, True):
        flat = np.ascontiguousarray(free.T) if vertical else free
        edge = np.ascontiguousarray(lines[1].T) if vertical else lines[0]
        if flat.shape[0] < 2 * search.min_part + 3 or flat.shape[1] < 4:
            continue
        evidence, place = cut_evidence(flat, edge, search)
        if len(evidence) == 0:
            continue
        logits = evidence @ np.array(_WEIGHTS, np.float32) + _BIAS
        index = int(logits.argmax())
        if logits[index] >= search.min_logit and (best is None or logits[index] > best.logit):
            first, last, shear = place[index].tolist()
            best = Cut(vertical, first, last, shear, float(logits[index]))
    return best


def cut_evidence(free: Mask, edge: Mask, search: CutSearch) -> tuple[Floats, Ints]:
    """The places where a region might be cut by a lying line.

    Args:
        free: ``(h, w)`` mask, see `best_cut`.
        edge: lying straight edges.
        search: what counts as a cut; places that cannot reach ``min_logit`` are left out.

    Returns:
        Evidence ``(n, 13)`` in the order of `CutEvidence`; first row, last row (exclusive) and shear, ``(n, 3)``.
    """
    height, width = free.shape
    reach = min(int(search.max_slant * width), height // 3)
    step = max(3, width // 150)
    shears = np.arange(-(reach // step) * step, reach + 1, step)
    ground, line = _Sheared(free, shears), _Sheared(edge, shears)
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
        "extent": np.full(len(index), min(2.0, height / search.unit)),
    }
    keep = _hopeful(known, search.min_logit)
    index, first, last = index[keep], first[keep], last[keep]
    known = {name: values[keep] for name, values in known.items()}
    known |= _beside(ground, line, index, first, last)
    evidence = np.stack([known[name] for name in CutEvidence._fields], axis=1).astype(np.float32)
    return evidence, np.stack([first, last, shears[index]], axis=1)


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


def _beside(ground: _Sheared, line: _Sheared, index: Ints, first: Ints, last: Ints) -> dict[str, Floats]:
    """The evidence beside ``n`` cuts, ``(n,)`` each: walls, lines, joint and crowd."""
    open_ground = ground.at(index, ((first + last) // 2)[:, None])[:, 0]
    free = open_ground > 0.6
    n_free = np.maximum(free.sum(axis=1), 1)
    walls, lines, crowd = [], [], []
    for start, direction in ((first, -1), (last - 1, 1)):
        near = ground.at(index, start[:, None] + direction * np.arange(1, 5))
        walls.append(((near < 0.4) & free[:, None, :]).sum(axis=2).max(axis=1) / n_free)
        edge = line.at(index, start[:, None] + direction * np.array([-2, -1, 0, 1, 2, 3, 4, 10, 16, 22])).mean(axis=2)
        lines.append(edge[:, :7].max(axis=1))
        crowd.append(edge[:, 7:].mean(axis=1))
    edges = np.maximum(line.at(index, (first - 1)[:, None]), line.at(index, last[:, None]))[:, 0]
    return {
        "wall_low": np.minimum(*walls),
        "wall_high": np.maximum(*walls),
        "line_low": np.minimum(*lines),
        "line_high": np.maximum(*lines),
        "joint": np.maximum(open_ground, edges).mean(axis=1),
        "crowd": np.mean(crowd, axis=0),
    }


class _Sheared:
    """A mask of a region looked at along slanted lines, in pieces."""

    def __init__(self, mask: Mask, shears: NDArray[np.signedinteger]) -> None:
        self.height, width = mask.shape
        piece = max(1, round(width / _BLOCKS))
        count = width // piece
        pieces = cv2.resize(mask[:, : count * piece], (count, self.height), interpolation=cv2.INTER_AREA)
        at = (np.arange(count) + 0.5) * piece / width - 0.5
        self.shifts = np.round(at[None, :] * shears[:, None]).astype(np.intp)
        self.reach = int(np.abs(self.shifts).max(initial=0))
        self.columns = np.arange(count)
        padded = np.zeros((count, self.height + 2 * self.reach), np.uint8)
        padded[:, self.reach : self.reach + self.height] = pieces.T
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.height, axis=1)
        self.profiles = np.concatenate(
            [cv2.reduce(windows[self.columns, self.reach + row], 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F) for row in self.shifts]
        ) * np.float32(1 / 255)
        self.padded = padded.astype(np.float32) * np.float32(1 / 255)

    def at(self, index: Ints, row: Ints) -> Floats:
        """Pieces along lines given by ``(n,)`` shears and ``(n, k)`` rows of each, ``(n, k, n_pieces)``."""
        where = self.reach + row[:, :, None] + self.shifts[index][:, None, :]
        np.clip(where, 0, self.padded.shape[1] - 1, out=where)
        return self.padded[self.columns, where]
