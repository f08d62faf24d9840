"""Lists to pages: what is wrong is counted, never fatal; splits keep books and copies together."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from comix.core.errors import MissingInputError, UsageError
from comix.core.geometry import Box
from comix.data.batch import collate, places_of, shuffled
from comix.data.features import PanelFeatures
from comix.data.lists import duplicate_groups, load_pages
from comix.data.page import PageExample
from comix.data.sampler import TrainBatches, batches_of_epoch
from comix.data.split import split_by_book, straddling


def spec(page_id: str, boxes: list[list[float]], **more: Any) -> dict[str, Any]:
    return {
        "page_image_path": "page.jpg",
        "panels": [
            {"panel_coords": box, "text": {"dialogue": [f"line {i}"]}, "order": i, "confidence": 1.0}
            for i, box in enumerate(boxes)
        ],
        "page_id": page_id,
        "page_size": [100, 200],
        "reading_direction": "ltr",
        "provenance": {"detector": "d", "reader": "r", "panel_source": "given", "assignment": "a", "container": "c",
                       "member": "m", "sha256": page_id},
        "quality": {"score": 4, "panel_count_ratio": None, "text_coverage": 1, "order_margin": 1, "assigned_text_share": 1},
        **more,
    }  # fmt: skip


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    (tmp_path / "page.jpg").write_bytes(b"x")
    specs = {
        "good": spec("b/0001", [[0, 0, 50, 50], [50, 0, 50, 50]]),
        "nan": spec("b/0002", [[0, float("nan"), 50, 50]]),
        "negative": spec("b/0003", [[0, 0, -5, 50]]),
        "outside": spec("b/0004", [[-60, 0, 50, 50]]),
        "none": spec("b/0005", []),
        "gone": spec("b/0006", [[0, 0, 50, 50]], page_image_path="gone.jpg"),
        "sixty": spec("b/0007", [[i, i, 10, 10] for i in range(60)]),
        "again": spec("b/0001", [[0, 0, 50, 50]]),
    }
    for name, one in specs.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(one), encoding="utf-8")
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    lines = ["# a comment", "", *(f"{name}.json" for name in specs), "broken.json", "missing.json"]
    (tmp_path / "list.txt").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    return tmp_path / "list.txt"


def test_every_line_is_a_page_or_a_counted_reason(listing: Path) -> None:
    pages, rejected = load_pages([listing], listing.parent)
    assert [page.page_id for page in pages] == ["b/0001", "b/0007"]
    assert len(pages[1].boxes) == 60
    assert pages[0].texts == ("line 0", "line 1")
    reasons = {Path(one.path).stem: (one.status, one.reason) for one in rejected}
    assert reasons == {
        "nan": ("failed", "invalid_input"),
        "negative": ("failed", "invalid_input"),
        "outside": ("failed", "invalid_input"),
        "none": ("skipped", "no_panels"),
        "gone": ("failed", "image_missing"),
        "again": ("skipped", "duplicate"),
        "broken": ("failed", "invalid_input"),
        "missing": ("failed", "missing_input"),
    }


def test_empty_and_missing_lists_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(MissingInputError, match="no pages listed"):
        load_pages([tmp_path / "empty.txt"], tmp_path)
    with pytest.raises(MissingInputError, match="no such list file"):
        load_pages([tmp_path / "nothing.txt"], tmp_path)


def test_max_samples_and_duplicate_groups(listing: Path, tmp_path: Path) -> None:
    table = tmp_path / "curation.parquet"
    pd.DataFrame({"page_id": ["b/0001", "c/0001", "d/0001"], "dup_canonical_key": ["b/0001", "b/0001", "d/0001"]}).to_parquet(
        table
    )
    pages, _ = load_pages([listing], listing.parent, max_samples=1, curation=table)
    assert len({page.duplicate_group for page in pages} - {""}) == 1


def test_every_grouping_of_curate_joins_pages(tmp_path: Path) -> None:
    table = tmp_path / "curation.parquet"
    ids = ["a/1", "b/1", "c/1", "d/1", "e/1"]
    columns = {
        "page_id": ids,
        "dup_canonical_key": ["a/1", "a/1", "c/1", "d/1", "e/1"],
        "dup_group_exact": ["x", "x", "", "", ""],
        "dup_group_phash": ["", "near", "near", None, ""],
    }
    pd.DataFrame(columns).to_parquet(table)
    groups = duplicate_groups(table)
    assert set(groups) == {"a/1", "b/1", "c/1"}
    assert len(set(groups.values())) == 1


def test_read_once_and_noticed_when_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known, listing = tmp_path / "cache" / "pages.sqlite", tmp_path / "list.txt"
    for number, sha in (("1", ""), ("2", hashlib.sha256(b"two").hexdigest())):
        (tmp_path / f"{number}.jpg").write_bytes(b"one" if number == "1" else b"two")
        one = spec(f"b/000{number}", [[0, 0, 50, 50]], page_image_path=f"{number}.jpg")
        one["provenance"]["sha256"] = sha
        (tmp_path / f"{number}.json").write_text(json.dumps(one))
    listing.write_text("1.json\n2.json\n")
    first, none = load_pages([listing], tmp_path, known_file=known)
    assert not none
    assert first[0].sha256 == hashlib.sha256(b"one").hexdigest()  # told by nobody: read
    with monkeypatch.context() as patch:
        patch.setattr("comix.data.lists.read_dataspec", None)  # nothing is read again
        assert load_pages([listing], tmp_path, known_file=known) == (first, [])
        moved = tmp_path.with_name(f"{tmp_path.name} moved")
        shutil.copytree(tmp_path, moved)
        again, _ = load_pages([moved / "list.txt"], moved, known_file=moved / "cache" / "pages.sqlite")
        assert [page.image for page in again] == [moved.resolve() / "1.jpg", moved.resolve() / "2.jpg"]
    for number in "12":
        (tmp_path / f"{number}.jpg").write_bytes(b"retouched")
    pages, rejected = load_pages([listing], tmp_path, known_file=known)
    assert [page.sha256 for page in pages] == [hashlib.sha256(b"retouched").hexdigest()]
    assert [(one.page_id, one.reason) for one in rejected] == [("b/0002", "image_changed")]


def test_order_is_weak_unless_a_person_gave_it(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_bytes(b"x")
    for source in ("annotated", "rule", "reader"):
        one = spec(f"{source}/1", [[0, 0, 9, 9]], order_source=source)
        one["provenance"]["sha256"] = hashlib.sha256(b"x").hexdigest()
        (tmp_path / f"{source}.json").write_text(json.dumps(one))
    (tmp_path / "list.txt").write_text("annotated.json\nrule.json\nreader.json\n")
    for _ in range(2):
        pages, _ = load_pages([tmp_path / "list.txt"], tmp_path, known_file=tmp_path / "known.sqlite")
        assert [page.order_is_weak for page in pages] == [False, True, True]


def page(number: int, book: str, group: str = "", n: int = 3, direction: str = "ltr") -> PageExample:
    boxes = tuple(Box(10 * i, 5 * i, 20, 30) for i in range(n))
    return PageExample(f"{book}/{number:04d}", book, Path("p.jpg"), f"{book}{number}", 100, 200, direction, boxes, ("a",) * n,
                       duplicate_group=group)  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_split_never_straddles(seed: int) -> None:
    random = np.random.default_rng(seed)
    pages = [
        page(i, f"book{random.integers(9)}", f"g{random.integers(30)}" if random.random() < 0.1 else "") for i in range(80)
    ]
    split = split_by_book(pages, 0.2, seed)
    assert not straddling(pages, split.train, split.val)
    assert split.val
    assert split.train
    assert sorted([*split.train, *split.val]) == list(range(80))
    assert split == split_by_book(pages, 0.2, seed)


def test_split_with_few_books() -> None:
    one_book = [page(i, "only", "g" if i < 2 else "") for i in range(10)]
    split = split_by_book(one_book, 0.2, 0)
    assert split.val
    assert "one book only" in split.note
    assert {0, 1} <= set(split.train) or {0, 1} <= set(split.val)
    assert split_by_book(one_book[:1], 0.2, 0).note.startswith("one page only")
    assert split_by_book([page(1, "a", "g"), page(1, "b", "g")], 0.5, 0).val == ()
    assert "one book validates" in split_by_book([page(1, "a"), page(1, "b")], 0.2, 0).note


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_books", [5, 6, 8])
def test_validation_has_two_books(n_books: int, seed: int) -> None:
    equal = [page(i, f"book{book}") for book in range(n_books) for i in range(7)]
    split = split_by_book(equal, 0.2, seed)
    assert len({equal[one].book_id for one in split.val}) >= 2
    assert len(split.val) <= 0.4 * len(equal)
    assert split.note == ""


def test_the_test_set_is_apart_and_needs_ten_books() -> None:
    pages = [page(i, f"book{book}", f"g{book // 2}" if i == 0 else "") for book in range(24) for i in range(5)]
    split = split_by_book(pages, 0.2, 0, test_fraction=0.2)
    assert not straddling(pages, split.train, split.val, split.test)
    assert sorted([*split.train, *split.val, *split.test]) == list(range(120))
    assert 10 <= len(split.test) <= 30
    assert straddling(pages, [0], [5], []) == {"g0"}
    assert split.digest(pages) != split_by_book(pages, 0.2, 1, test_fraction=0.2).digest(pages)
    capped = split_by_book(pages, 0.4, 0, test_fraction=0.4, most=20)
    assert max(len(capped.val), len(capped.test)) <= 25
    few = split_by_book(pages[:40], 0.2, 0, test_fraction=0.2)
    assert few.test == ()
    assert "too few books for a test set" in few.note


def test_batches_hold_every_page_once_and_resume_inside_an_epoch() -> None:
    books = [f"book{i % 5}" for i in range(23)]
    batches = batches_of_epoch(books, 8, 0, 3)
    assert sorted(index for batch in batches for index in batch) == list(range(23))
    assert batches != batches_of_epoch(books, 8, 0, 4)
    whole = list(TrainBatches(books, 8, 0, lambda: (3, 0)))
    assert list(TrainBatches(books, 8, 0, lambda: (3, 2))) == whole[2:]
    shares = [list(TrainBatches(books, 8, 0, lambda: (3, 0), rank, 2)) for rank in (0, 1)]
    assert [len(share) for share in shares] == [2, 2]
    many = [list(TrainBatches(books, 8, 0, lambda: (3, 0), rank, 7)) for rank in range(7)]
    assert [len(share) for share in many] == [1] * 7  # more processes than batches: nobody waits for ever
    assert {share[0].pages for share in many} == {key.pages for key in whole}


def features(pages: list[PageExample]) -> PanelFeatures:
    n = sum(len(one.boxes) for one in pages)
    offsets = np.cumsum([0, *(len(one.boxes) for one in pages)])
    image = np.arange(n, dtype=np.float32)[:, None].repeat(1280, 1)
    return PanelFeatures(image, np.zeros((n, 384), np.float32), np.ones(n, bool), np.ones(n, bool), offsets)


def test_collate_shuffles_rows_and_labels_alike() -> None:
    pages = [page(1, "a", n=5), page(2, "b", n=60, direction="rtl"), page(3, "a", n=1)]
    plain, mixed = collate(pages, features(pages)), collate(pages, features(pages), seed=4)
    assert plain.order.tolist() == [*range(5), *range(60), 0]
    assert mixed.order.tolist() != plain.order.tolist()
    assert mixed.image is not None
    starts = mixed.n_panels.cumsum(0) - mixed.n_panels
    assert (mixed.image[:, 0].long() - starts[mixed.page_index]).tolist() == mixed.order.tolist()
    assert mixed.books.tolist() == [0, 1, 0]
    assert mixed.mask.shape == (3, 60)
    assert mixed.position.tolist() == [*range(5), *range(60), 0]
    assert shuffled("a/0001", 5, 4).tolist() == shuffled("a/0001", 5, 4).tolist()


def test_collate_refuses_pages_without_panels_and_foreign_features() -> None:
    pages = [page(1, "a"), page(2, "a", n=0)]
    with pytest.raises(UsageError, match="at least one panel"):
        collate(pages, features(pages))
    with pytest.raises(UsageError, match="not of these pages"):
        collate(pages[:1], features([page(1, "a", n=4)]))


def test_layout_measures_from_where_reading_starts() -> None:
    ltr, rtl = places_of(page(1, "a")).layout, places_of(page(1, "a", direction="rtl")).layout
    assert ltr[1, 9] == pytest.approx(0.1)
    assert rtl[1, 9] == pytest.approx(0.7)
    assert rtl[0, 8] == -1
