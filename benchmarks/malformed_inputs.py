"""Broken containers and images, every one with the outcome it must have; exits 1 when one differs.

    python benchmarks/malformed_inputs.py

Makes the inputs of ``tests/io/malformed.py`` in a temporary folder, runs ``comix extract`` over them once copying and once
in place, and compares every input's status and reason, and every page's. Also counts what must never be: inputs that end in
``internal_error`` or ``worker_crashed``, and files that appear outside the workspace. DataSpec and COCO documents have a
benchmark of their own.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "io" / "containers"))
from malformed import Case, archives, images, zipped

from comix.cli import main
from comix.core.journal import Journal


def found(workspace: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Container -> its outcome and its failed pages' reasons; a member of the images' container likewise by its own name."""
    with Journal(workspace / "journal" / "extract.sqlite", "library", read_only=True) as journal:
        state = {row.key: (row.reason or row.status) for row in journal.rows(parents_only=True)}
        pages: dict[str, list[str]] = {key: [] for key in state}
        for row in journal.rows(children_only=True):
            name = row.key.split("!/")[-1].split("/", 1)[1]
            if row.parent == "images.cbz" and not row.key.endswith("#2"):
                state[f"image {name}"] = row.reason or row.status
            elif row.status == "failed":
                pages[row.parent].append(row.reason)
    return {key: (outcome, tuple(pages.get(key, ()))) for key, outcome in state.items()}


def compare(cases: list[Case], pictures: list[Case], workspace: Path) -> int:
    """Print what differs; how many do."""
    state = found(workspace)
    wanted = {case.name: (case.outcome, case.pages) for case in cases}
    wanted |= {f"image {case.name}": (case.outcome, ()) for case in pictures}
    wrong = {name: (want, state.get(name)) for name, want in wanted.items() if state.get(name) != want}
    for name, (want, got) in wrong.items():
        print(f"  {name}: wanted {want}, got {got}")
    reasons = Counter(reason for reason, _ in state.values())
    never = reasons["internal_error"] + reasons["worker_crashed"]
    print(f"{len(cases)} containers, {len(pictures)} images: {len(wrong)} differ, {never} uncaught; {len(reasons)} reasons")
    return len(wrong) + never


def run() -> int:
    cases, pictures = list(archives(heavy=True)), list(images())
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        library = root / "library"
        library.mkdir()
        for case in cases:
            (library / case.name).write_bytes(case.data)
        (library / "images.cbz").write_bytes(zipped([(case.name, case.data) for case in pictures]))
        before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path != root}
        for mode in ("copy", "inplace"):
            workspace = root / f"ws {mode}"
            main(["extract", f"library={library}", f"workspace={workspace}", f"mode={mode}"])
            wrong += compare(cases, pictures, workspace)
            after = {path: path.stat().st_mtime_ns for path in root.rglob("*") if not path.is_relative_to(workspace)}
            outside = after.keys() - before.keys() - {root / "ws copy"} - set((root / "ws copy").rglob("*"))
            touched = [path for path in before if after.get(path) != before[path]]
            print(f"{mode}: {len(outside)} files outside the workspace, {len(touched)} of the library touched")
            wrong += len(outside) + len(touched)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(run())
