"""Fits the three small models of GutterDetector and prints their weights, as they stand in comix/detect.

    python benchmarks/fit_gutter.py --data ../shared/data

Fitted on the annotated pages of the books of the half ``tune`` of experiments/panels_open/split.yaml, and on pages that
the page factory composes of the same half's drawings. No page of the other half or of a non-commercial folder is read.
Logistic regression with L2; annotated and composed pages count the same in total. In order: which places are proposed as
cuts (`corridors`), which of the proposed cuts are gutters (`proof`), which of the regions so found are panels (`regions`).
Cuts are collected along the true gutters of a page, all proposals met on the way; `START` proposes in the first round.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.optimize import minimize

from comix.core.geometry import Box
from comix.detect import corridors, proof, regions
from comix.detect.background import Mask, working_copy
from comix.detect.corridors import Cut, CutEvidence
from comix.detect.gutter import GutterDetector
from comix.detect.proof import CutProof
from comix.detect.regions import Page, Region, RegionEvidence, region_evidence
from comix.io.images import read_bgr
from comix.metrics.detection import PageCounts, count_page, match_boxes, pool
from comix.paths import conf_dir
from comix.synth.art import read_art
from comix.synth.factory import Factory
from comix.synth.settings import factory_settings
from comix.synth.source import read_split

ROOT = Path(__file__).resolve().parents[1]
SPLIT = ROOT / "experiments" / "panels_open" / "split.yaml"
ART = ROOT / "experiments" / "panels_open" / "art.json"
START = CutEvidence(1.7, 0.2, 1.3, 0.5, 4.4, -0.1, -3.3, -10.0, 16.0, 0.4, 3.1, -2.0)
START_BIAS = -12.5
LEAST_PROPOSAL = -3.0
L2 = 3.0

Floats = NDArray[np.float64]


@dataclass
class Sample:
    """A page with its true boxes."""

    name: str
    composed: bool
    image: NDArray[np.uint8]
    truth: list[Box]


def annotated_pages(data: Path, books: Sequence[str], side: int) -> list[Sample]:
    """Hand-labelled pages of some books, reduced to the working size."""
    content = json.loads((data / "ground_truth" / "hand_panels.json").read_text(encoding="utf-8"))
    truth: dict[int, list[Box]] = defaultdict(list)
    for annotation in content["annotations"]:
        truth[annotation["image_id"]].append(Box.from_xywh(annotation["bbox"]))
    pages = []
    for entry in content["images"]:
        if entry["file_name"].startswith(tuple(books)):
            image = read_bgr(data / "pages" / entry["file_name"])
            small = working_copy(image, side)
            scale = small.shape[1] / image.shape[1]
            pages.append(Sample(entry["file_name"], False, small, [box.scaled(scale) for box in truth[entry["id"]]]))
    return pages


def composed_pages(data: Path, books: Sequence[str], count: int, seed: int, side: int) -> list[Sample]:
    """Pages of the factory, reduced to the working size."""
    settings = factory_settings(yaml.safe_load((conf_dir() / "factory" / "frozen.yaml").read_text(encoding="utf-8")))
    factory = Factory(settings, read_art([(ART, data / "pages")], books), seed)
    pages = []
    for index in range(count):
        page = factory.page(index)
        small = working_copy(page.image, side)
        scale = small.shape[1] / page.width
        pages.append(Sample(page.family, True, small, [panel.box.scaled(scale) for panel in page.panels]))
    return pages


def judged(region: Region, cut: Cut, truth: Sequence[Box]) -> bool | None:
    """Whether a cut passes between true panels and leaves some on both sides; None when it does no harm and no good."""
    left, top, right, bottom = region.box
    run = bottom - top if cut.vertical else right - left
    along = np.arange(0, run, 4)
    across = (cut.first + cut.last) / 2 + (along - run / 2) * cut.shear / run
    xs, ys = (across + left, along + top) if cut.vertical else (along + left, across + top)
    inside = np.zeros(len(along), bool)
    sides = set()
    for box in truth:
        slack = 3 + min(15.0, 0.06 * (box.w if cut.vertical else box.h))
        dx, dy = (slack, 0.0) if cut.vertical else (0.0, slack)
        inside |= (xs > box.x + dx) & (xs < box.r - dx) & (ys > box.y + dy) & (ys < box.b - dy)
        if left < box.cx < right and top < box.cy < bottom:
            at, far = (box.cy - top, box.cx - left) if cut.vertical else (box.cx - left, box.cy - top)
            sides.add(bool(far > (cut.first + cut.last) / 2 + (at - run / 2) * cut.shear / run))
    share = float(inside.mean())
    if share < 0.15:
        return True if len(sides) == 2 else None
    return False if share > 0.35 else None


class Collector(GutterDetector):
    """Cuts along the true gutters and keeps what was measured on every proposal it meets on the way."""

    def collect(self, sample: Sample) -> tuple[Floats, Floats]:
        """``(n, 12 + 7)`` of cuts, `CutEvidence` and `CutProof`, and whether each is true."""
        self.truth = sample.truth
        self.rows: list[Any] = []
        self.labels: list[bool] = []
        self.regions(self.page(sample.image))
        width = len(CutEvidence._fields) + len(CutProof._fields)
        return np.array(self.rows, np.float64).reshape(-1, width), np.array(self.labels, np.float64)

    def _best(self, page: Page, region: Region, nears: tuple[Mask, ...]) -> tuple[Cut, Mask] | None:
        best: tuple[Cut, Mask] | None = None
        for found, cut, near in self.proven_cuts(page, region, nears):
            label = judged(region, cut, self.truth)
            if label is not None:
                self.rows.append([*cut.evidence, *found])
                self.labels.append(label)
            if label and (best is None or cut.logit > best[0].logit):
                best = (cut, near)
        return best


def found_regions(sample: Sample, detector: GutterDetector) -> tuple[Floats, Floats]:
    """Evidence of the regions found on a page, and whether each is a panel."""
    page = detector.page(sample.image)
    found = detector.candidates(page)
    right = {m.detected for m in match_boxes([Box.from_xyxy(*region.box) for region in found], sample.truth, 0.5)}
    rows = np.array(region_evidence(page, found), np.float64).reshape(-1, len(RegionEvidence._fields))
    return rows, np.array([index in right for index in range(len(found))], np.float64)


def logistic(rows: Floats, labels: Floats, shares: Floats) -> tuple[list[float], float]:
    """Weights and bias; ``shares``: what each row counts, 1 in the mean; measurements brought to one scale for L2."""
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    scaled = (rows - mean) / spread

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = scaled @ weights[1:] + weights[0]
        away = shares * (1 / (1 + np.exp(-logits)) - labels)
        value = (shares * (np.logaddexp(0, logits) - labels * logits)).sum() + L2 * (weights[1:] ** 2).sum() / 2
        return float(value), np.concatenate([[away.sum()], scaled.T @ away + L2 * weights[1:]])

    found = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B").x
    weights = found[1:] / spread
    return [round(float(value), 2) for value in weights], round(float(found[0] - (weights * mean).sum()), 2)


def stacked(samples: Sequence[Sample], found: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats, Floats]:
    """Rows, labels and shares; annotated and composed pages count the same in total."""
    totals: dict[bool, int] = defaultdict(int)
    for sample, (_, labels) in zip(samples, found, strict=True):
        totals[sample.composed] += len(labels)
    shares = [
        np.full(len(labels), 1 / totals[s.composed]) for s, (_, labels) in zip(samples, found, strict=True) if len(labels)
    ]
    share = np.concatenate(shares)
    rows, labels = (np.concatenate([pair[k] for pair in found if len(pair[1])]) for k in (0, 1))
    print(f"{len(labels)} rows, {labels.mean():.0%} true", flush=True)
    return rows, labels, share / share.mean()


def fit(samples: Sequence[Sample]) -> None:
    """The three models, in use from then on."""
    n_evidence = len(CutEvidence._fields)
    corridors._WEIGHTS, corridors._BIAS = START, START_BIAS
    for last in (False, True):
        found = [Collector(min_proposal=LEAST_PROPOSAL).collect(sample) for sample in samples]
        rows, labels, shares = stacked(samples, found)
        if last:
            values, proof._BIAS = logistic(rows[:, n_evidence:], labels, shares)
            proof._WEIGHTS = CutProof(*values)
            break
        values, corridors._BIAS = logistic(rows[:, :n_evidence], labels, shares)
        corridors._WEIGHTS = CutEvidence(*values)
        corridors._WEIGHTS = corridors._WEIGHTS._replace(slant=min(corridors._WEIGHTS.slant, -0.5))  # it is divided by
    rows, labels, shares = stacked(samples, [found_regions(sample, GutterDetector()) for sample in samples])
    values, regions._BIAS = logistic(rows, labels, shares)
    regions._WEIGHTS = RegionEvidence(*values)


def counts(samples: Sequence[Sample]) -> list[PageCounts]:
    return [count_page([one.box for one in GutterDetector().detect(sample.image)], sample.truth) for sample in samples]


def main() -> None:
    default = Path(os.environ.get("COMIX_DATA", ROOT / ".." / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default, help="folder with pages/ and ground_truth/")
    parser.add_argument("--seed", type=int, default=0, help="of the composed pages")
    parser.add_argument("--pages", type=int, default=120, help="number of composed pages")
    arguments = parser.parse_args()
    if not (arguments.data / "ground_truth").is_dir():
        parser.exit(2, f"not run: data absent, no ground_truth/ under {arguments.data}\n")
    cv2.setNumThreads(1)
    books, side = read_split(SPLIT, "tune"), GutterDetector().working_side
    pages = annotated_pages(arguments.data, books, side)
    made = composed_pages(arguments.data, books, arguments.pages, arguments.seed, side)
    fit([*pages, *made])
    for module in (corridors, proof, regions):
        values: Any = module._WEIGHTS  # type: ignore[attr-defined]
        print(f"{module.__name__}: _WEIGHTS = {type(values).__name__}{tuple(values)}; _BIAS = {module._BIAS}")  # type: ignore[attr-defined]
    for name, chosen in (("annotated", pages), ("composed", made)):
        scores = pool(counts(chosen))
        print(f"{name}: {len(chosen)} pages, F1 {scores.f1:.3f}, page-exact {scores.page_exact:.3f} (fitted on)")


if __name__ == "__main__":
    main()
