"""Rows of figures: what a table says of one group of pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Page = TypeVar("Page")
Figure = float | int | None


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one thing that was measured, on one group of pages.

    Attributes:
        name: what was measured.
        group: which pages: ``all``, ``source:...``, ``direction:...`` or ``language:...``.
        n_pages: in it.
        figures: by name; None where there was nothing to measure.
        intervals: of some of them, at 95 %, by book; absent where there are fewer than two books.
        spread: standard deviation over runs, of figures that are means over several.
    """

    name: str
    group: str
    n_pages: int
    figures: Mapping[str, Figure]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)


def grouped(pages: Sequence[Page], keys: Mapping[str, Callable[[Page], str]]) -> dict[str, list[Page]]:
    """All pages, then by each key (``source``, ``direction``); a grouping with one group only is left out."""
    groups: dict[str, list[Page]] = {"all": list(pages)}
    for prefix, key in keys.items():
        parts: dict[str, list[Page]] = {}
        for page in pages:
            parts.setdefault(f"{prefix}:{key(page)}", []).append(page)
        if len(parts) > 1:
            groups |= dict(sorted(parts.items()))
    return groups


def as_table(rows: Sequence[Row], columns: Mapping[str, str], markdown: bool = False) -> str:
    """The rows as text with a heading; ``columns`` is figure name -> heading.

    >>> print(as_table([Row("gutter", "all", 3, {"f1": 0.5, "ap": None}, {"f1": (0.25, 0.75)})], {"f1": "F1", "ap": "AP"}))
    what    pages  n                F1  AP
    gutter  all    3  .500 [.250-.750]   –
    """
    head = ["what", "pages", "n", *columns.values()]
    body = [[row.name, row.group, str(row.n_pages), *(_cell(row, key) for key in columns)] for row in rows]
    if markdown:
        lines = [head, ["---"] * len(head), *body]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    widths = [max(len(line[place]) for line in [head, *body]) for place in range(len(head))]
    lines = [head, *body]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cell(row: Row, key: str) -> str:
    value, interval = row.figures.get(key), row.intervals.get(key)
    if value is not None and key in row.spread:
        return f"{share(value)} ± {share(row.spread[key])}"
    if value is None:
        return "–"
    if isinstance(value, int):
        return str(value)
    return share(value) + (f" [{share(interval[0])}-{share(interval[1])}]" if interval else "")


def share(value: float) -> str:
    """A figure to three places, without its leading zero.

    >>> share(0.9125), share(1.0), share(-0.25)
    ('.912', '1.000', '-.250')
    """
    if not math.isfinite(value):
        return "–"
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"
