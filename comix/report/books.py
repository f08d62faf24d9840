"""The books of a workspace, one row each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from comix.bundled import Credit
from comix.core.workspace import Workspace
from comix.report.logs import StageLog

MAX_BOOKS = 500
"""Rows of the table; of more books the largest are shown."""


@dataclass(frozen=True, slots=True)
class BookRow:
    """One book; ``score`` is the mean over its scored pages; None is what no stage has found out yet."""

    book_id: str
    container: str
    pages: int
    panels: int | None
    words: int | None
    score: float | None
    training: int | None
    failures: int
    direction: str
    credit: str


def book_rows(
    frame: pd.DataFrame, logs: dict[str, StageLog], failures: Counter[str], credits: Sequence[Credit]
) -> list[BookRow]:
    """The first `MAX_BOOKS` books: in table order, or the largest ones when there are more.

    Args:
        frame: see `fill_frame`.
        logs: by stage; what a missing stage would tell stays None.
        failures: failed inputs per book id.
        credits: matched by container.
    """
    makers = {one.container: f"{one.author} ({one.licence})" for one in credits}
    grouped = frame.groupby("book_id", sort=False)
    sizes = grouped.size()
    chosen = list(sizes.index) if len(sizes) <= MAX_BOOKS else list(sizes.sort_values(ascending=False, kind="stable").index)
    facts = grouped.agg(
        container=("container", "first"), panels=("n_panels", "sum"), words=("n_words", "sum"), score=("score", "mean"),
        training=("is_training", "sum"), licence=("licence", "first"), writer=("writer", "first"),
    )  # fmt: skip
    directions = book_directions(frame)
    rows = []
    for book_id in chosen[:MAX_BOOKS]:
        one = facts.loc[book_id]
        credit = makers.get(one["container"]) or ", ".join(part for part in (one["writer"], one["licence"]) if part)
        row = BookRow(
            book_id=str(book_id), container=str(one["container"]), pages=int(sizes[book_id]),
            panels=int(one["panels"]) if "detect" in logs else None, words=int(one["words"]) if "align" in logs else None,
            score=None if pd.isna(one["score"]) else round(float(one["score"]), 2),
            training=int(one["training"]) if "align" in logs else None, failures=failures[str(book_id)],
            direction=directions[str(book_id)], credit=credit,
        )  # fmt: skip
        rows.append(row)
    return rows


def book_directions(frame: pd.DataFrame) -> dict[str, str]:
    """``LTR``, ``RTL``, ``mixed`` or "" per book: as ordered, else as the metadata says."""
    way = frame["direction"].where(frame["direction"] != "", frame["reading_direction"])
    found: dict[str, set[str]] = {str(book): set() for book in frame["book_id"].unique()}
    for book, one in set(zip(frame["book_id"], way, strict=True)):
        if one:
            found[str(book)].add(str(one).upper())
    return {book: (next(iter(ways)) if len(ways) == 1 else "mixed" if ways else "") for book, ways in found.items()}


def failures_per_book(workspace: Workspace, frame: pd.DataFrame, logs: dict[str, StageLog]) -> Counter[str]:
    """Failed members and failed pages of every book."""
    from comix.core.journal import Journal, variants

    counts: Counter[str] = Counter()
    homes = {
        (str(source), str(container)): str(book)
        for source, container, book in set(zip(frame["source"], frame["container"], frame["book_id"], strict=True))
    }
    path = workspace.journal("extract")
    for source in variants(path):
        with Journal(path, source) as journal:
            for row in journal.rows("failed", children_only=True):
                counts[homes.get((source, row.parent), "")] += 1
    books = frame["book_id"].to_dict()
    for log in logs.values():
        counts.update(str(books[key]) for key, why in log.state.items() if why.startswith("failed"))
    return counts
