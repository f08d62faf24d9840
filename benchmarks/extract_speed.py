"""Extraction against ``unzip -q`` on the same CBZs, in turn; rates in MB/s and their ratios, medians of several rounds.

    python benchmarks/extract_speed.py --data DATA [--megabytes 600] [--books 4] [--rounds 3] [--workers 2]

The CBZs hold the JPEGs below DATA (a folder of pages), stored, over and over. Every run of CoMix makes a fresh workspace with
page table and sha256; ``check=header`` reads the sizes only, ``check=decode`` (the default) also decodes every page and
hashes what it looks like. What starting the worker processes takes is stated apart: it is paid once, not per book.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
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


def timed(work: Callable[[], object], target: Path) -> tuple[float, float]:
    """Seconds on the clock and of processors, those of child processes included."""
    shutil.rmtree(target, ignore_errors=True)
    os.sync()
    started, before = time.perf_counter(), sum(os.times()[:4])
    work()
    return time.perf_counter() - started, sum(os.times()[:4]) - before


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
        seconds: dict[str, list[tuple[float, float]]] = {}
        for _ in range(arguments.rounds):
            seconds.setdefault("unzip -q", []).append(timed(lambda: unzip(root / "library", target), target))
            begin = timed(lambda: extract(one, target, arguments.workers, ()), target)
            seconds.setdefault("starting (one page)", []).append(begin)
            for label, words in MODES.items():
                spent = timed(lambda words=words: extract(root / "library", target, arguments.workers, words), target)
                seconds.setdefault(label, []).append(spent)
        print(f"{n_pages} pages, {n_bytes / 1e6:.0f} MB, {arguments.workers} workers; medians of {arguments.rounds}")
        print(f"sha256 alone, one core: {sha256_rate():.0f} MB/s of processor time")
        for place, title in enumerate(("on the clock", "of processor time, all processes together")):
            medians = {key: statistics.median(value[place] for value in values) for key, values in seconds.items()}
            report(title, medians, n_bytes)


def sha256_rate() -> float:
    data, started = bytes(64_000_000), time.process_time()
    hashlib.sha256(data).hexdigest()
    return 64 / (time.process_time() - started)


def report(title: str, medians: dict[str, float], n_bytes: int) -> None:
    begin, other = medians.pop("starting (one page)"), medians["unzip -q"]
    print(f"seconds {title}; starting (one page): {begin:.2f} s")
    for label, spent in medians.items():
        line = f"  {label:36s} {spent:7.2f} s {n_bytes / spent / 1e6:6.0f} MB/s {other / spent:5.2f} x unzip"
        if label != "unzip -q":
            net = spent - begin
            rate = f"{n_bytes / net / 1e6:6.0f} MB/s {other / net:5.2f} x" if net > begin / 2 else "too short to tell"
            line += f"; without starting {rate}"
        print(line)


if __name__ == "__main__":
    run()
