"""How fast pages are composed, on one core: processor time per page by layout family, with and without decoding.

    python benchmarks/compose_pages.py --data ../shared/data --pages 300

Drawings: the open half `tune` of experiments/panels_open. Beside it, as a reference of the machine, the time to decode and to
encode one JPEG of 700 x 1000 pixels.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from comix.io.images import decode_bgr
from comix.synth.factory import Factory
from comix.synth.pack import open_pack, packed_art
from comix.synth.settings import frozen_settings
from comix.synth.source import ArtSource

OPEN = Path(__file__).parents[1] / "experiments" / "panels_open"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with pages/")
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--long-side", type=int, default=1000)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        source = ArtSource(OPEN / "art.json", arguments.data / "pages")
        started = time.process_time()
        pack = packed_art(source, arguments.long_side, Path(folder))
        print(f"drawings packed in {time.process_time() - started:.1f} s")
        started = time.process_time()
        factory = Factory(frozen_settings(), open_pack(pack), 0, arguments.long_side)
        factory.page(0)
        print(f"pack opened, first page after {time.process_time() - started:.2f} s")
        report(factory, arguments.pages)


def report(factory: Factory, n_pages: int) -> None:
    spent: dict[str, list[float]] = defaultdict(list)
    jpegs = []
    for index in range(n_pages):
        started = time.process_time()
        page = factory.page(index)
        spent[page.family].append(time.process_time() - started)
        jpegs.append(page.jpeg)
    started = time.process_time()
    for jpeg in jpegs:
        decode_bgr(jpeg)
    decoding = (time.process_time() - started) / n_pages
    everything = [one for times in spent.values() for one in times]
    print(f"{n_pages} pages: {np.mean(everything) * 1e3:.1f} ms a page (JPEG encoded), {decoding * 1e3:.1f} ms to decode it")
    for family, times in sorted(spent.items()):
        print(f"  {family:<11} {len(times):>4} pages {np.mean(times) * 1e3:6.1f} ms, slowest {np.max(times) * 1e3:6.1f}")
    print(f"reference: {reference() * 1e3:.1f} ms to encode a noisy page of 700 x 1000; load {os.getloadavg()[0]:.1f}")


def reference() -> float:
    page = np.random.default_rng(0).integers(0, 256, (1000, 700, 3), np.uint8)
    started = time.process_time()
    for _ in range(20):
        cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return (time.process_time() - started) / 20


if __name__ == "__main__":
    main()
