"""Pages in, rows out: what is stored is what was encoded, rows never move, a killed run goes on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from drawn import HashEncoder, embed, page, pages

from comix.core.errors import ItemError, UsageError
from comix.core.shard import Shard
from comix.core.workspace import Workspace
from comix.data.lists import Rejected
from comix.data.page import PageExample
from comix.embed.encoder import EncodedPage
from comix.embed.place import choose_embeddings, mark_finished
from comix.embed.stage import EmbedStoppedError
from comix.embed.texts import derive_texts, write_texts
from comix.io.tables import read_parquet
from comix.io.zarrstore import EmbeddingStore

BALLOON = "Zwölf Boxkämpfer jagen 日本語 " * 200


def opened(path: Path) -> xr.Dataset:
    """What a user types, any warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return xr.open_zarr(path).load()


def test_plain_open_zarr_gives_what_was_encoded(tmp_path: Path) -> None:
    first, silent = page("b/0001", 3, BALLOON), page("b/0002", 2, "")
    summary, store = embed(tmp_path, [first, silent])
    assert (summary.done, summary.inputs, summary.exit_code) == (2, 2, 0)
    found = opened(store.path)
    assert dict(found.sizes) == {
        "page_id": 2, "panel_id": 12, "embedding_dim": 8, "coord_dim": 4, "image_dim": 6, "text_dim": 4, "next_dim": 13,
    }  # fmt: skip
    wanted = HashEncoder().encode([first])[0]
    row = found.sel(page_id="b/0001")
    np.testing.assert_array_equal(row.panel_embeddings.values[:3], wanted.panel_embeddings)
    np.testing.assert_array_equal(row.panel_image_embeddings.values[:3], wanted.panel_image_embeddings)
    np.testing.assert_array_equal(row.page_embeddings.values, wanted.page_embedding)
    np.testing.assert_array_equal(row.panel_coordinates.values[:3], wanted.boxes)
    assert row.reading_order.values[:4].tolist() == [1, 2, -1, -2]
    assert [str(text) for text in row.text_content.values[:3]] == [BALLOON] * 3
    assert len(BALLOON) > 5000
    assert np.isnan(found.sel(page_id="b/0002").panel_text_embeddings.values).all()
    write_texts(store, tmp_path / "text.parquet")
    table = read_parquet(tmp_path / "text.parquet")
    assert table["text"].tolist() == [BALLOON] * 3 + [""] * 2
    assert table["panel"].tolist() == [1, 2, 3, 1, 2]


def test_padding_is_empty(tmp_path: Path) -> None:
    _, store = embed(tmp_path, pages(7))
    found = opened(store.path)
    unused = ~found.panel_mask.values
    for name in (
        "panel_embeddings",
        "panel_image_embeddings",
        "panel_text_embeddings",
        "panel_coordinates",
        "attention_weights",
    ):
        assert np.isnan(found[name].values[unused]).all(), name
        assert np.isfinite(found[name].values[~unused]).all(), name
    assert set(found.reading_order.values[unused].tolist()) == {-2}
    np.testing.assert_allclose(found.attention_weights.sum("panel_id"), 1, rtol=1e-6)


def test_the_layout_is_the_documents(tmp_path: Path) -> None:
    _, store = embed(tmp_path, pages(1))
    array = store._array("panel_embeddings")
    assert array.chunks == (1000, 12, 8)
    kinds = [type(codec).__name__ for codec in array.compressors]
    assert kinds == ["BloscCodec", "Crc32cCodec"]
    assert array.compressors[0].cname.value == "zstd"


def test_a_damaged_chunk_is_noticed(tmp_path: Path) -> None:
    from comix.core.errors import FileFormatError

    _, store = embed(tmp_path, pages(3))
    chunk = store.path / "panel_embeddings" / "c" / "0" / "0" / "0"
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)
    with pytest.raises(FileFormatError, match="panel_embeddings"):
        EmbeddingStore(store.path).read("panel_embeddings")


def test_added_pages_get_new_rows_and_the_old_ones_stay(tmp_path: Path) -> None:
    early = pages(5)
    _, store = embed(tmp_path, early, rows_per_chunk=4)
    before = store.read("panel_embeddings")
    late, encoder = [page("A new book/0001"), *early, page("Z/0001")], HashEncoder()
    summary, store = embed(tmp_path, late, encoder=encoder, rows_per_chunk=4)
    assert store.page_ids() == [*(one.page_id for one in early), "A new book/0001", "Z/0001"]
    assert encoder.seen == ["A new book/0001", "Z/0001"]
    assert (summary.done, summary.fresh) == (7, 2)
    np.testing.assert_array_equal(store.read("panel_embeddings")[:5], before)
    assert opened(store.path).sizes["page_id"] == 7


