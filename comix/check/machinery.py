"""Journals, and what killed runs and unfinished shares left behind."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from comix.check.finding import Part
from comix.core.files import PART_PREFIX
from comix.core.overview import waiting_shards
from comix.core.workspace import Workspace


def check_journals(workspace: Workspace, deep: bool) -> Iterator[Part]:
    """SQLite's own check of every journal; ``deep``: of every index too."""
    part = Part("journal", "files")
    for path in sorted((workspace.root / "journal").glob("*.sqlite")):
        part.n_looked_at += 1
        trouble = _sqlite_trouble(path.resolve().as_uri(), "integrity_check" if deep else "quick_check")
        if trouble:
            mend = "move it away and run its stage again: what is finished is found or made again"
            if path.stem == "books":
                mend = "restore it from a copy: without it books get their ids anew, in the order of the library"
            part.add(path, trouble, mend)
    for stage, shards in waiting_shards(workspace).items():
        part.add(
            stage, f"shards {', '.join(shards)} are not put together", f"run comix {stage} without shard= when all are through"
        )
    yield part


def _sqlite_trouble(uri: str, check: str) -> str:
    try:
        with closing(sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=10)) as database:
            (answer,) = database.execute(f"PRAGMA {check}(1)").fetchone()
            return "" if answer == "ok" else str(answer)
    except sqlite3.Error as error:
        return str(error)


def check_leftovers(workspace: Workspace, deep: bool) -> Iterator[Part]:
    """Files that a killed run was writing; with ``deep`` pages' folders are looked through too."""
    part = Part("leftovers", "folders")
    for folder, below, names in os.walk(workspace.root):
        here = Path(folder)
        if not deep and here == workspace.root:
            below[:] = [name for name in below if name != workspace.pages_dir.name]
        part.n_looked_at += 1
        for name in names:
            if name.startswith(PART_PREFIX):
                part.add(here / name, "was being written when a run was killed", "remove it, when nothing runs here")
    yield part
