"""Index and search over drawn vectors: nothing hidden by filters, duplicates or ties; an old index is never searched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from drawn import HashEncoder, embed, page, vector

from comix.core.errors import MissingInputError, UsageError
from comix.core.files import read_json
from comix.io.zarrstore import EmbeddingStore
from comix.search.find import Searcher
from comix.search.index import build_index
from comix.search.spaces import Space, unit, write_space
from comix.search.web import ResultPage, slug, write_results
from comix.search.words import WordIndex, words_of, write_words

TYPES = {"A/0001": "cover", "A/0002": "interior", "B/0001": "interior"}


def pages() -> list[Any]:
    lines = ("the witch is flying", "a quiet kitchen", "who killed the gardener?")
    made = [page(f"{book}/{n:04d}", 3, lines[n % 3] + " {slot} {page_id}") for book in "AB" for n in range(1, 7)]
    return [*made, page("B/0007", 2, ""), page("Copy of A/0001", 3, lines[1] + " {slot} A/0001", sha="A/0001")]


def index(folder: Path, **options: Any) -> Any:
    store = EmbeddingStore(folder / "embeddings.zarr")
    return build_index(store, folder / "index", lambda: TYPES, {"curation": folder / "curation.parquet"}, **options)


def searcher(folder: Path) -> Searcher:
    return Searcher(folder / "index", folder / "embeddings.zarr", {"curation": folder / "curation.parquet"})


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with fourteen pages, embedded in chunks of five and indexed; read only."""
    folder = tmp_path_factory.mktemp("embeddings")
    embed(folder, pages(), rows_per_chunk=5)
    assert index(folder).is_fresh
    return folder


def ids(hits: Sequence[Any]) -> list[tuple[str, int]]:
    return [(hit.page_id, hit.panel) for hit in hits]


def test_norms_and_row_index_are_the_documents(indexed: Path) -> None:
    found = xr.open_zarr(indexed / "embeddings.zarr").load()
    lengths = np.linalg.norm(found.panel_embeddings_norm.values, axis=-1)
    np.testing.assert_allclose(lengths[found.panel_mask.values], 1, rtol=1e-6)
    assert np.isnan(lengths[~found.panel_mask.values]).all()
    np.testing.assert_allclose(np.linalg.norm(found.page_embeddings_norm.values, axis=-1), 1, rtol=1e-6)
    rows = read_json(indexed / "page_id_index.json")
    assert [rows[str(row)] for row in range(14)] == [str(one) for one in found.page_id.values]


def test_nothing_to_index_twice(indexed: Path) -> None:
    assert not index(indexed).is_fresh


def test_text_finds_its_words_and_meaning(indexed: Path) -> None:
    hits = searcher(indexed).by_text("GARDENER, who killed?", np.zeros(4, np.float32), 12)
    assert {hit.page_id[-1] for hit in hits} == {"2", "5"}
    assert [hit.rank for hit in hits] == [*range(1, 13)]
    panel = HashEncoder().encode(pages()[:1])[0].panel_text_embeddings[1]
    assert ids(searcher(indexed).by_text("words that are nowhere", unit(panel), 1)) == [("A/0001", 2)]


def test_words_that_say_little_draw_in_no_panel(tmp_path: Path) -> None:
    texts = ["the the the the", "a dragon sleeps", "what is it", "quiet kitchen"]
    write_words(tmp_path, texts)
    index = WordIndex(tmp_path, len(texts))
    assert index.scores("the dragon").argmax() == 1
    assert index.scores("the gardener").max() < 0.1  # "gardener" is nowhere: meaning decides
    assert index.scores("the").argmax() == 0  # alone they count
    assert index.unknown("is the dragoon a gardener?") == ["dragoon", "gardener"]
    assert (index.near("dragoon"), index.near("gardener")) == (["dragon"], [])


def test_pictures_meet_pictures_and_like_meets_the_fused_space(indexed: Path) -> None:
    wanted = HashEncoder().encode([pages()[3]])[0]
    assert ids(searcher(indexed).by_image(unit(wanted.panel_image_embeddings[2]), 1)) == [("A/0004", 3)]
    near = searcher(indexed).like_panel("A/0004", 3, 50)
    assert ("A/0004", 3) not in ids(near)
    assert len(near) == 13 * 3 + 2 - 1
    assert "A/0004" not in {hit.page_id for hit in searcher(indexed).like_page("A/0004", 50)}


def test_both_duplicates_are_found(indexed: Path) -> None:
    wanted = HashEncoder().encode([pages()[0]])[0]
    hits = searcher(indexed).by_image(unit(wanted.panel_image_embeddings[0]), 2)
    assert {hit.page_id for hit in hits} == {"A/0001", "Copy of A/0001"}
    assert hits[0].score == pytest.approx(hits[1].score)
    assert searcher(indexed).like_page("A/0001", 1)[0].page_id == "Copy of A/0001"


def test_filters_go_before_the_search(indexed: Path) -> None:
    found = searcher(indexed)
    only = found.pages_where(page_type="Interior")
    assert {hit.page_id for hit in found.by_image(unit(vector("x", 6)), 6, pages=only)} == {"A/0002", "B/0001"}
    assert len(found.by_text("witch", unit(vector("x", 4)), 50, "page")) == 13  # all but the silent one
    assert len(found.by_text("witch", unit(vector("x", 4)), 50, "page", only)) == 2
    with pytest.raises(UsageError, match=r"page_type=interir: .*did you mean 'interior'.*there are: interior, cover$"):
        found.pages_where(page_type="interir")