def test_nothing_to_do_needs_no_model(tmp_path: Path) -> None:
    embed(tmp_path, pages(5))
    encoder = HashEncoder()
    summary, _ = embed(tmp_path, pages(5), encoder=encoder)
    assert (summary.done, summary.fresh, encoder.seen) == (5, 0, [])


def test_changed_words_are_embedded_again_in_place(tmp_path: Path) -> None:
    before = pages(5)
    _, store = embed(tmp_path, before)
    digest, encoder = store.digest(), HashEncoder()
    after = [*before[:2], page(before[2].page_id, 2, "other words"), *before[3:]]
    _, store = embed(tmp_path, after, encoder=encoder)
    assert encoder.seen == [before[2].page_id]
    assert store.page_ids() == [one.page_id for one in before]
    assert store.digest() != digest


def test_every_input_ends_in_one_state(tmp_path: Path) -> None:
    good = [*pages(4), page("b/gone"), page("b/crash"), page("b/big", 60)]
    rejected = [
        Rejected("lists/x.json", "b/bare", "skipped", "no_panels", "none"),
        Rejected("lists/nan.json", "b/nan", "failed", "invalid_input", "panel 0: nan"),
        Rejected("lists/missing.json", "", "failed", "missing_input", "no such file"),
        Rejected("lists/again.json", good[0].page_id, "skipped", "duplicate", "listed before"),
    ]
    summary, store = embed(tmp_path, good, rejected)
    assert (summary.inputs, summary.done, summary.failed, summary.skipped) == (10, 5, 4, 1)
    assert "1 pages have more than max_panels=12 panels: 48 left out" in summary.line()
    found = opened(store.path)
    for page_id, status in {"b/bare": 3, "b/nan": 2, "b/gone": 2, "b/crash": 2, "b/big": 1}.items():
        row = found.sel(page_id=page_id)
        assert int(row.status) == status
        assert int(row.panel_mask.sum()) == (12 if page_id == "b/big" else 0)
    assert int(found.sel(page_id="b/big").n_panels_dropped) == 48
    assert int(found.sel(page_id="b/big").reading_order[11]) == -3
    again, _ = embed(tmp_path, good, rejected)
    assert (again.done, again.failed, again.skipped) == (5, 4, 1)


def test_a_page_that_breaks_later_keeps_its_row(tmp_path: Path) -> None:
    both = pages(2)
    _, store = embed(tmp_path, both)
    before = store.read("panel_embeddings")
    gone = Rejected("x", both[1].page_id, "failed", "image_missing", "gone")
    for _ in range(2):
        summary, store = embed(tmp_path, both[:1], [gone])
        assert (summary.done, summary.failed) == (1, 1)
    np.testing.assert_array_equal(store.read("panel_embeddings"), before)


def test_a_run_that_died_before_its_journal_goes_on(tmp_path: Path) -> None:
    whole, half = tmp_path / "whole", tmp_path / "half"
    _, undisturbed = embed(whole, pages(9), rows_per_chunk=4)
    _, store = embed(half, pages(9), rows_per_chunk=4)
    with sqlite3.connect(half / "journal.sqlite") as db:
        db.execute("DELETE FROM items WHERE key LIKE '%3' OR key LIKE '%7'")
    rows = store.chunk_rows(1)
    arrays = store.read_chunk(1)
    arrays["status"][:] = 0
    arrays["panel_embeddings"][:] = 7
    store.write_chunk(1, arrays)
    encoder = HashEncoder()
    summary, store = embed(half, pages(9), encoder=encoder, rows_per_chunk=4)
    assert (summary.done, summary.fresh) == (9, 5)
    assert rows == slice(4, 8)
    xr.testing.assert_identical(opened(store.path), opened(undisturbed.path))


@pytest.mark.parametrize("grown", [lambda name: True, lambda name: name == "page_id", lambda name: name != "page_id"])
@pytest.mark.parametrize("to", [5, 6])
def test_a_skeleton_that_died_while_growing_is_finished(tmp_path: Path, grown: Callable[[str], bool], to: int) -> None:
    _, store = embed(tmp_path, pages(3))
    for name, array in list(store._group.arrays()):
        if "page_id" in (array.metadata.dimension_names or ()) and grown(name):
            array.resize((to, *array.shape[1:]))
    summary, store = embed(tmp_path, pages(5))
    assert (summary.done, store.n_rows, len(store.page_ids())) == (5, 5, 5)
    assert opened(store.path).sizes["page_id"] == 5


def test_another_model_is_refused(tmp_path: Path) -> None:
    embed(tmp_path, pages(2))
    other = HashEncoder()
    other.model_hash = "hash1"  # type: ignore[misc]
    with pytest.raises(UsageError, match=r"another model.*overwrite=true"):
        embed(tmp_path, pages(2), encoder=other)
    summary, store = embed(tmp_path, pages(2), encoder=other, overwrite=True)
    assert (summary.fresh, store.attributes["model_hash"]) == (2, "hash1")


