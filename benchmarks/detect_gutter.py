"""Measures GutterDetector on the annotated pages: precision, recall, F1 at IoU .5 and .75, page-exact, time per page.

    python benchmarks/detect_gutter.py --data ../shared/data --draw /tmp/overlays

Every page of a ground-truth file counts, also those without panels. Times are on one core, decoding apart: ``ms`` by
the clock, ``cpu`` without the time other programs took.
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
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box
from comix.core.page import Detection
from comix.detect.gutter import GutterDetector
from comix.io.images import read_bgr
from comix.metrics.detection import PageCounts, count_page, f1_interval, pool

FILES = ("hand_panels.json", "acbf_anda_coco.json", "openmantra_coco.json")
HEADER = f"{'set':34s} {'pages':>5s} {'P@.5':>6s} {'R@.5':>6s} {'F1@.5':>6s} {'95 % interval':>14s} {'P@.75':>6s} {'R@.75':>6s} {'F1@.75':>6s} {'exact':>6s} {'ms':>6s} {'cpu':>6s} {'max':>6s} {'decode':>7s}"  # noqa: E501


@dataclass(frozen=True)
class PageResult:
    """What was measured on one page; times in milliseconds."""

    source: str
    loose: PageCounts
    strict: PageCounts
    detect_ms: float
    cpu_ms: float
    decode_ms: float


def measure(detector: GutterDetector, path: Path, truth: Sequence[Box], draw: Path | None) -> PageResult:
    start = time.perf_counter()
    image = read_bgr(path)
    decoded = time.perf_counter()
    cpu = time.process_time()
    found = detector.detect(image, path.stem)
    cpu = time.process_time() - cpu
    end = time.perf_counter()
    boxes = [detection.box for detection in found]
    result = PageResult(
        source=path.parent.name,
        loose=count_page(boxes, truth, 0.5),
        strict=count_page(boxes, truth, 0.75),
        detect_ms=(end - decoded) * 1000,
        cpu_ms=cpu * 1000,
        decode_ms=(decoded - start) * 1000,
    )
    if draw is not None:
        mark = "ok" if result.loose.exact else "bad"
        cv2.imwrite(str(draw / f"{mark}_{path.parent.name}_{path.stem}.png"), overlay(image, found, truth))
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
    times = [page.detect_ms for page in pages]
    return (
        f"{name:34s} {len(pages):5d} {loose.precision:6.3f} {loose.recall:6.3f} {loose.f1:6.3f} "
        f"{f'{low:.3f}-{high:.3f}':>14s} {strict.precision:6.3f} {strict.recall:6.3f} {strict.f1:6.3f} "
        f"{loose.page_exact:6.3f} {sum(times) / len(times):6.1f} "
        f"{sum(page.cpu_ms for page in pages) / len(pages):6.1f} {max(times):6.1f} "
        f"{sum(page.decode_ms for page in pages) / len(pages):7.1f}"
    )


def run_file(detector: GutterDetector, data: Path, name: str, draw: Path | None) -> list[PageResult]:
    content = json.loads((data / "ground_truth" / name).read_text(encoding="utf-8"))
    truth: dict[int, list[Box]] = defaultdict(list)
    for annotation in content["annotations"]:
        if annotation["category_id"] == 1:
            truth[annotation["image_id"]].append(Box.from_xywh(annotation["bbox"]))
    return [measure(detector, data / "pages" / image["file_name"], truth[image["id"]], draw) for image in content["images"]]


def main() -> None:
    default = Path(os.environ.get("COMIX_DATA", Path(__file__).resolve().parents[1] / ".." / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default, help="folder with pages/ and ground_truth/")
    parser.add_argument("--draw", type=Path, help="folder for overlays of all pages")
    parser.add_argument("--files", nargs="+", default=list(FILES), help="ground-truth files to measure")
    arguments = parser.parse_args()
    if not (arguments.data / "ground_truth").is_dir():
        parser.exit(2, f"not run: data absent, no ground_truth/ under {arguments.data}\n")
    if arguments.draw is not None:
        arguments.draw.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    detector = GutterDetector()
    detector.detect(np.full((400, 300, 3), 255, np.uint8))  # first call pays for OpenCV's set-up
    print(HEADER)
    everything: list[PageResult] = []
    for name in arguments.files:
        pages = run_file(detector, arguments.data, name, arguments.draw)
        everything += pages
        print(row(name, pages))
        for source in sorted({page.source for page in pages}):
            print(row(f"  {source}", [page for page in pages if page.source == source]))
    print(row("all", everything))


if __name__ == "__main__":
    main()
