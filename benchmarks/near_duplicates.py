"""Measures near-duplicate grouping: speed and exactness on synthetic hashes, recall and precision on real pages.

    python benchmarks/near_duplicates.py                       # 336,881 hashes, and 5,000 against brute force
    python benchmarks/near_duplicates.py --pages ../shared/data/pages

Hashes: random background with planted copies at 0 to RADIUS bits. Pages: seven altered copies of every page (see
``ALTERED``) are grouped with the originals by hash and pixels, as `comix curate` does. A pair is right when both come
from one page; pages that show the same thing in the data itself (a second resolution, a translation) are listed in
``ALSO_SAME`` and counted apart. Times are wall clock and processor time of this process.
"""

from __future__ import annotations

import argparse
import io
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from comix.curate.candidates import RADIUS, as_hashes, candidate_groups, close_pairs
from comix.curate.confirm import LEAST_CONTRAST, Thumb, same_pages, thumb_of
from comix.io.images import decode_bgr, inspect_image

LIBRARY, SAMPLE = 336_881, 5_000
ALTERED = ("jpeg q50", "70 % size", "2 % crop", "side crop", "colour shift", "grey", "rescan")
ALSO_SAME = (
    (re.compile(r"lowres_(e02_en)_p0(\d\d)"), r"\1_p\2"),  # the same pages at another resolution
    (re.compile(r"_(de|en)$"), ""),  # the same strip in two languages
)


