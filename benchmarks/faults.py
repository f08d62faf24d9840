"""A full disk, a read-only disk, a crashing worker, a hanging worker: one clear line each, old files intact, then mended.

    sudo python benchmarks/faults.py        # root: it mounts small tmpfs file systems

Every fault meets each stage on copies of the six-page library, enough of them that it meets the stage at work: the exit code
is 1 or 2 (0 where a lost worker's page was simply tried again), no traceback is printed, files that were there before hold the
same bytes (a journal may have grown), and when the fault is gone the same command gives what an undisturbed run gives. Exits 1
when something else happens, or when a fault came too late to be met.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kill_points import STAGES, command, prepare, state

SURVIVED = ("crash", "hang")
"""Faults after which nothing need have failed: the page that a worker died of, or hung on, is tried once more."""
REPOSITORY = Path(__file__).resolve().parent.parent


def run(words: list[str]) -> tuple[int, str]:
    finished = subprocess.run([sys.executable, "-m", "comix", *words], capture_output=True, text=True, check=False)
    return finished.returncode, finished.stdout + finished.stderr


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: float) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={int(megabytes * 1024)}k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def megabytes(folder: Path) -> float:
    """As a tmpfs counts: whole pages of 4 KiB."""
    return sum((path.stat().st_size + 4095) // 4096 * 4096 + 4096 for path in folder.rglob("*")) / 2**20


class Trial:
    """One stage under one fault."""

    def __init__(self, folder: Path, library: Path, stage: str) -> None:
        self.folder, self.library, self.stage = folder, library, stage
        self.wanted = state(folder / "after" / stage)

    def words(self, workspace: Path, *more: str) -> list[str]:
        """The stage's command line."""
        read = self.folder / "read"
        link = workspace.parent / "read"
        if not link.exists():
            link.symlink_to(read)
        words = [word for word in command(self.stage, self.library, workspace, workspace / "cbz") if word != "workers=0"]
        return [*words, *more]

    def fill(self, workspace: Path) -> None:
        """The workspace as it is before the stage."""
        shutil.copytree(self.folder / "before" / self.stage, workspace)

    def verdict(
        self, fault: str, code: int, said: str, before: dict[str, str], during: dict[str, str], after: int, workspace: Path
    ) -> bool:
        """Whether the fault did no harm; printed."""
        lost = [path for path, digest in before.items() if during.get(path) != digest and not self._may_change(path)]
        got = {path: one for path, one in state(workspace).items() if not path.startswith("cbz/")}
        differing = sorted(path for path in self.wanted.keys() | got.keys() if self.wanted.get(path) != got.get(path))
        met = code in (1, 2) or (code == 0 and fault in SURVIVED)
        fine = met and "Traceback" not in said and not lost and after in (0, 1) and not differing
        last = [line for line in said.splitlines() if line.strip()][-1:] or [""]
        print(
            f"{self.stage:8} {fault:10} exit {code}, again {after}: {'fine' if fine else 'NOT FINE'}: {last[0][:150]}",
            flush=True,
        )
        if not fine:
            print(f"    lost {lost[:3]}, differing {differing[:3]}\n    {said[-600:]}")
        return fine

    def _may_change(self, path: str) -> bool:
        return self.wanted.get(path) is not None

    def full_disk(self) -> bool:
        """About a third of what the stage needs is free."""
        room = megabytes(self.folder / "after" / self.stage) - megabytes(self.folder / "before" / self.stage)
        size = megabytes(self.folder / "before" / self.stage) + 0.05 + max(0.0, room) / 3
        with tempfile.TemporaryDirectory() as name, small_disk(Path(name) / "disk", size) as disk:
            workspace = disk / "w"
            self.fill(workspace)
            before = state(workspace)
            code, said = run(self.words(workspace))
            during = state(workspace)
            subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
            after, _ = run(self.words(workspace))
            return self.verdict("full disk", code, said, before, during, after, workspace)

    def read_only(self) -> bool:
        """Nothing can be written."""
        with tempfile.TemporaryDirectory() as name, small_disk(Path(name) / "disk", 300) as disk:
            workspace = disk / "w"
            self.fill(workspace)
            words, before = self.words(workspace), state(workspace)
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            code, said = run(words)
            during = state(workspace)
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
            after, _ = run(words)
            return code == 2 and self.verdict("read-only", code, said, before, during, after, workspace)

    def worker(self, signal_number: int, fault: str) -> bool:
        """A signal hits a worker process."""
        with tempfile.TemporaryDirectory() as name:
            workspace = Path(name) / "w"
            self.fill(workspace)
            before = state(workspace)
            process = subprocess.Popen(
                [sys.executable, "-m", "comix", *self.words(workspace, "workers=1", "timeout_s=8")],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            hit = strike(process.pid, signal_number, process)
            said, _ = process.communicate()
            during = state(workspace)
            after, _ = run(self.words(workspace, "retry=failed"))
            return self.verdict(
                fault if hit else f"({fault} missed)", process.returncode, said, before, during, after, workspace
            )


def strike(parent: int, signal_number: int, process: subprocess.Popen[str]) -> bool:
    """Send a signal to the first worker process of a running stage as soon as it is at work."""
    while process.poll() is None:
        listing = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False).stdout.split()
        workers = [pid for pid in listing if b"spawn_main" in _command_line(pid)]
        if workers:
            time.sleep(0.3)
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(workers[0]), signal_number)
                return True
        time.sleep(0.02)
    return False


def _command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--library", type=Path, default=REPOSITORY / "tests" / "data" / "library")
    parser.add_argument("--copies", type=int, default=12, help="of the library")
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = folder / "library"
        for number in range(arguments.copies):
            shutil.copytree(arguments.library, library / f"copy {number}")
        prepare(folder, library)
        for stage in arguments.stages.split(","):
            trial = Trial(folder, library, stage)
            results += [trial.full_disk(), trial.read_only()]
            if stage in ("convert", "extract", "detect", "order", "analyze", "align"):
                results += [trial.worker(signal.SIGSEGV, "crash"), trial.worker(signal.SIGSTOP, "hang")]
    print(f"{sum(results)} of {len(results)} fine")
    return int(not all(results))


if __name__ == "__main__":
    raise SystemExit(main())
