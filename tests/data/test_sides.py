"""Which pages train, validate and test where lists say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from comix.core.errors import UsageError
from comix.core.geometry import Box
from comix.data.page import PageExample
from comix.data.settings import DatasetSettings
from comix.data.sides import load_sides, split_pages


def page(book: str, number: int, *sides: str) -> PageExample:
    return PageExample(f"{book}/{number}", book, Path("x.jpg"), "s", 10, 10, "ltr", (Box(0, 0, 5, 5),), ("",), sides=sides)


def test_lists_decide_and_the_rest_trains() -> None:
    pages = [page("a", 1), page("a", 2), page("b", 1, "validation"), page("c", 1, "easy", "all"), page("d", 1, "all")]
    settings = DatasetSettings(val_lists=["v"], tests={"easy": "e", "all": ["e", "f"]})
    split = split_pages(pages, settings)
    assert (split.train, split.val, split.test) == ((0, 1), (2,), ())
    assert dict(split.tests) == {"easy": (3,), "all": (3, 4)}
    assert split.digest(pages) != split_pages(pages, replace(settings, tests={"easy": "e"})).digest(pages)


def test_a_book_on_two_sides_is_refused() -> None:
    settings = DatasetSettings(val_lists=["v"], tests={"easy": "e"})
    with pytest.raises(UsageError, match="a is in training and in validation"):
        split_pages([page("a", 1), page("a", 2, "validation"), page("c", 1, "easy")], settings)
    with pytest.raises(UsageError, match="b is in validation and in easy"):
        split_pages([page("a", 1), page("b", 2, "validation"), page("b", 1, "easy")], settings)
    copies = [
        replace(page("a", 1), duplicate_group="g"),
        page("b", 1, "validation"),
        replace(page("c", 1, "easy"), duplicate_group="g"),
    ]
    with pytest.raises(UsageError, match="g is in training and in easy"):
        split_pages(copies, settings)


def test_lists_are_read_once_and_may_overlap_between_tests(workspace_copy: Path) -> None:
    finished = workspace_copy
    lines = (finished / "lists" / "training.txt").read_text().splitlines()
    files = [str((finished / "lists" / line).resolve()) for line in lines]
    for name, some in (("train", files[:2]), ("one", files[2:4]), ("two", files[3:5]), ("both", files[1:3])):
        (finished / f"{name}.txt").write_text("".join(f"{one}\n" for one in some))
    where = (finished / "train.txt", finished, finished / "curation.parquet", finished / "cache" / "sides.sqlite")
    tests = {"one": str(finished / "one.txt"), "two": [str(finished / "two.txt")]}
    pages, rejected = load_sides(DatasetSettings(tests=tests), *where)
    assert [one.sides for one in pages] == [(), (), ("one",), ("one", "two"), ("two",)] and not rejected
    with pytest.raises(UsageError, match="is trained on and held out"):
        load_sides(DatasetSettings(tests={"both": str(finished / "both.txt")}), *where)
    with pytest.raises(UsageError, match="that name is taken"):
        load_sides(DatasetSettings(tests={"validation": "x"}), *where)
