"""Features are computed once, found again, and never mixed up; the cache stays quick however it grew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from comix.core.geometry import Box
from comix.data.cache import FeatureCache, key_of
from comix.data.features import FeatureStore, panel_pictures
from comix.data.page import PageExample


def vectors(start: int, n: int, dim: int = 4) -> tuple[list[bytes], Any]:
    rows = np.arange(start, start + n)
    return [key_of(row) for row in rows], np.repeat(rows[:, None], dim, axis=1).astype(np.float32)


def test_kept_vectors_are_found_fresh_or_not(tmp_path: Path) -> None:
    with FeatureCache(tmp_path, 4) as cache:
        for start in range(0, 100, 10):
            cache.add(*vectors(start, 10))
        cache.add(*vectors(95, 3))  # known already
        keys = vectors(90, 20)[0]
        places = cache.find(keys)
        assert (places >= 0).tolist() == [True] * 10 + [False] * 10
        assert cache.take(places)[:, 0].tolist() == [*range(90, 100), *[0] * 10]
        assert not list(tmp_path.glob("*.npy"))  # ten small batches make no ten files
    assert len(list(tmp_path.glob("*.keys.npy"))) == 1
    again = FeatureCache(tmp_path, 4)
    assert len(again) == 100
    assert again.take(again.find(keys))[:, 0].tolist() == [*range(90, 100), *[0] * 10]


def test_many_small_shards_become_few_unless_somebody_reads_them(tmp_path: Path) -> None:
    for start in range(0, 140, 2):
        with FeatureCache(tmp_path, 4) as cache:
            cache.add(*vectors(start, 2))
        del cache  # while one is in use, nobody merges
    reader = FeatureCache(tmp_path, 4)
    n_files = len(list(tmp_path.glob("*.keys.npy")))
    assert n_files <= 64 + 1  # merged on the way
    for start in range(140, 280, 2):
        with FeatureCache(tmp_path, 4) as cache:
            cache.add(*vectors(start, 2))
    assert len(list(tmp_path.glob("*.keys.npy"))) == n_files + 70  # the reader's files are still there
    keys = vectors(0, 280)[0]
    assert reader.take(reader.find(keys))[:140, 0].tolist() == list(range(140))
    del reader, cache
    merged = FeatureCache(tmp_path, 4)
    assert len(list(tmp_path.glob("*.keys.npy"))) == 1
    assert merged.take(merged.find(keys))[:, 0].tolist() == list(range(280))


def test_an_unreadable_shard_is_as_good_as_none(tmp_path: Path) -> None:
    with FeatureCache(tmp_path, 4) as cache:
        cache.add(*vectors(0, 5))
    next(tmp_path.glob("*.keys.npy")).write_bytes(b"junk")
    assert FeatureCache(tmp_path, 4).find(vectors(0, 5)[0]).tolist() == [-1] * 5


@pytest.fixture
def page(tmp_path: Path) -> PageExample:
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "page.png"), image)
    boxes = (Box(0, 0, 40, 60), Box(40, 0, 40, 60))
    return PageExample("b/0001", "b", tmp_path / "page.png", "", 80, 60, "ltr", boxes, ("words", ""))


def test_images_without_a_hash_are_told_apart(page: PageExample, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "other.png"), np.full((60, 80, 3), 200, np.uint8))
    other = replace(page, page_id="b/0002", image=tmp_path / "other.png")
    gone = replace(page, page_id="b/0003", image=tmp_path / "gone.png")
    with FeatureStore(tmp_path / "cache") as store:
        found = store.panels([page, other, gone])
    assert [(page_id, reason) for page_id, reason, _ in found.failed] == [("b/0003", "image_missing")]
    features = found.of([0, 1, 2])
    assert not np.allclose(features.image[0], features.image[2])
    assert features.has_image.tolist() == [True] * 4 + [False] * 2
    assert features.has_text.tolist() == [True, False] * 3
    again = FeatureStore(tmp_path / "cache").panels([other, page])
    assert again.fresh == 0
    np.testing.assert_array_equal(again.of([1, 0]).image, features.image[:4])
    np.testing.assert_array_equal(again.some([1]).of([0]).image, features.image[:2])


def test_an_image_that_is_not_the_one_told_is_refused(page: PageExample) -> None:
    from comix.core.errors import ItemError

    assert len(panel_pictures(page)) == 2
    with pytest.raises(ItemError, match="image_changed"):
        panel_pictures(replace(page, sha256="0" * 64))


def test_kept_crops_are_those_of_the_page(page: PageExample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    from comix.core.errors import ItemError
    from comix.data import crops

    other = replace(page, page_id="b/0002", boxes=page.boxes[:1], texts=("",))
    gone = replace(page, page_id="b/0003", image=tmp_path / "gone.png")
    store = crops.CropStore(tmp_path / "crops", 32, [page, other, gone], 1e6)
    fresh = [store(one) for one in (page, other)]
    np.testing.assert_array_equal(fresh[0], crops.squares_of(page, 32))
    with pytest.raises(ItemError, match="image_missing"):
        store(gone)
    monkeypatch.setattr(crops, "squares_of", lambda *_: pytest.fail("read again"))
    again = pickle.loads(pickle.dumps(store))  # as a loader's process gets it
    for one, known in zip((page, other), fresh, strict=True):
        np.testing.assert_array_equal(again(one), known)
    monkeypatch.undo()
    (file,) = (tmp_path / "crops" / "32").iterdir()
    data = bytearray(file.read_bytes())
    data[-1 - 2 * 32 * 32 * 3] ^= 255  # of the second page: the third one's place is empty
    file.write_bytes(data)
    np.testing.assert_array_equal(crops.CropStore(tmp_path / "crops", 32, [page, other, gone], 1e6)(other), fresh[1])
    cv2.imwrite(str(page.image), np.full((60, 80, 3), 200, np.uint8))  # another image, other crops
    assert crops.CropStore(tmp_path / "crops", 32, [page, other, gone], 1e6)(page).max() == 200


def test_what_is_beyond_the_limit_is_decoded_each_time(page: PageExample, tmp_path: Path) -> None:
    from comix.data import crops

    pages = [page, replace(page, page_id="b/0002")]
    store = crops.CropStore(tmp_path / "crops", 32, pages, 2 * 32 * 32 * 3)
    assert store.n_kept == 1
    np.testing.assert_array_equal(store(pages[0]), store(pages[1]))
    (file,) = (tmp_path / "crops" / "32").iterdir()
    assert file.stat().st_size == 8 + 2 * 32 * 32 * 3
