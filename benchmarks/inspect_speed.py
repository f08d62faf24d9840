"""What it costs to check, measure and hash a page, against decoding it: pages/s of one core, in turn, medians of rounds.

    python benchmarks/inspect_speed.py --data DATA [--pages 60] [--rounds 5]

The yardstick is a full-size grey decode of the same JPEGs by OpenCV and by Pillow. `inspect_image` gives format, upright
size, proof that all of the page decodes, and the perceptual hash; with sha256 (and md5) that is what `comix extract` does
with every page. ``imagehash as written`` is ``imagehash.phash(Image.open(file))``.
Also states how far the hash moves when a page is scaled or compressed again, and how far apart different pages are.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import imagehash
import numpy as np
from PIL import Image

from comix.io.images import inspect_image


def grey_opencv(data: bytes) -> object:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)


def grey_pillow(data: bytes) -> object:
    with Image.open(io.BytesIO(data)) as image:
        image.draft("L", image.size)
        return image.load()


def with_sha256(data: bytes) -> object:
    return inspect_image(data), hashlib.sha256(data).hexdigest()


def with_both(data: bytes) -> object:
    return with_sha256(data), hashlib.md5(data, usedforsecurity=False).hexdigest()


def header(data: bytes) -> object:
    return inspect_image(data, decode=False), hashlib.sha256(data).hexdigest()


def as_written(data: bytes) -> object:
    return imagehash.phash(Image.open(io.BytesIO(data)))


WAYS: dict[str, Callable[[bytes], object]] = {
    "grey decode, OpenCV": grey_opencv,
    "grey decode, Pillow": grey_pillow,
    "size + check + pHash": inspect_image,
    "size + check + pHash + sha256": with_sha256,
    "size + check + pHash + sha256 + md5": with_both,
    "size from the header + sha256": header,
    "imagehash as written": as_written,
}


def rates(pages: list[bytes], rounds: int) -> dict[str, float]:
    """Pages per second of processor time."""
    spent: dict[str, list[float]] = {name: [] for name in WAYS}
    for name, way in itertools.chain.from_iterable([WAYS.items()] * rounds):
        started = time.process_time()
        for data in pages:
            way(data)
        spent[name].append((time.process_time() - started) / len(pages))
    return {name: 1 / statistics.median(values) for name, values in spent.items()}


def distance(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def changed(data: bytes) -> list[bytes]:
    """The page at other sizes and qualities."""
    found = []
    with Image.open(io.BytesIO(data)) as image:
        colour = image.convert("RGB")
    for scale, quality in ((0.35, 90), (0.6, 90), (1.0, 40), (1.5, 85)):
        sink = io.BytesIO()
        size = (max(int(colour.width * scale), 1), max(int(colour.height * scale), 1))
        colour.resize(size, Image.Resampling.LANCZOS).save(sink, "JPEG", quality=quality)
        found.append(sink.getvalue())
    return found


def run() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted(arguments.data.rglob("*.jp*g"))
    pages = [path.read_bytes() for path in paths[:: max(len(paths) // arguments.pages, 1)][: arguments.pages]]
    found = rates(pages, arguments.rounds)
    yardstick = max(found["grey decode, OpenCV"], found["grey decode, Pillow"])
    print(f"{len(pages)} JPEGs, {sum(map(len, pages)) / len(pages) / 1000:.0f} kB each on average; one core")
    for name, rate in found.items():
        print(f"  {name:36s} {rate:8.0f} pages/s {rate / yardstick:6.2f} x the faster decoder")
    hashes = [inspect_image(data).phash for data in pages]
    same = sorted(
        distance(hashed, inspect_image(one).phash) for hashed, data in zip(hashes, pages, strict=True) for one in changed(data)
    )
    apart = sorted(distance(a, b) for a, b in itertools.combinations(hashes, 2))
    print("bits of 64 that differ:")
    most = f"95 % {same[int(0.95 * len(same))]}, most {same[-1]}"
    print(f"  same page, 0.35 to 1.5 times the size: median {same[len(same) // 2]}, {most}")
    print(f"  different pages: least {apart[0]}, median {apart[len(apart) // 2]}")


if __name__ == "__main__":
    run()
