"""Measures any panel detector on the annotated pages: per source, all pages, and the two halves of the open pages apart.

    python benchmarks/detect_panels.py detector=ensemble --data ../shared/data --draw /tmp/overlays
    python benchmarks/detect_panels.py detector=faster_rcnn detector.min_score=0.4 --data ../shared/data

Precision, recall and F1 at IoU .5 and .75, AP at IoU .5 (at the detector's own least score, so an underestimate), page-exact;
``ms`` by the clock on one thread and ``cpu`` without the time that other programs took, decoding included in neither.
Rows of the halves are of ``experiments/panels_open/split.yaml``; ``forbidden`` are the pages that nothing may learn from.
The publisher's zoom regions (``epub_haruko_coco.json``) are loose and only measured with ``--files``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from comix.build import instantiate
from comix.core.geometry import Box
from comix.core.page import Detection
from comix.detect.base import Detector
from comix.io.images import read_bgr
from comix.metrics.average_precision import PageBoxes, average_precision
from comix.metrics.detection import PageCounts, count_page, f1_interval, match_boxes, pool
from comix.paths import conf_dir

FILES = ("hand_panels.json", "acbf_anda_coco.json", "openmantra_coco.json")
SPLIT = Path(__file__).resolve().parents[1] / "experiments" / "panels_open" / "split.yaml"
HEADER = f"{'set':26s} {'pages':>5s} {'panels':>6s} {'P@.5':>6s} {'R@.5':>6s} {'F1@.5':>6s} {'95 % interval':>14s} {'F1@.75':>6s} {'AP50':>6s} {'exact':>6s} {'ms':>6s} {'cpu':>6s} {'max':>6s}"  # noqa: E501


@dataclass(frozen=True)
class PageResult:
    """What was measured on one page; times in milliseconds."""

    name: str
    loose: PageCounts
    strict: PageCounts
    scored: list[tuple[float, Box]]
    truth: list[Box]
    detect_ms: float
    cpu_ms: float

    @property
    def source(self) -> str:
        """Folder below ``pages/``."""
        return self.name.partition("/")[0]

    def boxes(self) -> PageBoxes:
        """As COCO AP wants them."""
        found = np.array([box.xywh for _, box in self.scored]).reshape(-1, 4)
        truth = np.array([box.xywh for box in self.truth]).reshape(-1, 4)
        return PageBoxes(found, np.array([score for score, _ in self.scored]), truth)


def measure(detector: Detector, path: Path, name: str, truth: list[Box], draw: Path | None) -> PageResult:
    image = read_bgr(path)
    start, cpu = time.perf_counter(), time.process_time()
    found = [one for one in detector.detect(image, name) if one.category == "panel"]
    cpu, end = time.process_time() - cpu, time.perf_counter()
    boxes = [one.box for one in found]
    result = PageResult(
        name, count_page(boxes, truth, 0.5), count_page(boxes, truth, 0.75), [(one.score, one.box) for one in found], truth,
        (end - start) * 1000, cpu * 1000,
    )  # fmt: skip
    if draw is not None:
        mark = "ok" if result.loose.exact else "bad"
        cv2.imwrite(str(draw / f"{mark}_{name.replace('/', '_')}.png"), overlay(image, found, truth))
    return result


def overlay(image: NDArray[np.uint8], found: Sequence[Detection], truth: Sequence[Box]) -> NDArray[np.uint8]:
    """The page at most 1000 pixels high: truth in green, detections with their score in red, polygons in blue."""
    scale = min(1.0, 1000 / image.shape[0])
    canvas: Any = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for box in truth:
        left, top, right, bottom = (round(value * scale) for value in box.xyxy)
        cv2.rectangle(canvas, (left, top), (right, bottom), (0, 200, 0), 5)
    for detection in found:
        left, top, right, bottom = (round(value * scale) for value in detection.box.xyxy)
        cv2.rectangle(canvas, (left, top), (right, bottom), (0, 0, 255), 2)
        cv2.putText(canvas, f"{detection.score:.2f}", (left + 6, top + 22), 0, 0.7, (0, 0, 255), 2)
        if detection.polygon:
            points = np.array([[(round(x * scale), round(y * scale)) for x, y in detection.polygon]], np.int32)
            cv2.polylines(canvas, points, True, (255, 80, 0), 2)
    return np.asarray(canvas, np.uint8)


def row(name: str, pages: Sequence[PageResult]) -> str:
    loose, strict = pool([page.loose for page in pages]), pool([page.strict for page in pages])
    low, high = f1_interval([page.loose for page in pages])
    ap50 = (average_precision([page.boxes() for page in pages]) or (float("nan"),))[0]
    times = [page.detect_ms for page in pages]
    return (
        f"{name:26s} {len(pages):5d} {sum(page.loose.n_truth for page in pages):6d} {loose.precision:6.3f} {loose.recall:6.3f} "
        f"{loose.f1:6.3f} {f'{low:.3f}-{high:.3f}':>14s} {strict.f1:6.3f} {ap50:6.3f} {loose.page_exact:6.3f} "
        f"{sum(times) / len(times):6.1f} {sum(page.cpu_ms for page in pages) / len(pages):6.1f} {max(times):6.1f}"
    )


def run_file(detector: Detector, data: Path, name: str, draw: Path | None) -> list[PageResult]:
    content = json.loads((data / "ground_truth" / name).read_text(encoding="utf-8"))
    truth: dict[int, list[Box]] = defaultdict(list)
    for annotation in content["annotations"]:
        if annotation["category_id"] == 1:
            truth[annotation["image_id"]].append(Box.from_xywh(annotation["bbox"]))
    return [
        measure(detector, data / "pages" / image["file_name"], image["file_name"], truth[image["id"]], draw)
        for image in content["images"]
    ]


def detector_of(words: Sequence[str]) -> Detector:
    """The detector of ``detector=NAME`` with changes ``detector.key=value``, from ``conf/detector``."""
    name, changes = "gutter", {}
    for word in words:
        key, _, value = word.partition("=")
        if key == "detector":
            name = value
        else:
            changes[key.removeprefix("detector.")] = yaml.safe_load(value)
    settings = yaml.safe_load((conf_dir() / "detector" / f"{name}.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        *parents, last = key.split(".")
        place = settings
        for parent in parents:
            place = place[parent]
        place[last] = value
    built: Detector = instantiate(settings)
    return built


def rows(pages: Sequence[PageResult]) -> list[str]:
    """The table: each source, then the halves, then all."""
    split = yaml.safe_load(SPLIT.read_text(encoding="utf-8"))
    halves = {half: [page for page in pages if page.name.startswith(tuple(split[half]))] for half in ("tune", "held_out")}
    halves["forbidden"] = [page for page in pages if page.source.startswith("nc_")]
    halves["held_out + forbidden"] = halves["held_out"] + halves["forbidden"]
    out = [
        row(f"  {source}", [page for page in pages if page.source == source]) for source in sorted({p.source for p in pages})
    ]
    out += [row(half, members) for half, members in halves.items() if members]
    empty = [page for page in pages if not page.truth]
    return [
        *out,
        row("all", pages),
        f"pages without panels: {sum(page.loose.exact for page in empty)} of {len(empty)} left empty",
        "boxes by score; each cell: number, mean score, share that are panels (IoU .5)",
        *(reliability(half, members) for half, members in halves.items() if members),
    ]


def reliability(name: str, pages: Sequence[PageResult]) -> str:
    """How often a box of some score is a panel, and the mean distance between the two (expected calibration error)."""
    scored: list[tuple[float, bool]] = []
    for page in pages:
        right = {match.detected for match in match_boxes([box for _, box in page.scored], page.truth, 0.5)}
        scored += [(score, index in right) for index, (score, _) in enumerate(page.scored)]
    cells, gap = [], 0.0
    for low, high in pairwise((0.0, 0.6, 0.7, 0.8, 0.9, 0.95, 1.01)):
        chosen = [item for item in scored if low <= item[0] < high]
        if chosen:
            mean, right_share = (sum(item[k] for item in chosen) / len(chosen) for k in (0, 1))
            cells.append(f"{len(chosen):3d} {mean:.2f} {right_share:.2f}")
            gap += abs(mean - right_share) * len(chosen) / len(scored)
    return f"{name:26s} {' | '.join(cells)} | error {gap:.3f}"


def main() -> None:
    default = Path(os.environ.get("COMIX_DATA", Path(__file__).resolve().parents[1] / ".." / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="detector=NAME and detector.key=value, as for comix detect")
    parser.add_argument("--data", type=Path, default=default, help="folder with pages/ and ground_truth/")
    parser.add_argument("--draw", type=Path, help="folder for overlays of all pages")
    parser.add_argument("--files", nargs="+", default=list(FILES), help="ground-truth files to measure")
    arguments = parser.parse_args()
    if not (arguments.data / "ground_truth").is_dir():
        parser.exit(2, f"not run: data absent, no ground_truth/ under {arguments.data}\n")
    if arguments.draw is not None:
        arguments.draw.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    detector = detector_of(arguments.words)
    detector.detect(np.full((400, 300, 3), 255, np.uint8))  # the first call pays for loading
    pages = [page for name in arguments.files for page in run_file(detector, arguments.data, name, arguments.draw)]
    print(f"{detector.name} {detector.version[:12]}\n{HEADER}", *rows(pages), sep="\n")


if __name__ == "__main__":
    main()
