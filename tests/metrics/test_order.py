"""Order figures on cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from comix.metrics.bootstrap import book_interval
from comix.metrics.order import page_order, sequence_edits


def test_a_right_a_reversed_and_a_swapped_page() -> None:
    assert page_order([0, 1, 2, 3]) == page_order([5, 6, 7, 9])
    right, back, swapped = page_order([0, 1, 2]), page_order([2, 1, 0]), page_order([0, 2, 1, 3])
    assert (right.exact, right.tau, right.n_linked, right.edit) == (True, 1.0, 2, 0.0)
    assert (back.exact, back.tau, back.n_linked, back.edit) == (False, -1.0, 0, pytest.approx(2 / 3))
    assert (swapped.tau, swapped.n_links, swapped.n_linked, swapped.edit) == (pytest.approx(2 / 3), 3, 0, 0.5)


def test_a_tie_is_wrong_when_strict_and_right_when_tolerant() -> None:
    tied = page_order([0, 1, 1])
    assert (tied.exact, tied.tolerant, tied.tau, tied.n_linked) == (False, True, pytest.approx(2 / 3), 0)
    assert page_order([1, 0, 0]).tolerant is False
    assert page_order([7]).exact
    assert page_order([]).exact


def test_edits() -> None:
    assert sequence_edits([1, 2, 3, 0], [0, 1, 2, 3]) == 2
    assert sequence_edits([], [0, 1]) == 2


def test_the_interval_draws_books_not_pages() -> None:
    counts = np.array([[1.0, 1.0]] * 50 + [[0.0, 1.0]] * 50)
    share = book_interval(counts, ["a"] * 50 + ["b"] * 50, lambda sums: sums[..., 0] / sums[..., 1])
    assert share == (0.0, 1.0)
    alone = book_interval(counts, [str(page) for page in range(100)], lambda sums: sums[..., 0] / sums[..., 1])
    assert alone is not None and 0.35 < alone[0] < 0.45 < 0.55 < alone[1] < 0.65