def planted(n: int, seed: int, radius: int) -> NDArray[np.uint64]:
    """Hashes of which a fifth are copies of earlier ones, 0 to ``radius`` bits apart."""
    random = np.random.default_rng(seed)
    hashes = random.integers(0, 2**64, n, dtype=np.uint64)
    for at in range(n // 5):
        flips = random.choice(64, int(random.integers(0, radius + 1)), replace=False)
        change = np.bitwise_or.reduce(np.uint64(1) << flips.astype(np.uint64), initial=np.uint64(0))
        hashes[n - 1 - at] = hashes[int(random.integers(0, n - n // 5))] ^ change
    return hashes


def brute_pairs(hashes: NDArray[np.uint64], radius: int) -> set[tuple[int, int]]:
    """All pairs, one row of distances at a time."""
    pairs = set()
    for at, one in enumerate(hashes):
        near = np.flatnonzero(np.bitwise_count(hashes[at + 1 :] ^ one) <= radius)
        pairs |= {(at, at + 1 + int(other)) for other in near}
    return pairs


def brute_groups(n: int, pairs: set[tuple[int, int]]) -> list[list[int]]:
    """Connected groups by repeated merging."""
    label = list(range(n))

    def root(at: int) -> int:
        while label[at] != at:
            at = label[at]
        return at

    for one, other in pairs:
        label[max(root(one), root(other))] = min(root(one), root(other))
    groups: dict[int, list[int]] = defaultdict(list)
    for at in range(n):
        groups[root(at)].append(at)
    return sorted(group for group in groups.values() if len(group) > 1)


def time_hashes(n: int, radius: int) -> None:
    hashes = planted(n, 0, radius)
    clock, cpu = time.perf_counter(), time.process_time()
    groups = candidate_groups(hashes, radius)
    print(
        f"{n:,} hashes, radius {radius}: {len(groups):,} groups of {sum(map(len, groups)):,} pages in "
        f"{time.perf_counter() - clock:.1f} s ({time.process_time() - cpu:.1f} s of processor time)"
    )
    sample = planted(SAMPLE, 1, radius)
    pairs = brute_pairs(sample, radius)
    same_pairs = {(int(one), int(other)) for one, other in close_pairs(sample, radius)} == pairs
    same_groups = [group.tolist() for group in candidate_groups(sample, radius)] == brute_groups(SAMPLE, pairs)
    print(f"{SAMPLE:,} against brute force: pairs equal {same_pairs} ({len(pairs):,}), groups equal {same_groups}")


# --- pages -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Copy:
    """A page as stored once: ``how`` it was altered, "" for the original."""

    page: str
    how: str
    phash: str
    thumb: Thumb
    shape: tuple[int, int]


def encoded(image: Image.Image, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def altered(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    """The page and its copies; pages above 2,000 pixels are scaled to that first."""
    image.thumbnail((2000, 2000))
    wide, high = image.size
    x, y = round(0.02 * wide), round(0.02 * high)
    yield "", encoded(image, 95)
    yield ALTERED[0], encoded(image, 50)
    yield ALTERED[1], encoded(image.resize((max(1, wide * 7 // 10), max(1, high * 7 // 10)), Image.Resampling.LANCZOS))
    yield ALTERED[2], encoded(image.crop((x, y, wide - x, high - y)))
    yield ALTERED[3], encoded(image.crop((x, 0, wide, high - y)))
    pixels = np.asarray(image).astype(np.float32) * np.array([1.08, 1.0, 0.88]) + np.array([6, 0, -8])
    yield ALTERED[4], encoded(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))
    yield ALTERED[5], encoded(image.convert("L"))
    grey = 255 * (np.asarray(image.convert("L")).astype(np.float32) / 255) ** 1.3 * 0.93 + 5
    turned = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).rotate(0.5, Image.Resampling.BICUBIC, fillcolor=240)
    yield ALTERED[6], encoded(turned, 75)


def copies_of(path: Path) -> list[Copy]:
    found = []
    for how, data in altered(Image.open(path).convert("RGB")):
        facts = inspect_image(data)
        shape = (facts.width, facts.height)
        found.append(Copy(f"{path.parent.name}/{path.stem}", how, facts.phash, thumb_of(decode_bgr(data)), shape))
    return found


def same_thing(page: str) -> str:
    for pattern, plain in ALSO_SAME:
        page = pattern.sub(plain, page)
    return page


def grouped(copies: list[Copy], radius: int) -> tuple[list[list[int]], int]:
    """Confirmed groups of positions, and how many pages were candidates."""
    hashes, tells = as_hashes([copy.phash for copy in copies])
    chosen = np.flatnonzero(tells)
    groups, n = [], 0
    for group in candidate_groups(hashes[chosen], radius):
        told = [int(at) for at in chosen[group] if copies[int(at)].thumb.std() >= LEAST_CONTRAST]
        n += len(told)
        found = same_pages([copies[at].thumb for at in told], [copies[at].shape for at in told])
        groups += [[told[at] for at in one] for one in found if len(one) > 1]
    return groups, n


def judge(copies: list[Copy], radius: int) -> None:
    clock = time.perf_counter()
    groups, n = grouped(copies, radius)
    seconds = time.perf_counter() - clock
    group_of = {at: number for number, group in enumerate(groups) for at in group}
    original = {copy.page: at for at, copy in enumerate(copies) if not copy.how}
    hits = Counter(copy.how for at, copy in enumerate(copies) if copy.how and at in group_of
                   and group_of[at] == group_of.get(original[copy.page]))  # fmt: skip
    blank = sum(copies[at].thumb.std() < LEAST_CONTRAST for at in original.values())
    n_pages = len(original) - blank
    pairs = [(copies[a], copies[b]) for group in groups for a, b in combinations(group, 2)]
    right = sum(one.page == other.page for one, other in pairs)
    alike = sum(one.page != other.page and same_thing(one.page) == same_thing(other.page) for one, other in pairs)
    wrong = {tuple(sorted((a.page, b.page))) for a, b in pairs if same_thing(a.page) != same_thing(b.page)}
    print(f"radius {radius}: {n} candidates of {len(copies)} images compared in {seconds:.1f} s; {blank} blank pages left out")
    print("  recall " + ", ".join(f"{how} {hits[how] / n_pages:.3f}" for how in ALTERED), end="")
    print(f"; the five asked for {sum(hits[how] for how in ALTERED if how not in ('side crop', 'rescan')) / n_pages / 5:.4f}")
    print(f"  precision of pairs {right / max(1, len(pairs) - alike):.4f} ({len(pairs) - alike - right} wrong pairs)")
    print(f"  beside them {alike} pairs of the same page at another resolution or in another language")
    for one, other in sorted(wrong):
        print(f"  wrong: {one} with {other}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, help="folder with page images: measures recall and precision on them")
    parser.add_argument("--hashes", type=int, default=LIBRARY, help="synthetic hashes to group")
    parser.add_argument("--radius", type=int, nargs="+", default=[RADIUS])
    arguments = parser.parse_args()
    if arguments.pages is None:
        for radius in arguments.radius:
            time_hashes(arguments.hashes, radius)
        return
    paths = sorted(path for path in arguments.pages.rglob("*") if path.suffix in (".jpg", ".png", ".webp"))
    if not paths:
        raise SystemExit(f"not run: data absent, no pages below {arguments.pages}")
    with ProcessPoolExecutor(2) as pool:
        copies = [copy for some in pool.map(copies_of, paths, chunksize=4) for copy in some]
    print(f"{len(paths)} pages and {len(ALTERED)} altered copies of each")
    for radius in arguments.radius:
        judge(copies, radius)


if __name__ == "__main__":
    main()
