"""Kill -9 at named points of every stage, and at random moments: the same command again must give what a clean run gives.

    python benchmarks/kill_points.py                # 9 stages x 5 points
    python benchmarks/kill_points.py --random 200   # 200 random moments of the whole pipeline up to curate

A point is a file opened for writing, a rename, or the commit of a journal, as Python's audit hook and SQLite's
trace see them; nothing in CoMix is touched. Per stage the process dies right before its first, second, middle, last but
one and last event. Afterwards the command runs again to its end, and all that it makes is compared with an undisturbed
run: files byte for byte, an embedding store by its rows. Everything runs in one process (workers=0), forked from one that
has the libraries loaded; `kill_storm.py` does the same with worker processes and real reading. Exits 1 when anything differs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from comix.cli import main as comix
from comix.core.files import PART_PREFIX
from comix.io.zarrstore import store_digest

REPOSITORY = Path(__file__).resolve().parent.parent
STAGES = ("convert", "extract", "detect", "order", "analyze", "align", "curate", "train", "embed")
POINTS = ("first", "second", "middle", "last but one", "last")
NOT_COMPARED = ("runs", "journal", "cache", "report")
"""Logs with times in them, and what is compared through the files derived from it."""


def command(stage: str, library: Path, workspace: Path, output: Path) -> list[str]:
    words = {
        "convert": [f"library={library}", f"output={output}"],
        "extract": [f"library={library}"],
        "analyze": ["vlm=replay", f"vlm.path={workspace.parent / 'read'}"],
        "align": ["reader=replay"],
        "train": ["epochs=2", "name=m"],
        "embed": ["checkpoint=m", "name=m"],
    }.get(stage, [])
    workers = [] if stage in ("train", "embed") else ["workers=0"]
    return [stage, *words, f"workspace={workspace}", *workers]


def forked(act: Callable[[], int], after_s: float | None = None) -> tuple[int, float]:
    """Run something in a forked process, killed after some seconds if asked; its exit code (-9: killed) and seconds."""
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        sink = os.open(os.environ.get("KILL_LOG", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        code = 99
        try:
            code = act()
        finally:
            os._exit(code)
    if after_s is not None:
        time.sleep(after_s)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), time.monotonic() - started


def counting(words: Sequence[str], tally: Path, die_at: int | None) -> Callable[[], int]:
    """The command with its durable events counted into ``tally``, or killed right before event ``die_at`` (from 1)."""

    def act() -> int:
        events: list[str] = []

        def event(label: str) -> None:
            events.append(label)
            if die_at is not None and len(events) == die_at:
                tally.write_text(label)
                os.kill(os.getpid(), signal.SIGKILL)

        def hook(name: str, details: tuple[Any, ...]) -> None:
            if name == "os.rename":
                event(f"rename to {Path(os.fsdecode(details[1])).name}")
            if name == "open" and isinstance(details[2], int) and details[2] & (os.O_WRONLY | os.O_RDWR):
                path = Path(os.fsdecode(details[0])) if isinstance(details[0], str | bytes) else None
                if path is not None and path.is_relative_to(tally.parent) and path.suffix != ".lock":
                    event(f"writing {path.name}")

        def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
            opened = plain_connect(*arguments, **options)
            opened.set_trace_callback(lambda text: event("commit of a journal") if text == "COMMIT" else None)
            return opened

        plain_connect = sqlite3.connect
        sqlite3.connect = connect  # type: ignore[assignment]
        sys.addaudithook(hook)
        code = comix(list(words))
        if die_at is None:
            tally.write_text(str(len(events)))
        return code

    return act


def state(*folders: Path) -> dict[str, str]:
    """Relative path -> digest of everything that must not differ."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and not name.startswith(NOT_COMPARED) and ".zarr/" not in name:
                found[name] = hashlib.sha256(_without_run(path)).hexdigest()
        found.update(
            {store.relative_to(folder).as_posix(): store_digest(store) for store in folder.glob("embeddings/*/*.zarr")}
        )
    return found


_OF_THE_RUN = ("resumed_from", "seconds", "finished", "run_dir")
"""What a model's files say of the run rather than of its result."""


def _without_run(path: Path) -> bytes:
    """A file's bytes, without what a killed and resumed run may well say differently."""
    if path.name not in ("metrics.json", "embedded.json"):
        return path.read_bytes()
    facts = json.loads(path.read_bytes())
    return json.dumps({key: value for key, value in facts.items() if key not in _OF_THE_RUN}).encode()


