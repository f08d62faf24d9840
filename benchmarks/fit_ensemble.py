"""Fits the model that fuses gutters and network (`comix.detect.fuse`): logistic regression on every box that either finds.

    python benchmarks/fit_ensemble.py --pages W/synth/val --data ../shared/data

Pages: composed ones that the network was not trained on, and the ``tune`` half of the labelled open pages, which counts
``--real`` times as much. A box is right with IoU .75 to a true one, half right with .5. The network knows both kinds of
pages too well, so its word would count for too much: the weights are drawn towards ``PRIOR``, set by hand, as strongly as
``--pull`` says. Prints the weights for ``FITTED``.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import yaml
from scipy.optimize import minimize
from scipy.special import expit

from comix.core.geometry import Box
from comix.detect.fuse import BoxEvidence, FusionModel, candidates_of, fuse
from comix.detect.gutter import GutterDetector
from comix.detect.rcnn.detector import FasterRcnnDetector
from comix.io.images import read_bgr
from comix.metrics.detection import count_page, pool

PRIOR = FusionModel(BoxEvidence(0.2, 1.3, 0.9, 1.66, 1.33, 1.3, 2.0, -0.8, -0.4, -1.0, 0.0, 0.0, -0.5), -4.66)
SPLIT = Path(__file__).resolve().parents[1] / "experiments" / "panels_open" / "split.yaml"


def labelled(coco: Path, images: Path, prefixes: tuple[str, ...] = ("",)) -> Iterator[tuple[Path, list[Box]]]:
    content = json.loads(coco.read_text(encoding="utf-8"))
    truth: dict[int, list[Box]] = defaultdict(list)
    for annotation in content["annotations"]:
        if annotation["category_id"] == 1:
            truth[annotation["image_id"]].append(Box.from_xywh(annotation["bbox"]))
    for image in content["images"]:
        if image["file_name"].startswith(prefixes):
            yield images / image["file_name"], truth[image["id"]]


def main() -> None:
    default = Path(os.environ.get("COMIX_DATA", Path(__file__).resolve().parents[1] / ".." / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default, help="folder with pages/ and ground_truth/")
    parser.add_argument("--pages", type=Path, required=True, help="folder of comix synth: predictions.json and images/")
    parser.add_argument("--weights", default="", help="of the network; those that ship by default")
    parser.add_argument("--real", type=float, default=2.0, help="how many composed pages a real one counts for")
    parser.add_argument("--pull", type=float, default=50.0, help="how strongly weights are drawn to those set by hand")
    parser.add_argument("--limit", type=int, default=300, help="composed pages")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    config = yaml.safe_load((SPLIT.parents[2] / "conf" / "detector" / "ensemble.yaml").read_text(encoding="utf-8"))
    gutter = GutterDetector(**config["gutter"])
    learned = FasterRcnnDetector(**{**config["learned"], "weights": arguments.weights})
    tune = tuple(yaml.safe_load(SPLIT.read_text(encoding="utf-8"))["tune"])
    composed = list(labelled(arguments.pages / "predictions.json", arguments.pages))[: arguments.limit]
    real = list(labelled(arguments.data / "ground_truth" / "hand_panels.json", arguments.data / "pages", tune))
    rows, targets, weights, pages = [], [], [], []
    for path, truth in composed + real:
        image = read_bgr(path)
        height, width = image.shape[:2]
        found = gutter.detect(image), [one for one in learned.detect(image) if one.category == "panel"]
        is_real = path.is_relative_to(arguments.data)
        pages.append((is_real, *found, width, height, truth))
        for one, evidence in candidates_of(*found, width, height):
            best = max((one.box.iou(true) for true in truth), default=0.0)
            rows.append(evidence)
            targets.append(1.0 if best >= 0.75 else 0.5 if best >= 0.5 else 0.0)
            weights.append(arguments.real if is_real else 1.0)
    x, y, w = np.array(rows), np.array(targets), np.array(weights)

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        logit = x @ theta[:-1] + theta[-1]
        away = w * (expit(logit) - y)
        moved = theta - start
        value = (w * (np.logaddexp(0, logit) - y * logit)).sum() + 0.5 * arguments.pull * (moved**2).sum()
        return value, np.append(x.T @ away, away.sum()) + arguments.pull * moved

    start = np.array([*PRIOR.weights, PRIOR.bias])
    theta = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x
    model = FusionModel(BoxEvidence(*(round(float(value), 2) for value in theta[:-1])), round(float(theta[-1]), 2))
    print(f"{len(y)} boxes on {len(composed)} composed and {len(real)} real pages\n{model}")
    for threshold in (0.3, 0.4, 0.5, 0.6):
        for name, chosen in (("composed", False), ("real", True)):
            found_boxes = [
                ([one.box for one in fuse(*page[1:5], threshold, model)], page[5]) for page in pages if page[0] == chosen
            ]
            loose = pool([count_page(boxes, truth, 0.5) for boxes, truth in found_boxes])
            strict = pool([count_page(boxes, truth, 0.75) for boxes, truth in found_boxes])
            print(f"min_score {threshold} {name:9s} F1@.5 {loose.f1:.3f} F1@.75 {strict.f1:.3f} exact {loose.page_exact:.3f}")


if __name__ == "__main__":
    main()
