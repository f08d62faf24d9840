"""Extraction against ``unzip -q`` on the same CBZs, in turn; rates in MB/s and their ratios, medians of several rounds.

    python benchmarks/extract_speed.py --data DATA [--megabytes 600] [--books 4] [--rounds 3] [--workers 2]

The CBZs hold the JPEGs below DATA (a folder of pages), stored, over and over. Every run of CoMix makes a fresh workspace with
page table and sha256; ``check=header`` reads the sizes only, ``check=decode`` (the default) also decodes every page and
hashes what it looks like. What starting the worker processes takes is stated apart: it is paid once, not per book.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from comix.cli import main as comix

MODES = {
    "extract check=header": ("check=header",),
    "extract (check=decode)": (),
    "extract mode=inplace check=header": ("mode=inplace", "check=header"),
    "extract mode=inplace": ("mode=inplace",),
}


def make_library(folder: Path, data: Path, megabytes: int, books: int) -> tuple[int, int]:
    """CBZs of stored JPEGs; pages and bytes in them."""
    images = [path.read_bytes() for path in sorted(data.rglob("*.jp*g"))]
    n_pages = n_bytes = 0
    folder.mkdir()
    for book in range(books):
        with zipfile.ZipFile(folder / f"book {book}.cbz", "w") as archive:
            size = 0
            while size < megabytes * 1_000_000 // books:
                image = images[n_pages % len(images)]
                n_pages, size = n_pages + 1, size + len(image)
                archive.writestr(f"page {n_pages:05d}.jpg", image)
        n_bytes += size
    return n_pages, n_bytes


def timed(work: Callable[[], object], target: Path) -> float:
    shutil.rmtree(target, ignore_errors=True)
    os.sync()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def unzip(library: Path, target: Path) -> None:
    target.mkdir()
    for number, path in enumerate(sorted(library.iterdir())):
        subprocess.run(["unzip", "-q", path, "-d", target / str(number)], check=True)


def extract(library: Path, target: Path, workers: int, words: tuple[str, ...]) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = comix(["extract", f"library={library}", f"workspace={target}", f"workers={workers}", *words])
    if code:
        raise SystemExit(f"extract ended with {code}")


def run() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--megabytes", type=int, default=600)
    parser.add_argument("--books", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        n_pages, n_bytes = make_library(root / "library", arguments.data, arguments.megabytes, arguments.books)
        one = root / "one"
        one.mkdir()
        with zipfile.ZipFile(one / "one.cbz", "w") as archive:
            archive.writestr("1.jpg", next(arguments.data.rglob("*.jpg")).read_bytes())
        target = root / "out"
        seconds: dict[str, list[float]] = {}
        for _ in range(arguments.rounds):
            seconds.setdefault("unzip -q", []).append(timed(lambda: unzip(root / "library", target), target))
            begin = timed(lambda: extract(one, target, arguments.workers, ()), target)
            seconds.setdefault("starting (one page)", []).append(begin)
            for label, words in MODES.items():
                spent = timed(lambda words=words: extract(root / "library", target, arguments.workers, words), target)
                seconds.setdefault(label, []).append(spent)
        report({key: statistics.median(values) for key, values in seconds.items()}, n_pages, n_bytes, arguments.workers)


def report(medians: dict[str, float], n_pages: int, n_bytes: int, workers: int) -> None:
    print(f"{n_pages} pages, {n_bytes / 1e6:.0f} MB, {workers} workers; medians")
    begin, other = medians.pop("starting (one page)"), medians["unzip -q"]
    print(f"  {'starting (one page)':36s} {begin:7.2f} s")
    for label, spent in medians.items():
        line = f"  {label:36s} {spent:7.2f} s {n_bytes / spent / 1e6:8.0f} MB/s {other / spent:6.2f} x unzip"
        if label != "unzip -q":
            net = max(spent - begin, 1e-9)
            line += f"   without starting {n_bytes / net / 1e6:8.0f} MB/s {other / net:6.2f} x"
        print(line)


if __name__ == "__main__":
    run()
