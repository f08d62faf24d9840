"""Composed layouts for training: the true order, the rule's, and how they are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from comix.core.errors import UsageError
from comix.data.relaid import LayoutBank, layout_bank


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> LayoutBank:
    return layout_bank(150, ["spread"], tmp_path_factory.mktemp("bank"))


def test_a_bank_is_kept_and_the_same_again(tmp_path: Path) -> None:
    told: list[int] = []
    first = layout_bank(20, [], tmp_path, lambda done, _total, _name: told.append(done))
    again = layout_bank(20, [], tmp_path, lambda done, _total, _name: told.append(done))
    assert told == list(range(1, 21))
    assert np.array_equal(first.layout, again.layout) and np.array_equal(first.rule, again.rule)
    assert len(list(tmp_path.glob("layouts-*.npz"))) == 1
    with pytest.raises(UsageError, match="no such family"):
        layout_bank(20, ["rings"], tmp_path)


def test_most_rules_agree_with_the_construction(bank: LayoutBank) -> None:
    pages = [bank.rule[bank.offsets[one] : bank.offsets[one + 1]] for one in range(len(bank.offsets) - 1)]
    assert all(sorted(page.tolist()) == list(range(len(page))) for page in pages)
    exact = np.mean([np.array_equal(page, np.arange(len(page))) for page in pages])
    assert 0.6 < exact < 1.0  # a third of the pages are strongly perturbed


def test_batches_have_pages_of_one_size_with_panels_mixed(bank: LayoutBank) -> None:
    random = np.random.default_rng(0)
    layout, rule, order = bank.batch(5, random)
    n = order.shape[1]
    assert layout.shape == (5, n, 10) and rule.shape == (5, n)
    assert all(sorted(one.tolist()) == list(range(n)) for one in order)
    some = max(bank.by_count, key=lambda count: len(bank.by_count[count]))
    drawn = bank.drawn(some, random)
    assert drawn is not None and drawn.layout.shape == (some, 10)
    assert bank.drawn(999, random) is None
