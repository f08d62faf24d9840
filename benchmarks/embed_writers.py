"""Four writers on shards of one store, and a writer that is killed: no row is lost, the store is the same.

No model is needed: the encoder draws its vectors from the page's id, and takes its time over it.

    python benchmarks/embed_writers.py
    python benchmarks/embed_writers.py --pages 2000 --kills 20
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "embed"))
from drawn import HashEncoder, embed, pages

from comix.core.shard import Shard
from comix.io.zarrlayout import WRITTEN, names
from comix.io.zarrstore import EmbeddingStore, store_digest

ROWS_PER_CHUNK = 50


class SlowEncoder(HashEncoder):
    """Takes two milliseconds a page, so that a kill falls into the work."""

    def encode(self, pages):  # type: ignore[no-untyped-def]  # noqa: D102
        time.sleep(0.002 * len(pages))
        return super().encode(pages)


def write(folder: Path, n_pages: int, part: int, n_parts: int) -> None:
    embed(
        folder, pages(n_pages), encoder=SlowEncoder(), rows_per_chunk=ROWS_PER_CHUNK, shard=Shard(part, n_parts), flush_s=0.05
    )


def start(folder: Path, n_pages: int, part: int, n_parts: int) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, __file__, "--write", str(folder), str(n_pages), str(part), str(n_parts)]
    return subprocess.Popen(arguments, stderr=subprocess.DEVNULL)


def compare(found: Path, wanted: Path, n_pages: int) -> str:
    """What differs between two stores, "" if nothing."""
    one, other = EmbeddingStore(found), EmbeddingStore(wanted)
    lost = int((one.read("status") != WRITTEN).sum()) + n_pages - one.n_rows
    unequal = [
        name
        for name in [*names("row"), *names("data")]
        if not np.array_equal(one.read(name), other.read(name), equal_nan=one.read(name).dtype.kind == "f")
    ]
    return "; ".join([f"{lost} rows lost"] * (lost > 0) + [f"{', '.join(unequal)} differ"] * bool(unequal))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        folder, n_pages, part, n_parts = arguments.write
        write(Path(folder), int(n_pages), int(part), int(n_parts))
        return
    root, n = Path(tempfile.mkdtemp(prefix="embed_writers-")), arguments.pages
    started = time.perf_counter()
    write(root / "alone", n, 1, 1)
    print(f"one writer: {n} pages in chunks of {ROWS_PER_CHUNK}, {time.perf_counter() - started:.1f} s")
    wanted = root / "alone" / "embeddings.zarr"

    started = time.perf_counter()
    writers = [start(root / "shards", n, part, 4) for part in (1, 2, 3, 4)]
    codes = [writer.wait() for writer in writers]
    fault = compare(root / "shards" / "embeddings.zarr", wanted, n)
    print(f"four writers on shards: exit codes {codes}, {time.perf_counter() - started:.1f} s, {fault or 'no row lost, equal'}")

    started = time.perf_counter()
    writers = [start(root / "same", n, 1, 1) for _ in range(4)]
    codes = [writer.wait() for writer in writers]
    fault_same = compare(root / "same" / "embeddings.zarr", wanted, n)
    print(f"four writers without shards: exit codes {codes}, {time.perf_counter() - started:.1f} s, {fault_same or 'equal'}")

    chance, n_killed = random.Random(arguments.seed), 0
    for _ in range(arguments.kills):
        writer = start(root / "killed", n, 1, 1)
        time.sleep(chance.uniform(0.6, 2.5))
        writer.send_signal(signal.SIGKILL)
        n_killed += writer.wait() == -signal.SIGKILL
    n_before = int((EmbeddingStore(root / "killed" / "embeddings.zarr").read("status") == WRITTEN).sum())
    write(root / "killed", n, 1, 1)
    fault_killed = compare(root / "killed" / "embeddings.zarr", wanted, n)
    same = store_digest(root / "killed" / "embeddings.zarr") == store_digest(wanted)
    print(f"kill -9: {n_killed} of {arguments.kills} runs killed, {n_before} rows survived them; after one more run: "
          f"{fault_killed or 'equal'}, same digest: {same}")  # fmt: skip
    sys.exit(bool(fault or fault_same or fault_killed or any(codes)))


if __name__ == "__main__":
    main()
