"""Training, validation and test pages: whole books on one side, copies of a page never on two."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from comix.core.files import digest
from comix.core.joined import Joined
from comix.data.page import PageExample

_BOOKS_FOR_TEST = 10
"""With fewer books there is no test set: training needs them more."""
_MOST_VAL = 0.4


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of pages.

    Attributes:
        train: never empty when there are pages.
        val: may be empty, ``note`` says why then; likewise ``test``.
        note: "" when books were split as asked, else a line for the user.
        tests: further pages to look at once, by the name of the test.
    """

    train: tuple[int, ...]
    val: tuple[int, ...]
    note: str = ""
    test: tuple[int, ...] = ()
    tests: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def digest(self, pages: Sequence[PageExample]) -> str:
        """A hash of which pages are on which side."""
        sides = (self.train, self.val, self.test, *self.tests.values())
        return digest(*([pages[index].page_id for index in side] for side in sides))


def split_by_book(
    pages: Sequence[PageExample], val_fraction: float, seed: int, test_fraction: float = 0.0, most: int | None = None
) -> Split:
    """Whole books to the test set and to validation until they hold about their shares; the same seed, the same split.

    Books that share a duplicate group stay together. With one such group of books only, pages are split instead (the note
    says so); with one page there is no validation set. Validation has two books or more where that leaves most pages to
    training, so that panels can be asked for among other books' pages; else the note says so.

    Args:
        pages: any number.
        val_fraction: 0 for no validation set, below 1.
        seed: which books; books added later change the split little, because each book's place depends on its own name.
        test_fraction: as ``val_fraction``; with fewer than ten books there is no test set.
        most: pages that validation or test hold about at most; None for no limit.
    """
    n = len(pages)
    if val_fraction <= 0 or n < 2:
        note = "" if val_fraction <= 0 else "one page only: no validation set, metrics are left out"
        return Split(tuple(range(n)), (), note)
    books = _groups(pages, [page.book_id for page in pages])
    test: list[int] = []
    if test_fraction > 0 and len(books) >= _BOOKS_FOR_TEST:
        test = _filled(books, min(test_fraction * n, most or n), f"test {seed}")
    note = (
        "too few books for a test set: validation figures chose the epoch they are of" if test_fraction > 0 and not test else ""
    )
    rest = {key: members for key, members in books.items() if not set(members) <= set(test)}
    target = min(val_fraction * n, most or n)
    if len(rest) > 1:
        val = _filled(rest, target, str(seed)) or _smallest(rest, seed)
        val, one_book = _with_second_book(rest, val)
        return _split(n, val, test, "; ".join(filter(None, [one_book, note])))
    single = _groups(pages, [page.page_id for page in pages])
    if len(single) > 1:
        note = "one book only: its pages are on both sides, so validation metrics are too good; add books"
        return _split(n, _filled(single, target, str(seed)) or _smallest(single, seed), [], note)
    return Split(tuple(range(n)), (), "all pages are copies of one: no validation set, metrics are left out")


def _split(n_pages: int, val: Sequence[int], test: Sequence[int], note: str) -> Split:
    held = {*val, *test}
    return Split(tuple(one for one in range(n_pages) if one not in held), tuple(sorted(val)), note, tuple(sorted(test)))


def _groups(pages: Sequence[PageExample], keys: Sequence[str]) -> dict[str, list[int]]:
    """Positions by the smallest key of all that must stay together."""
    joined = Joined()
    for page, key in zip(pages, keys, strict=True):
        if page.duplicate_group:
            joined.join(f"k:{key}", f"d:{page.duplicate_group}")
    members: dict[str, list[int]] = {}
    for position, key in enumerate(keys):
        members.setdefault(joined.group(f"k:{key}"), []).append(position)
    return members


def _in_order(groups: dict[str, list[int]], seed: object) -> list[str]:
    return sorted(groups, key=lambda key: hashlib.sha256(f"{seed}/{key}".encode()).digest())


def _filled(groups: dict[str, list[int]], target: float, seed: str) -> list[int]:
    """Groups in hashed order until the set is full, none of them more than three quarters of it, so that it has two."""
    target = max(1.0, target)
    chosen: list[int] = []
    for key in _in_order(groups, seed):
        if len(groups[key]) <= 0.75 * target and len(chosen) < target:
            chosen += groups[key]
    return chosen


def _smallest(groups: dict[str, list[int]], seed: int) -> list[int]:
    return groups[min(_in_order(groups, seed), key=lambda key: len(groups[key]))]


def _with_second_book(groups: dict[str, list[int]], val: list[int]) -> tuple[list[int], str]:
    """The validation set with the smallest other group where it has one only; what to say when that would be too much."""
    others = sorted((members for members in groups.values() if not set(members) & set(val)), key=len)
    if len(groups) - len(others) > 1:
        return val, ""
    n_pages = sum(map(len, groups.values()))
    if len(others) > 1 and len(val) + len(others[0]) <= _MOST_VAL * n_pages:
        return val + others[0], ""
    return val, "one book validates: panel on page has no wrong answers of other books; add books"


def straddling(pages: Sequence[PageExample], *sides: Sequence[int]) -> set[str]:
    """Books and duplicate groups that are on two sides; empty for a sound split."""
    marks = [{mark for one in side for mark in (pages[one].book_id, pages[one].duplicate_group) if mark} for side in sides]
    return {mark for one, other in combinations(marks, 2) for mark in one & other}