def test_two_processes_write_shards_of_one_store(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from drawn import embed, pages; from comix.core.shard import Shard; " \
        "embed(Path(sys.argv[1]), pages(80), rows_per_chunk=10, shard=Shard(int(sys.argv[2]), 2))"  # fmt: skip
    here = Path(__file__).parent
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "shared"), str(part)], cwd=here) for part in (1, 2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    _, alone = embed(tmp_path / "alone", pages(80), rows_per_chunk=10)
    encoder = HashEncoder()
    summary, shared = embed(tmp_path / "shared", pages(80), encoder=encoder, rows_per_chunk=10)
    assert (summary.done, encoder.seen) == (80, [])
    xr.testing.assert_identical(opened(shared.path), opened(alone.path))


def test_rows_added_while_a_chunk_is_written_leave_it_whole(tmp_path: Path) -> None:
    early, late = pages(5), [*pages(5), *pages(4, "Later")]
    _, store = embed(tmp_path, early)
    with sqlite3.connect(tmp_path / "journal.sqlite") as db:
        db.execute("DELETE FROM items")

    class Slow(HashEncoder):
        """Waits in the middle of the chunk until another process has added rows to it."""

        def encode(self, pages: Sequence[PageExample]) -> list[EncodedPage | ItemError]:
            if not self.seen:
                code = "import sys; from pathlib import Path; from drawn import *; folder = Path(sys.argv[1]); " \
                    "late = [*pages(5), *pages(4, 'Later')]; rows = lambda present: row_facts([one.page_id for one in late " \
                    "if one.page_id not in present], {}, {one.page_id: one.image for one in late}, {}, folder); " \
                    "prepare_store(folder / 'embeddings.zarr', 'hash0', 12, lambda: WIDTHS, rows)"  # fmt: skip
                subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parent, check=True)
            return super().encode(pages)

    summary, store = embed(tmp_path, early, encoder=Slow())
    assert (summary.done, summary.failed, store.n_rows) == (5, 0, 9)
    summary, store = embed(tmp_path, late)
    assert (summary.done, summary.fresh) == (9, 4)
    _, alone = embed(tmp_path / "alone", late)
    xr.testing.assert_identical(opened(store.path), opened(alone.path))


def test_what_is_no_pages_fault_stops_the_run_and_keeps_what_is_done(tmp_path: Path) -> None:
    class Broken(HashEncoder):
        """Works for a batch, then never again."""

        fault: Exception = OSError(28, "No space left on device")

        def encode(self, pages: Sequence[PageExample]) -> list[EncodedPage | ItemError]:
            if self.seen:
                raise self.fault
            return super().encode(pages)

    with pytest.raises(OSError, match="No space left"):
        embed(tmp_path, pages(40), encoder=Broken())
    lost = Broken()
    lost.fault = RuntimeError("CUDA error: device lost")
    with pytest.raises(EmbedStoppedError, match=r"page after page.*device lost"):
        embed(tmp_path / "other", pages(40), encoder=lost)
    for folder in (tmp_path, tmp_path / "other"):
        summary, _ = embed(folder, pages(40))
        assert (summary.done, summary.failed, summary.fresh) == (40, 0, 36)


def test_too_large_a_batch_is_halved(tmp_path: Path) -> None:
    class Small(HashEncoder):
        """Has memory for one page."""

        def encode(self, pages: Sequence[PageExample]) -> list[EncodedPage | ItemError]:
            if len(pages) > 1:
                raise MemoryError
            return super().encode(pages)

    summary, _ = embed(tmp_path, pages(9), encoder=Small())
    assert (summary.done, summary.failed) == (9, 0)


def test_the_table_of_words_is_written_by_the_share_that_settles_the_last_row(tmp_path: Path) -> None:
    table = tmp_path / "text.parquet"
    for part, written in ((1, False), (2, True)):
        _, store = embed(tmp_path, pages(12), rows_per_chunk=4, shard=Shard(part, 2))
        assert derive_texts(store, table, is_share=True) == written
    assert not derive_texts(store, table, is_share=False)  # nothing changed since
    assert len(read_parquet(table)) == sum(len(one.boxes) for one in pages(12))
    _, store = embed(tmp_path, [*pages(12), page("New/0001")], rows_per_chunk=4)
    assert derive_texts(store, table, is_share=False)


def test_the_newest_embeddings_are_those_written_last(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for name in ("older", "newer"):
        embed(tmp_path / "embeddings" / name, pages(1))
        mark_finished(tmp_path / "embeddings" / name, "hash0")
    assert choose_embeddings(workspace, "") == "newer"
    os.utime(tmp_path / "embeddings/older/embeddings.zarr/status")  # a folder's time says nothing
    assert choose_embeddings(workspace, "") == "newer"
    mark_finished(tmp_path / "embeddings" / "older", "hash0")
    assert choose_embeddings(workspace, "") == "older"