def prepare(folder: Path, library: Path) -> Path:
    """Readings to replay, and a clean workspace kept as it was before each stage."""
    first = folder / "reading"
    forked(lambda: comix(["pipeline", f"library={library}", f"workspace={first}", "until=curate"]))
    shutil.copytree(first / "analysis" / "ocr", folder / "read")
    clean = folder / "clean"
    for stage in STAGES:
        shutil.copytree(clean, folder / "before" / stage) if clean.exists() else (folder / "before" / stage).mkdir(parents=True)
        code, _ = forked(lambda stage=stage: comix(command(stage, library, clean, folder / "cbz")))
        if code not in (0, 1):  # 1 is expected: the library holds a damaged file
            sys.exit(f"{stage} failed ({code})")
        shutil.copytree(clean, folder / "after" / stage)
    return clean


def named_points(folder: Path, library: Path, stages: Sequence[str]) -> int:
    prepare(folder, library)
    bad = n = 0
    tally = folder / "tally"
    for stage in stages:
        wanted = state(folder / "after" / stage, *([folder / "cbz"] if stage == "convert" else []))

        def fresh(stage: str = stage) -> tuple[Path, Path]:
            workspace, output = folder / "work" / "w", folder / "work" / "cbz"
            shutil.rmtree(folder / "work", ignore_errors=True)
            shutil.copytree(folder / "before" / stage, workspace)
            if not (folder / "work" / "read").exists():
                (folder / "work" / "read").symlink_to(folder / "read")
            return workspace, output

        workspace, output = fresh()
        forked(counting(command(stage, library, workspace, output), tally, None))
        total = int(tally.read_text())
        places = (1, min(2, total), max(1, total // 2), max(1, total - 1), total)
        for name, place in zip(POINTS, places, strict=True):
            workspace, output = fresh()
            words = command(stage, library, workspace, output)
            killed, _ = forked(counting(words, tally, place))
            again, _ = forked(lambda words=words: comix(words))
            got = state(workspace, *([output] if stage == "convert" else []))
            differing = sorted(path for path in wanted.keys() | got.keys() if wanted.get(path) != got.get(path))
            fine = killed == -signal.SIGKILL and again in (0, 1) and not differing
            bad, n = bad + (not fine), n + 1
            verdict = "identical" if fine else f"DIFFERS (killed {killed}, again {again}): {differing[:4]}"
            print(f"{stage:8} {name:12} (event {place} of {total}, {tally.read_text()}): {verdict}", flush=True)
    print(f"{n - bad} of {n} named points: identical")
    return bad


def random_moments(folder: Path, library: Path, n: int, seed: int) -> int:
    first = folder / "reading"
    forked(lambda: comix(["pipeline", f"library={library}", f"workspace={first}", "until=curate"]))
    shutil.copytree(first / "analysis" / "ocr", folder / "read")

    def words(workspace: Path) -> list[str]:
        read = ["vlm=replay", f"vlm.path={folder / 'read'}", "workers=0", "save_vis=0"]
        return ["pipeline", f"library={library}", f"workspace={workspace}", "until=curate", *read]

    _, seconds = forked(lambda: comix(words(folder / "clean")))
    wanted, dice, bad, n_parts = state(folder / "clean"), random.Random(seed), 0, 0
    print(f"undisturbed: {seconds:.1f} s, {len(wanted)} files")
    for number in range(1, n + 1):
        workspace = folder / "work"
        shutil.rmtree(workspace, ignore_errors=True)
        after_s = dice.uniform(0.0, 1.0) * seconds
        code, _ = forked(lambda workspace=workspace: comix(words(workspace)), after_s)
        again, _ = forked(lambda workspace=workspace: comix(words(workspace)))
        got = state(workspace)
        n_parts += len(list(workspace.rglob(f"{PART_PREFIX}*")))
        differing = sorted(path for path in wanted.keys() | got.keys() if wanted.get(path) != got.get(path))
        bad += bool(differing) or again not in (0, 1)
        if differing or number % 20 == 0:
            print(
                f"kill {number} after {after_s:.2f} s (exit {code}): {differing[:5] or 'identical'}; {bad} bad so far",
                flush=True,
            )
    print(f"{n - bad} of {n} random kills: identical; {n_parts} leftover part files")
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--library", type=Path, default=REPOSITORY / "tests" / "data" / "library")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for heavy in ("cv2", "pandas", "pyarrow.parquet", "hydra", "rich", "imagehash", "natsort"):
        __import__(heavy)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.random:
            return int(random_moments(folder, arguments.library, arguments.random, arguments.seed) > 0)
        return int(named_points(folder, arguments.library, arguments.stages.split(",")) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
