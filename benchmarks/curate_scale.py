"""Curates a synthetic library of 336,881 pages and prints time and peak memory of each run.

    python benchmarks/curate_scale.py --pages 336881 --folder /tmp/curate_scale

Page table, detections (three panels a page) and alignment table are written with random content; there are no images, so
hashes are grouped but no pixels compared (``near_duplicates.py`` measures that). The second run finds all finished.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from comix.align.stage import COLUMNS
from comix.core.page import PageRecord

PER_BOOK = 24


def write_library(root: Path, n: int) -> None:
    random = np.random.default_rng(0)
    (root / "detections" / "gutter").mkdir(parents=True, exist_ok=True)
    (root / "alignment").mkdir(exist_ok=True)
    books = [f"Series {at // PER_BOOK // 20}/Book {at // PER_BOOK:05d}" for at in range(n)]
    numbers = [at % PER_BOOK + 1 for at in range(n)]
    ids = [f"{book}/{number:04d}" for book, number in zip(books, numbers, strict=True)]
    columns: dict[str, object] = {name: [""] * n for name in PageRecord.columns()}
    shas = [f"{at:064x}" for at in np.where(random.random(n) < 0.02, np.arange(n) // 2, np.arange(n) + n)]
    columns |= {"page_id": ids, "book_id": books, "page_num": numbers, "sha256": shas, "width": [1200] * n}
    columns |= {"height": [1800] * n, "phash": [f"{one:016x}" for one in random.integers(0, 2**64, n, dtype=np.uint64)]}
    columns |= {"image_path": [f"pages/{one}.jpg" for one in ids], "container": [f"{book}.cbz" for book in books]}
    pq.write_table(pa.table(columns), root / "pages.parquet")
    aligned = {name: [value] * n for name, value in COLUMNS.items()}
    aligned |= {"page_id": ids, "book_id": books, "image_path": columns["image_path"], "has_vlm_data": [True] * n}  # type: ignore[dict-item]
    aligned |= {"n_all_words": random.integers(0, 200, n).tolist(), "quality_score": random.integers(0, 5, n).tolist()}
    aligned |= {"dataspec_path": [f"dataspec/{one}.json" for one in ids], "is_candidate": [True] * n}
    pq.write_table(pa.table(aligned), root / "alignment" / "alignment.parquet")
    with (root / "detections" / "gutter" / "predictions.json").open("w", encoding="utf-8") as stream:
        stream.write('{"info":{},"categories":[{"id":1,"name":"panel"}],"images":[')
        for at, one in enumerate(ids):
            image = {"id": at + 1, "file_name": one, "width": 1200, "height": 1800, "page_id": one, "order_margin": 1.0}
            stream.write(("," if at else "") + json.dumps(image))
        stream.write('],"annotations":[')
        for at in range(n):
            for rank in range(3):
                box = {"bbox": [50, 50 + 580 * rank, 1100, 550], "area": 605000, "score": 0.9, "order": rank}
                entry = {"id": 3 * at + rank + 1, "image_id": at + 1, "category_id": 1, "iscrowd": 0, "segmentation": [], **box}
                stream.write(("," if at or rank else "") + json.dumps(entry))
        stream.write("]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=336_881)
    parser.add_argument("--folder", type=Path, required=True, help="gets the synthetic workspace")
    parser.add_argument("--near", action="store_true", help="also group the hashes (their images are absent: groups fail)")
    arguments = parser.parse_args()
    if not (arguments.folder / "pages.parquet").is_file():
        write_library(arguments.folder, arguments.pages)
    words = ["curate", f"workspace={arguments.folder}", f"near={str(arguments.near).lower()}"]
    for run in ("first", "again"):
        process = subprocess.Popen([sys.executable, "-m", "comix", *words], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        said = process.stdout.read().strip()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = usage.ru_utime + usage.ru_stime
        code, peak = os.waitstatus_to_exitcode(status), usage.ru_maxrss / 2**20
        print(f"{run}: exit {code}, {seconds:.1f} s of processor time, peak {peak:.2f} GiB")
        print(f"  {said}")


if __name__ == "__main__":
    main()
