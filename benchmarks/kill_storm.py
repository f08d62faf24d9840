"""Kill -9 at random moments, then a plain re-run: the result must equal an undisturbed run, byte for byte.

    uv run python benchmarks/kill_storm.py [--kills 10] [--library tests/data/library] [--seed 0]

Runs ``comix pipeline`` once undisturbed. Then, for every kill, starts it in a fresh workspace, kills the whole process
group after a random share of the undisturbed time, runs the same command again to its end, and compares page table,
COCO file, analyses, alignment, lists, DataSpecs and page images. Exits 1 when anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMPARED = ("pages.parquet", "pages", "detections", "analysis", "alignment", "lists", "dataspec", "curation.parquet")
REPOSITORY = Path(__file__).resolve().parent.parent


def command(library: Path, workspace: Path) -> list[str]:
    return [sys.executable, "-m", "comix", "pipeline", f"library={library}", f"workspace={workspace}", "until=curate"]


def run_to_end(library: Path, workspace: Path) -> float:
    started = time.monotonic()
    finished = subprocess.run(command(library, workspace), capture_output=True, text=True, check=False)
    if finished.returncode > 1:  # 1 is expected: the library holds a damaged file
        sys.exit(f"the pipeline failed ({finished.returncode}):\n{finished.stderr}")
    return time.monotonic() - started


def state(workspace: Path) -> dict[str, str]:
    """Relative path -> sha256 of every file that must not differ."""
    found = {}
    for name in COMPARED:
        top = workspace / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file():
                found[path.relative_to(workspace).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def killed_run(library: Path, workspace: Path, after_s: float) -> int:
    process = subprocess.Popen(
        command(library, workspace), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(after_s)
    os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--library", type=Path, default=REPOSITORY / "tests" / "data" / "library")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random_state = random.Random(arguments.seed)
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder) / "clean"
        seconds = run_to_end(arguments.library, clean)
        wanted = state(clean)
        print(f"undisturbed: {seconds:.1f} s, {len(wanted)} files")
        for number in range(1, arguments.kills + 1):
            workspace = Path(folder) / f"killed-{number}"
            after_s = random_state.uniform(0.02, 0.98) * seconds
            code = killed_run(arguments.library, workspace, after_s)
            before = len(state(workspace))
            run_to_end(arguments.library, workspace)
            got = state(workspace)
            differing = sorted(path for path in wanted.keys() | got.keys() if wanted.get(path) != got.get(path))
            leftovers = sorted(path.name for path in workspace.rglob(".part-*"))
            bad += bool(differing)
            verdict = "identical" if not differing else f"DIFFERS: {differing[:5]}"
            print(f"kill {number:2d} after {after_s:5.1f} s (exit {code}, {before} files then): {verdict}"
                  + (f", {len(leftovers)} leftover part files" if leftovers else ""))  # fmt: skip
    print(f"{arguments.kills - bad} of {arguments.kills} identical")
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
