"""`comix detect` over many pages: memory on the way, two workers against one, and going on after a kill.

    python benchmarks/detect_scale.py --data DATA [--pages 1000] [detector=ensemble]

DATA holds ``pages/``; its pictures, over and over, are packed into CBZs and extracted in place. Then `detect` runs with one
worker and with two in fresh copies of that workspace, and once more with two, killed half-way and started again. Prints
pages per second, their ratio, the memory of all its processes (median of the second quarter and of the last, and the most at
any time, which one huge page makes), and whether the three results are the same. Exits 1 when they differ or when the last
quarter takes a tenth more than the second.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
PER_BOOK = 50


def make_library(folder: Path, data: Path, n_pages: int) -> None:
    pictures = sorted(path for path in (data / "pages").rglob("*") if path.suffix.lower() in SUFFIXES)
    folder.mkdir()
    for start in range(0, n_pages, PER_BOOK):
        with zipfile.ZipFile(folder / f"book {start // PER_BOOK:04}.cbz", "w") as archive:
            for number in range(start, min(start + PER_BOOK, n_pages)):
                picture = pictures[number % len(pictures)]
                archive.write(picture, f"{number:06}{picture.suffix.lower()}")


def tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        children = Path(f"/proc/{one}/task/{one}/children")
        if children.exists():
            found += [int(child) for child in children.read_text().split()]
    return found


def megabytes(pid: int) -> float:
    """Memory of a process and its children, pages that they share counted once."""
    total = 0
    for one in tree(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def detect(workspace: Path, workers: int, words: Sequence[str], kill_after: float | None = None) -> tuple[float, list[float]]:
    """Seconds that it took, and its memory in MiB twice a second."""
    command = [sys.executable, "-m", "comix", "detect", f"workspace={workspace}", f"workers={workers}", *words]
    started, memory = time.perf_counter(), []
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None:
        memory.append(megabytes(process.pid))
        if kill_after is not None and time.perf_counter() - started > kill_after:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return time.perf_counter() - started, memory
        time.sleep(0.5)
    if process.returncode:
        sys.exit(f"detect ended with {process.returncode}")
    return time.perf_counter() - started, memory


def main() -> int:
    default = Path(os.environ.get("COMIX_DATA", Path(__file__).resolve().parents[1] / ".." / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("words", nargs="*", help="of comix detect: detector=..., detector.key=...")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_library(root / "library", arguments.data, arguments.pages)
        extract = ["extract", f"library={root / 'library'}", f"workspace={root / 'w'}", "mode=inplace", "check=header"]
        subprocess.run([sys.executable, "-m", "comix", *extract], check=True)
        results, seconds = [], {}
        for workers in (1, 2):
            workspace = Path(shutil.copytree(root / "w", root / f"w{workers}"))
            seconds[workers], memory = detect(workspace, workers, arguments.words)
            n = len(memory)
            early, late = statistics.median(memory[n // 4 : n // 2]), statistics.median(memory[3 * n // 4 : -1])
            results.append(next(workspace.glob("detections/*/predictions.json")).read_bytes())
            rate = arguments.pages / seconds[workers]
            print(
                f"workers={workers}: {seconds[workers]:.1f} s, {rate:.1f} pages/s; {early:.0f} MiB in the second quarter, "
                f"{late:.0f} in the last; {max(memory):.0f} at most"
            )
        killed = Path(shutil.copytree(root / "w", root / "killed"))
        detect(killed, 2, arguments.words, kill_after=seconds[2] / 2)
        again, _ = detect(killed, 2, arguments.words)
        results.append(next(killed.glob("detections/*/predictions.json")).read_bytes())
    same = len({*results}) == 1
    print(f"two workers are {seconds[1] / seconds[2]:.2f} times as fast as one, starting included")
    print(f"killed half-way, then {again:.1f} s more; the three results are {'the same' if same else 'NOT THE SAME'}")
    return int(not same or late > 1.1 * early)


if __name__ == "__main__":
    sys.exit(main())