def test_pages_are_as_many_as_asked_for(indexed: Path) -> None:
    hits = searcher(indexed).by_image(unit(vector("x", 6)), 9, "page")
    assert len({hit.page_id for hit in hits}) == len(hits) == 9
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize("query", ["", "=", "日本語", "a\nb", "'); DROP --", "💥" * 500, "% # [x] {y} ${z}", "\x00"])
def test_any_characters_may_be_searched(indexed: Path, query: str) -> None:
    assert len(searcher(indexed).by_text(query, unit(vector(query, 4)), 3)) == 3


def test_wrong_pages_and_panels_are_told_with_the_nearest(indexed: Path) -> None:
    found = searcher(indexed)
    with pytest.raises(UsageError, match=r"no such page.*'A/0001'"):
        found.like_page("A/001", 1)
    with pytest.raises(UsageError, match="has 3 panels; wanted a number from 1 to 3"):
        found.like_panel("A/0001", 4, 1)
    assert found.split_like("A/0001:2") == ("A/0001", 2)
    assert found.split_like("Re:Zero") == ("Re:Zero", 0)


def test_an_index_older_than_its_store_is_refused(tmp_path: Path) -> None:
    embed(tmp_path, pages()[:4])
    with pytest.raises(MissingInputError, match=r"not indexed yet.*comix index"):
        searcher(tmp_path)
    index(tmp_path)
    assert searcher(tmp_path)
    embed(tmp_path, pages()[:5])
    with pytest.raises(UsageError, match=r"older than its store.*comix index"):
        searcher(tmp_path)
    assert index(tmp_path).is_fresh
    assert ids(searcher(tmp_path).by_text("A/0005", unit(vector("x", 4)), 1))[0][0] == "A/0005"
    (tmp_path / "curation.parquet").write_bytes(b"newer")
    with pytest.raises(UsageError, match="older than"):
        searcher(tmp_path)


def test_a_changed_index_file_is_noticed(tmp_path: Path) -> None:
    embed(tmp_path, pages()[:2])
    index(tmp_path)
    with (tmp_path / "index" / "panel.faiss").open("r+b") as stream:
        stream.seek(200)
        stream.write(b"\xff")
    with pytest.raises(UsageError, match=r"damaged.*comix index"):
        searcher(tmp_path)
    assert index(tmp_path).is_fresh
    assert searcher(tmp_path)


def test_cells_give_what_comparing_with_all_gives(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    vectors = unit(random.normal(size=(3000, 16)).astype(np.float32))
    numbers = np.arange(3000)

    def parts() -> Any:
        yield numbers[:1000], vectors[:1000]
        yield numbers[1000:], vectors[1000:]

    for name, limit in (("flat", 10_000), ("cells", 100)):
        assert write_space(tmp_path / name, parts, 16, limit) == 3000
    flat, cells = Space(tmp_path / "flat"), Space(tmp_path / "cells")
    allowed = random.random(3000) < 0.003
    for query in vectors[:5]:
        np.testing.assert_array_equal(flat.nearest(query, 50, allowed)[0], cells.nearest(query, 50, allowed)[0])
        assert flat.nearest(query, 1)[0] == cells.nearest(query, 1)[0]
    np.testing.assert_array_equal(cells.vector(17), vectors[17])


def test_word_shares_agree_with_an_independent_bm25(tmp_path: Path) -> None:
    from rank_bm25 import BM25Plus

    texts = [f"{one.texts[0]} extra{number % 4}" for number, one in enumerate(pages())]
    write_words(tmp_path, texts)
    ours = WordIndex(tmp_path, len(texts)).scores("killed extra2")
    theirs = BM25Plus([words_of(text) for text in texts], k1=1.2, b=0.75, delta=0).get_scores(["killed", "extra2"])
    assert np.argsort(-ours, kind="stable")[:3].tolist() == np.argsort(-theirs, kind="stable")[:3].tolist()
    assert 0 < ours.max() < 1


def test_words_come_apart_in_any_script() -> None:
    assert words_of("It's 10% O’Brien—ＡＢＣ naïve") == ["its", "10", "obrien", "abc", "naïve"]
    assert words_of("「何だ？」") == ["何だ"]


def test_no_texts_at_all(tmp_path: Path) -> None:
    embed(tmp_path, [page("A/0001", 2, "")])
    index(tmp_path)
    assert searcher(tmp_path).by_text("witch", unit(vector("x", 4)), 5) == []


def test_the_page_escapes_everything(indexed: Path, tmp_path: Path) -> None:
    hits = searcher(indexed).by_text("witch", unit(vector("x", 4)), 2)
    query = "<script>alert('x')</script> witch"
    path = tmp_path / f"{slug('text', query)}.html"
    write_results(path, ResultPage(query, "text", (("embeddings", "<b>"),)), hits, lambda hit: "")
    html = path.read_text(encoding="utf-8")
    assert "<script>" not in html
    assert "&lt;b&gt;" in html
    assert "<mark>witch</mark>" in html


def test_query_vectors_are_the_collections_own() -> None:
    from comix.models.frozen import text_encoder
    from comix.search.minilm import QueryEncoder

    texts = ["Don't even think about it!", "日本語 and ünïcode", "x", "a long one " * 200]
    theirs = text_encoder().encode(texts)
    encoder = QueryEncoder()
    for text, wanted in zip(texts, theirs, strict=True):
        np.testing.assert_allclose(encoder.encode(text), wanted, atol=2e-6)
