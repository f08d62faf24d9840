"""Training and validation pages: whole books on one side, copies of a page never on both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from comix.data.page import PageExample


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of pages.

    Attributes:
        train: never empty when there are pages.
        val: may be empty, ``note`` says why then.
        note: "" when books were split as asked, else one line for the user.
    """

    train: tuple[int, ...]
    val: tuple[int, ...]
    note: str = ""


def split_by_book(pages: Sequence[PageExample], val_fraction: float, seed: int) -> Split:
    """Whole books to validation until they hold about ``val_fraction`` of the pages; the same seed gives the same split.

    Books that share a duplicate group stay together. With one such group of books only, pages are split instead (the note
    says so); with one page there is no validation set.

    Args:
        pages: any number.
        val_fraction: 0 for no validation set, below 1.
        seed: which books; books added later change the split little, because each book's place depends on its own name.
    """
    if val_fraction <= 0 or len(pages) < 2:
        note = "" if val_fraction <= 0 else "one page only: no validation set, metrics are left out"
        return Split(tuple(range(len(pages))), (), note)
    books = _groups(pages, [page.book_id for page in pages])
    if len(books) > 1:
        return _chosen(books, len(pages), val_fraction, seed, "")
    single = _groups(pages, [page.page_id for page in pages])
    if len(single) > 1:
        note = "one book only: its pages are on both sides, so validation metrics are too good; add books"
        return _chosen(single, len(pages), val_fraction, seed, note)
    return Split(tuple(range(len(pages))), (), "all pages are copies of one: no validation set, metrics are left out")


def _groups(pages: Sequence[PageExample], keys: Sequence[str]) -> dict[str, list[int]]:
    """Positions by the smallest key of all that must stay together."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for page, key in zip(pages, keys, strict=True):
        one = root(f"k:{key}")
        if page.duplicate_group:
            parent[max(one, root(f"d:{page.duplicate_group}"))] = min(one, root(f"d:{page.duplicate_group}"))
    members: dict[str, list[int]] = {}
    for position, key in enumerate(keys):
        members.setdefault(root(f"k:{key}"), []).append(position)
    return members


def _chosen(groups: dict[str, list[int]], n_pages: int, val_fraction: float, seed: int, note: str) -> Split:
    """Groups in hashed order fill the validation set, none of them more than three quarters of it, so that it has two."""
    target = max(1.0, val_fraction * n_pages)
    hashed = sorted(groups, key=lambda key: hashlib.sha256(f"{seed}/{key}".encode()).digest())
    val: list[int] = []
    for key in hashed:
        if len(groups[key]) <= 0.75 * target and len(val) < target:
            val += groups[key]
    if not val:
        val = groups[min(hashed, key=lambda key: len(groups[key]))]
    held = set(val)
    return Split(tuple(index for index in range(n_pages) if index not in held), tuple(sorted(held)), note)


def straddling(pages: Sequence[PageExample], one: Iterable[int], other: Iterable[int]) -> set[str]:
    """Books and duplicate groups that are on both sides; empty for a sound split."""

    def marks(side: Iterable[int]) -> set[str]:
        return {mark for index in side for mark in (pages[index].book_id, pages[index].duplicate_group) if mark}

    return marks(one) & marks(other)
