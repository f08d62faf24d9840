"""Fits the two small models of GutterDetector and prints their weights, to be pasted into comix/detect.

    python benchmarks/fit_gutter.py --data ../shared/data --pages 120
    python benchmarks/fit_gutter.py --validate          # each source of pages left out in turn
    python benchmarks/fit_gutter.py --draw /tmp/pages   # only the composed pages, with their boxes

Fitted on the annotated pages of openly licensed comics (``OPEN``) and on pages composed here from their panels by random
layouts with known boxes. No page of a non-commercial folder (``nc_*``) is read. Logistic regression with L2; the
annotated pages of a source and the pages composed from it weigh the same. Cuts are collected along the true cuts of a
page, the likeliest first by the weights of the round before; the first round starts from weights set by hand.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from comix.core.geometry import Box
from comix.detect import corridors, regions
from comix.detect.background import Mask, working_copy
from comix.detect.corridors import Cut, CutEvidence, CutSearch, cut_evidence
from comix.detect.gutter import GutterDetector
from comix.detect.lines import line_masks
from comix.detect.regions import Page, Region, RegionEvidence, halves, is_blank, region_evidence
from comix.io.images import read_bgr
from comix.metrics.detection import PageCounts, count_page, match_boxes, pool

OPEN = ("goldenage", "peppercarrot", "manga_haruko", "climate_frogs", "soupbowl")
START = CutEvidence(4, 1, 1, 2, 2, 0, 0, -10, 10, 2, 4, -2)
ROUNDS = 3
LARGEST = 1000
"""Pages are kept with this many pixels on their shorter side."""

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass
class Sample:
    """A page with its true boxes; ``source``: where its art is from."""

    source: str
    composed: bool
    image: Image
    truth: list[Box]


# --- pages -----------------------------------------------------------------------------------------------------------


def open_pages(data: Path) -> list[Sample]:
    content = json.loads((data / "ground_truth" / "hand_panels.json").read_text(encoding="utf-8"))
    truth: dict[int, list[Box]] = defaultdict(list)
    for annotation in content["annotations"]:
        truth[annotation["image_id"]].append(Box.from_xywh(annotation["bbox"]))
    pages = []
    for entry in content["images"]:
        source = entry["file_name"].split("/")[0]
        if source in OPEN:
            image = read_bgr(data / "pages" / entry["file_name"])
            small = working_copy(image, LARGEST)
            scale = small.shape[1] / image.shape[1]
            pages.append(Sample(source, False, small, [box.scaled(scale) for box in truth[entry["id"]]]))
    return pages


def panel_art(pages: Sequence[Sample]) -> dict[str, list[Image]]:
    """Insides of the panels by source, without their frames."""
    art: dict[str, list[Image]] = defaultdict(list)
    for page in pages:
        for box in page.truth:
            inset = 4 + 0.02 * min(box.w, box.h)
            left, top, right, bottom = (round(v) for v in (box.x + inset, box.y + inset, box.r - inset, box.b - inset))
            crop = page.image[max(0, top) : bottom, max(0, left) : right]
            if min(crop.shape[:2]) > 60:
                art[page.source].append(crop)
    return art


@dataclass
class Look:
    """How one composed page looks."""

    ground: tuple[int, int, int]
    gap: tuple[float, float]
    """Gutters that cut the page across and along, in pixels."""
    margin: float
    frame: int
    frame_colour: tuple[int, int, int]
    slant: float
    bleed: bool
    manga: bool
    aged: bool
    depth: int
    tiers: int
    balloons: int
    crossing: int


def random_look(random: np.random.Generator) -> Look:
    manga = bool(random.random() < 0.4)
    aged = bool(not manga and random.random() < 0.35)
    level = int(random.integers(238, 256))
    paper = tuple(int(v) for v in random.integers([150, 195, 215], [215, 235, 250]))
    tint = tuple(int(v) for v in random.integers(20, 240, 3))
    kinds: list[tuple[int, ...]] = [(level,) * 3, (int(random.integers(0, 18)),) * 3, tint]
    ground = paper if aged else kinds[int(random.choice(3, p=[0.78, 0.12, 0.1] if not manga else [0.92, 0.08, 0]))]
    gap = float(random.choice([0.0, *random.uniform(3, 40, 5)], p=[0.08, *[0.184] * 5]))
    ratio = float(random.uniform(0.4, 1.0)) if manga else 1.0
    frame = int(random.choice([0, 1, 2, 3, 5], p=[0.15, 0.25, 0.3, 0.2, 0.1]))
    frame = max(2, frame) if gap < 3 else frame
    dark = max(ground) < 60
    return Look(
        ground=(ground[0], ground[1], ground[2]),
        gap=(gap, gap * ratio),
        margin=float(random.uniform(0, 60)),
        frame=frame,
        frame_colour=(230, 230, 230) if dark and gap < 3 else (int(random.integers(0, 50)),) * 3,
        slant=float(random.uniform(0.02, 0.12)) if random.random() < 0.3 else 0.0,
        bleed=bool(random.random() < (0.35 if manga else 0.12)),
        manga=manga,
        aged=aged,
        depth=int(random.integers(1, 4)),
        tiers=int(random.choice([1, 2, 3, 4, 5], p=[0.1, 0.25, 0.35, 0.2, 0.1])),
        balloons=int(random.integers(0, 6)),
        crossing=int(random.choice([0, 1, 2], p=[0.6, 0.25, 0.15])),
    )


def compose(random: np.random.Generator, art: Sequence[Image], source: str) -> Sample:
    """A page of random layout from the panels of one source."""
    look = random_look(random)
    width = int(random.integers(560, 1000))
    height = int(width * random.uniform(1.25, 1.6))
    if random.random() < 0.12:
        width, height = height, int(width * random.uniform(0.5, 0.9))  # a strip
    page = np.full((height, width, 3), look.ground, np.uint8)
    edges = np.array([look.margin, look.margin, width - look.margin, height - look.margin])
    if look.bleed:
        edges += np.array([-1, -1, 1, 1]) * random.choice([0.0, look.margin + 8], 4)
    left, top, right, bottom = edges
    sheet = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
    cells = [cell for tier in tiers(random, sheet, look) for cell in columns(random, tier, look, look.depth)]
    truth, unlike = [], []
    for cell in cells:
        spot = int(random.integers(len(art)))
        if len(cells) > 2 and random.random() < 0.06:
            box = Box.from_xyxy(*cell.min(axis=0), *cell.max(axis=0))
            strokes(random, page, box, (255 - look.ground[0],) * 3)
            continue
        paint(random, page, cell, art[spot], look)
        truth.append(Box.from_xyxy(*cell.min(axis=0), *cell.max(axis=0)).clipped(width, height))
        unlike.append(cell)
    for _ in range(look.crossing if unlike else 0):
        figure(random, page, unlike[int(random.integers(len(unlike)))], art[int(random.integers(len(art)))])
    for _ in range(look.balloons if unlike else 0):
        balloon(random, page, unlike[int(random.integers(len(unlike)))])
    return Sample(source, True, finish(random, page, look), truth)


def tiers(random: np.random.Generator, sheet: Floats, look: Look) -> list[Floats]:
    return pieces(random, sheet, look.tiers, 1, look)


def columns(random: np.random.Generator, cell: Floats, look: Look, depth: int) -> Iterator[Floats]:
    """Panels of a tier: side by side, sometimes cut across once more."""
    wide, high = np.ptp(cell, axis=0)
    if depth == 0 or wide < 220:
        yield cell
        return
    count = int(random.integers(1, min(4, max(2, int(wide / 160))) + 1))
    for part in pieces(random, cell, count, 0, look):
        if high > 380 and random.random() < 0.25 * (depth - 1):
            for piece in pieces(random, part, 2, 1, look):
                yield from columns(random, piece, look, depth - 2)
        else:
            yield part


def pieces(random: np.random.Generator, cell: Floats, count: int, axis: int, look: Look) -> list[Floats]:
    """A convex cell cut into ``count`` along an axis (0: side by side), with gutters between."""
    if count == 1:
        return [cell]
    shares = np.cumsum(random.dirichlet(np.full(count, float(random.choice([6.0, 25.0, 1000.0])))))[:-1]
    low, size = cell[:, axis].min(), np.ptp(cell[:, axis])
    gap = look.gap[0] if axis == 1 else look.gap[1]
    found, rest = [], cell
    for share in shares:
        slant = float(random.uniform(-1, 1)) * look.slant if random.random() < 0.6 else 0.0
        normal = np.array([1.0, slant] if axis == 0 else [slant, 1.0])
        point = cell.mean(axis=0)
        point[axis] = low + share * size
        offset = float(normal @ point)
        piece, after = clip(rest, normal, offset - gap / 2), clip(rest, -normal, -offset - gap / 2)
        if min(least_side(piece), least_side(after)) < 60:
            continue
        found.append(piece)
        rest = after
    return [*found, rest]


def least_side(cell: Floats) -> float:
    return float(np.ptp(cell, axis=0).min()) if len(cell) > 2 else 0.0


def clip(cell: Floats, normal: Floats, offset: float) -> Floats:
    """The part of a convex polygon where ``normal @ point <= offset``."""
    kept = []
    for point, after in zip(cell, np.roll(cell, -1, axis=0), strict=True):
        a, b = float(normal @ point) - offset, float(normal @ after) - offset
        if a <= 0:
            kept.append(point)
        if a * b < 0:
            kept.append(point + (after - point) * a / (a - b))
    return np.array(kept, np.float64).reshape(-1, 2)


def paint(random: np.random.Generator, page: Image, cell: Floats, art: Image, look: Look) -> None:
    """A cell filled with a piece of a panel, perhaps framed."""
    left, top = np.floor(cell.min(axis=0)).astype(int)
    right, bottom = np.ceil(cell.max(axis=0)).astype(int)
    filled = fitted(random, art, right - left, bottom - top)
    if look.manga:
        filled = screentone(random, filled)
    corners = np.round(cell).astype(np.int32)
    canvas = np.zeros_like(page)
    height, width = page.shape[:2]
    x0, y0, x1, y1 = max(0, left), max(0, top), min(width, right), min(height, bottom)
    canvas[y0:y1, x0:x1] = filled[y0 - top : y1 - top, x0 - left : x1 - left]
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [corners], 255)
    page[mask > 0] = canvas[mask > 0]
    edge = canvas[cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0].astype(int)
    pale = float((np.abs(edge - np.array(look.ground)).max(axis=1) < 45).mean()) if len(edge) else 0.0
    frame = look.frame or (2 if pale > 0.3 else 0)  # without a frame nobody could tell where the panel ends
    if frame:
        cv2.polylines(page, [corners], True, look.frame_colour, frame, cv2.LINE_AA)


def fitted(random: np.random.Generator, art: Image, wide: int, high: int) -> Image:
    """A part of a panel of the wanted shape."""
    height, width = art.shape[:2]
    scale = min(width / wide, height / high)
    w, h = max(2, int(wide * scale)), max(2, int(high * scale))
    x, y = int(random.integers(0, width - w + 1)), int(random.integers(0, height - h + 1))
    part = cv2.resize(art[y : y + h, x : x + w], (wide, high), interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)
    return np.asarray(part[:, ::-1] if random.random() < 0.5 else part, np.uint8)


def screentone(random: np.random.Generator, art: Image) -> Image:
    """Grey, more contrast, its middle tones dots."""
    grey = cv2.cvtColor(art, cv2.COLOR_BGR2GRAY).astype(np.float32)
    grey = np.clip((grey - 128) * random.uniform(1.2, 2.2) + 128 + random.uniform(10, 70), 0, 255)
    pitch = float(random.uniform(3, 7))
    rows, cols = np.mgrid[: grey.shape[0], : grey.shape[1]]
    wave = np.cos((rows + cols) * np.pi / pitch) + np.cos((rows - cols) * np.pi / pitch)
    dots = np.where(wave * 64 + 128 < grey, 250, 25)
    middle = (grey > 90) & (grey < 215) if random.random() < 0.7 else np.zeros_like(grey, bool)
    toned = np.where(middle, dots, grey).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.GaussianBlur(toned, (3, 3), 0.6), cv2.COLOR_GRAY2BGR), np.uint8)


def strokes(random: np.random.Generator, page: Image, box: Box, ink: tuple[int, int, int]) -> None:
    """Lines of something like text."""
    size = int(random.integers(8, 18))
    for y in range(int(box.y) + size, int(box.b) - size, int(size * 1.7)):
        x = int(box.x) + size
        while x < box.r - size - size * random.uniform(0, 2):
            shape = random.integers(-size // 2, size // 2 + 1, (4, 2)) + np.array([(0, 0), (3, 0), (3, 0), (6, 0)])
            cv2.polylines(page, [(shape + np.array([x, y])).astype(np.int32)], False, ink, 1 + size // 10, cv2.LINE_AA)
            x += int(size * random.uniform(0.7, 1.6))


def at_a_side(random: np.random.Generator, cell: Floats) -> Floats:
    """A point near a side of a cell."""
    index = int(random.integers(len(cell)))
    share = random.uniform(0.1, 0.9)
    return np.asarray(cell[index] * share + cell[index - 1] * (1 - share) + random.normal(0, 12, 2))


def balloon(random: np.random.Generator, page: Image, cell: Floats) -> None:
    """A balloon across a side of a panel, or inside it."""
    inside = random.random() < 0.4
    x, y = (random.uniform(cell.min(axis=0), cell.max(axis=0)) if inside else at_a_side(random, cell)).astype(int).tolist()
    unit = min(page.shape[:2])
    half = (int(unit * random.uniform(0.05, 0.13)), int(unit * random.uniform(0.035, 0.09)))
    paper = int(random.integers(244, 256))
    cv2.ellipse(page, (x, y), half, 0, 0, 360, (paper,) * 3, -1, cv2.LINE_AA)
    if random.random() < 0.9:
        cv2.ellipse(page, (x, y), half, 0, 0, 360, (20, 20, 20), int(random.integers(1, 4)), cv2.LINE_AA)
    text = Box.from_xyxy(x - half[0] * 0.75, y - half[1] * 0.75, x + half[0] * 0.75, y + half[1] * 0.75)
    strokes(random, page, text, (25, 25, 25))


def figure(random: np.random.Generator, page: Image, cell: Floats, art: Image) -> None:
    """Art that steps out of a panel."""
    x, y = at_a_side(random, cell).astype(int).tolist()
    unit = min(page.shape[:2])
    half = (int(unit * random.uniform(0.03, 0.08)), int(unit * random.uniform(0.04, 0.12)))
    mask = np.zeros(page.shape[:2], np.uint8)
    cv2.ellipse(mask, (x, y), half, float(random.uniform(0, 180)), 0, 360, 255, -1)
    whole = cv2.resize(art, page.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    page[mask > 0] = whole[mask > 0]
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(page, contours, -1, (15, 15, 15), 2)


def finish(random: np.random.Generator, page: Image, look: Look) -> Image:
    """Paper, print and file."""
    if look.aged:
        rows, cols = np.mgrid[-1 : 1 : page.shape[0] * 1j, -1 : 1 : page.shape[1] * 1j]
        shade = 1 + 0.08 * random.uniform(-1, 1) * rows + 0.1 * random.uniform(-1, 1) * cols - 0.06 * random.random() * cols**2
        noise = random.normal(0, random.uniform(2, 7), page.shape)
        page = np.clip(np.minimum(page, np.array(look.ground) + 5) * shade[..., None] + noise, 0, 255).astype(np.uint8)
    if random.random() < 0.3:
        page = np.asarray(cv2.GaussianBlur(page, (0, 0), random.uniform(0.5, 1.1)), np.uint8)
    quality = int(random.integers(35, 95))
    coded = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def composed_pages(pages: Sequence[Sample], count: int, seed: int) -> list[Sample]:
    """As many pages from every source."""
    random = np.random.default_rng(seed)
    art = panel_art(pages)
    sources = [source for source in OPEN if art[source]]
    return [compose(random, art[source], source) for _, source in zip(range(count), sources * count, strict=False)]


# --- evidence --------------------------------------------------------------------------------------------------------


def separates(region: Region, vertical: bool, place: Sequence[int], truth: Sequence[Box]) -> bool:
    """Whether a cut passes between true panels and leaves some on both sides."""
    first, last, shear = place
    left, top, right, bottom = region.box
    run = bottom - top if vertical else right - left
    along = np.arange(0, run, 4)
    across = (first + last) / 2 + (along - run / 2) * shear / run
    xs, ys = (across + left, along + top) if vertical else (along + left, across + top)
    inside = np.zeros(len(along), bool)
    sides = set()
    for box in truth:
        slack = 3 + min(15.0, 0.06 * (box.w if vertical else box.h))
        dx, dy = (slack, 0.0) if vertical else (0.0, slack)
        inside |= (xs > box.x + dx) & (xs < box.r - dx) & (ys > box.y + dy) & (ys < box.b - dy)
        if left < box.cx < right and top < box.cy < bottom:
            at, far = (box.cy - top, box.cx - left) if vertical else (box.cx - left, box.cy - top)
            sides.add(bool(far > (first + last) / 2 + (at - run / 2) * shear / run))
    return float(inside.mean()) < 0.15 and len(sides) == 2


@dataclass
class Collector(GutterDetector):
    """Cuts along the true gutters and keeps the evidence of all likely cuts it meets on the way."""

    weights: CutEvidence
    rows: list[Any] = field(default_factory=list)
    labels: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def collect(self, sample: Sample) -> tuple[Floats, Floats]:
        """Evidence of the cuts met on a page, and whether each is true."""
        page = working_page(sample.image, self)
        scale = page.image.shape[1] / sample.image.shape[1]
        self.truth = [box.scaled(scale) for box in sample.truth]
        self.rows, self.labels = [], []
        self.regions(page)
        return np.array(self.rows, np.float64).reshape(-1, len(CutEvidence._fields)), np.array(self.labels, np.float64)

    def _split(self, page: Page, region: Region, nears: tuple[Mask, ...], depth: int) -> list[Region]:
        search = CutSearch(round(1.2 * self.min_side * page.unit), self.max_slant, -50.0, page.unit)
        window = page.lines.window(*region.window)
        outside = np.bitwise_not(region.shape)
        best: tuple[float, Cut, Mask] | None = None
        for near in nears if depth < 6 else ():
            here = near[region.window]
            for vertical in (False, True):
                free, edge = (here | outside, window.upright) if vertical else ((here | outside).T, window.lying.T)
                if free.shape[1] < 2 * search.min_part + 3 or free.shape[0] < 4:
                    continue
                evidence, places = cut_evidence(np.ascontiguousarray(free), np.ascontiguousarray(edge), search)
                logits = (evidence * np.array(self.weights)).sum(axis=1)
                for index in distinct(logits, evidence, places):
                    place = places[index].tolist()
                    true = separates(region, vertical, place, self.truth)
                    self.rows.append(evidence[index])
                    self.labels.append(true)
                    if true and (best is None or logits[index] > best[0]):
                        best = (float(logits[index]), Cut(vertical, *place, float(logits[index])), here)
        parts = [] if best is None else halves(region, best[2], best[1], trim=0.03)
        if len(parts) < 2:
            return [region]
        return [leaf for part in parts for leaf in self._split(page, part, nears, depth + 1)]


def distinct(logits: Floats, evidence: Any, places: Any, most: int = 8) -> list[int]:
    """The likeliest cuts, none next to a likelier one."""
    kept: list[int] = []
    is_line = CutEvidence._fields.index("is_line")
    for index in np.argsort(-logits).tolist():
        if len(kept) == most:
            break
        near = [k for k in kept if abs(places[k][0] - places[index][0]) < 10]
        if all(evidence[k, is_line] != evidence[index, is_line] for k in near):
            kept.append(index)
    return kept


def working_page(image: Image, detector: GutterDetector) -> Page:
    small = working_copy(image, detector.working_side)
    return Page(small, line_masks(small, detector.line_step, detector.line_length))


def leaves(sample: Sample, detector: GutterDetector) -> tuple[Floats, Floats]:
    """Evidence of the regions found on a page, and whether each is a panel."""
    page = working_page(sample.image, detector)
    found = [region for region in detector.regions(page) if not is_blank(page, region)]
    scale = page.image.shape[1] / sample.image.shape[1]
    truth = [box.scaled(scale) for box in sample.truth]
    right = {match.detected for match in match_boxes([Box.from_xyxy(*region.box) for region in found], truth, 0.5)}
    rows = np.array([region_evidence(page, region) for region in found], np.float64)
    return rows.reshape(-1, len(RegionEvidence._fields)), np.array([index in right for index in range(len(found))], np.float64)


# --- fit -------------------------------------------------------------------------------------------------------------


@dataclass
class Weights:
    """Both models."""

    cut: CutEvidence
    cut_bias: float
    region: RegionEvidence
    region_bias: float

    def use(self) -> None:
        """Puts them where the detector reads them."""
        corridors._WEIGHTS, corridors._BIAS = self.cut, self.cut_bias
        regions._WEIGHTS, regions._BIAS = self.region, self.region_bias


def logistic(rows: Floats, labels: Floats, shares: Floats, l2: float) -> tuple[list[float], float]:
    """Weights and bias; ``shares``: what each row counts, 1 in the mean; measurements brought to one scale for L2."""
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    scaled = (rows - mean) / spread

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = scaled @ weights[1:] + weights[0]
        away = shares * (1 / (1 + np.exp(-logits)) - labels)
        value = (shares * (np.logaddexp(0, logits) - labels * logits)).sum() + l2 * (weights[1:] ** 2).sum() / 2
        return float(value), np.concatenate([[away.sum()], scaled.T @ away + l2 * weights[1:]])

    found = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B").x
    weights = found[1:] / spread
    return [round(float(value), 2) for value in weights], round(float(found[0] - (weights * mean).sum()), 2)


def stacked(samples: Sequence[Sample], found: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats, Floats]:
    """Evidence, labels and shares; annotated and composed pages of every source count the same in total."""
    totals: dict[tuple[str, bool], int] = defaultdict(int)
    for sample, (_, labels) in zip(samples, found, strict=True):
        totals[sample.source, sample.composed] += len(labels)
    shares = [np.full(len(y), 1 / totals[s.source, s.composed]) for s, (_, y) in zip(samples, found, strict=True) if len(y)]
    share = np.concatenate(shares)
    rows, labels = (np.concatenate([pair[k] for pair in found if len(pair[1])]) for k in (0, 1))
    return rows, labels, share / share.mean()


def cut_rows(samples: Sequence[Sample], l2: float, say: bool = False) -> list[tuple[Floats, Floats]]:
    """Evidence of cuts by page, as the last round finds it."""
    cut = START
    for number in range(ROUNDS):
        found = [Collector(cut).collect(sample) for sample in samples]
        if number + 1 < ROUNDS:
            cut = fit_cuts(samples, found, l2, say)[0]
    return found


def fit_cuts(
    samples: Sequence[Sample], found: Sequence[tuple[Floats, Floats]], l2: float, say: bool
) -> tuple[CutEvidence, float]:
    rows, labels, shares = stacked(samples, found)
    values, bias = logistic(rows, labels, shares, l2)
    cut = CutEvidence(*values)
    if say:
        print(f"{len(labels)} cuts, {labels.mean():.0%} true: {values}, {bias}", flush=True)
    return cut._replace(slant=min(cut.slant, -0.5)), bias  # the search divides by the slant's weight


def fit(samples: Sequence[Sample], found: Sequence[tuple[Floats, Floats]], l2: float, say: bool = False) -> Weights:
    """Both models, in use from then on."""
    weights = Weights(*fit_cuts(samples, found, l2, say), RegionEvidence(0, 0, 0, 0, 0, 0), 0.0)
    weights.use()
    rows, labels, shares = stacked(samples, [leaves(sample, GutterDetector()) for sample in samples])
    values, weights.region_bias = logistic(rows, labels, shares, l2)
    weights.region = RegionEvidence(*values)
    weights.use()
    if say:
        print(f"{len(labels)} regions, {labels.mean():.0%} panels")
    return weights


def counts(samples: Sequence[Sample], detector: GutterDetector) -> list[PageCounts]:
    return [count_page([found.box for found in detector.detect(sample.image)], sample.truth, 0.5) for sample in samples]


def validate(samples: Sequence[Sample], strengths: Sequence[float], cuts: Sequence[float], scores: Sequence[float]) -> None:
    """F1 at IoU .5 on every source by weights fitted on the others, by L2 and thresholds."""
    collected = cut_rows(samples, strengths[0])
    for l2 in strengths:
        held: dict[tuple[float, float, bool], list[PageCounts]] = defaultdict(list)
        by_source: dict[str, str] = {}
        for source in OPEN:
            rest = [index for index, sample in enumerate(samples) if sample.source != source]
            fit([samples[index] for index in rest], [collected[index] for index in rest], l2)
            for (cut, score), composed in product(product(cuts, scores), (False, True)):
                chosen = [sample for sample in samples if sample.source == source and sample.composed == composed]
                found = counts(chosen, GutterDetector(min_cut_logit=cut, min_score=score))
                held[cut, score, composed] += found
                by_source[f"{source}{'*' if composed else ''}"] = f"{pool(found).f1:.3f}"
        for cut, score in product(cuts, scores):
            real, made = pool(held[cut, score, False]), pool(held[cut, score, True])
            print(
                f"l2 {l2:g} min_cut_logit {cut:g} min_score {score:g}: "
                f"annotated P {real.precision:.3f} R {real.recall:.3f} F1 {real.f1:.3f}, "
                f"composed P {made.precision:.3f} R {made.recall:.3f} F1 {made.f1:.3f}",
                flush=True,
            )
        print(f"  last row by source (* composed): {by_source}", flush=True)


def draw(samples: Sequence[Sample], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(samples):
        canvas: Any = sample.image.copy()
        for box in sample.truth:
            left, top, right, bottom = (round(value) for value in box.xyxy)
            cv2.rectangle(canvas, (left, top), (right, bottom), (0, 200, 0), 3)
        cv2.imwrite(str(folder / f"{number:03d}_{sample.source}.jpg"), canvas)


def main() -> None:
    default = Path(os.environ.get("COMIX_DATA", Path(__file__).resolve().parents[1] / ".." / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default, help="folder with pages/ and ground_truth/")
    parser.add_argument("--seed", type=int, default=0, help="of the composed pages")
    parser.add_argument("--pages", type=int, default=120, help="number of composed pages")
    parser.add_argument("--l2", type=float, nargs="+", default=[3.0], help="strength of the regularisation")
    parser.add_argument("--validate", action="store_true", help="leave out each source in turn instead")
    parser.add_argument("--cuts", type=float, nargs="+", default=[-1.0], help="min_cut_logit to validate")
    parser.add_argument("--scores", type=float, nargs="+", default=[0.4], help="min_score to validate")
    parser.add_argument("--draw", type=Path, help="write the composed pages here instead")
    arguments = parser.parse_args()
    if not (arguments.data / "ground_truth").is_dir():
        parser.exit(2, f"not run: data absent, no ground_truth/ under {arguments.data}\n")
    cv2.setNumThreads(1)
    pages = open_pages(arguments.data)
    made = composed_pages(pages, arguments.pages, arguments.seed)
    if arguments.draw:
        draw(made, arguments.draw)
        return
    samples = [*pages, *made]
    if arguments.validate:
        validate(samples, arguments.l2, arguments.cuts, arguments.scores)
        return
    weights = fit(samples, cut_rows(samples, arguments.l2[0], say=True), arguments.l2[0], say=True)
    print(f"corridors: _WEIGHTS = CutEvidence{tuple(weights.cut)}\n           _BIAS = {weights.cut_bias}")
    print(f"regions:   _WEIGHTS = RegionEvidence{tuple(weights.region)}\n           _BIAS = {weights.region_bias}")
    for name, chosen in (("annotated", pages), ("composed", made)):
        scores = pool(counts(chosen, GutterDetector()))
        print(f"{name}: {len(chosen)} pages, P {scores.precision:.3f} R {scores.recall:.3f} F1 {scores.f1:.3f} (fitted on)")


if __name__ == "__main__":
    main()
