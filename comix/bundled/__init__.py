"""The demo comics that ship with CoMix: openly licensed, in every container format, one of them broken on purpose.

Credits are in ``CREDITS.csv`` beside this file; the library is made by ``benchmarks/build_bundled_library.py``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Credit:
    """Who made a bundled container and under which licence it is here.

    Attributes:
        container: path inside the library, ``/`` separators.
        title: series and number; ``author``: the credit line.
        licence: short name, ``licence_url`` its text; ``source``: where the pages came from.
        changes: what was done to them, in words.
        style: kind of drawing.
        n_pages: readable pages; 0 for the file that is broken on purpose.
    """

    container: str
    title: str
    author: str
    licence: str
    licence_url: str
    source: str
    changes: str
    style: str
    n_pages: int


def library_dir() -> Path:
    """Folder of the bundled comics; read only, so use it as a library, never as a workspace."""
    return Path(__file__).parent / "library"


def credits() -> list[Credit]:
    """Credits of every bundled container, in the order of the table."""
    with (Path(__file__).parent / "CREDITS.csv").open(encoding="utf-8", newline="") as opened:
        return [
            Credit(**{**row, "n_pages": int(row["n_pages"])})  # type: ignore[arg-type]
            for row in csv.DictReader(opened)
        ]
