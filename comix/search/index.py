"""The `index` stage: from a store's rows to vectors of length 1, FAISS spaces, BM25 words and the table of panels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from comix.core.files import atomic_writer, json_bytes, write_bytes
from comix.io.zarrlayout import WRITTEN
from comix.io.zarrstore import EmbeddingStore, locked
from comix.search.manifest import NAME, IndexManifest, file_facts, is_current, is_intact, read_manifest, table_digest
from comix.search.spaces import EXACT_BELOW, SPACES, Part, unit, write_space
from comix.search.words import FILES as WORD_FILES
from comix.search.words import write_words

PANELS, PAGES = "panels.parquet", "pages.parquet"
_SOURCES = {"panel": "panel_embeddings", "panel_image": "panel_image_embeddings", "panel_text": "panel_text_embeddings"}


@dataclass(frozen=True, slots=True)
class Indexed:
    """What `build_index` did: vectors per space, different words, and whether there was anything to do."""

    n_vectors: dict[str, int]
    n_words: int
    is_fresh: bool


def build_index(
    store: EmbeddingStore,
    folder: Path,
    page_types: Callable[[], dict[str, str]],
    tables: dict[str, Path],
    overwrite: bool = False,
    exact_below: int = EXACT_BELOW,
) -> Indexed:
    """Index a store, unless its index is current and whole.

    Args:
        store: pages that are written take part, duplicates included.
        folder: gets the index; ``page_id_index.json`` goes beside the store.
        page_types: gives the page type of each page id that has one.
        tables: files that the filters come from, by name; a change makes the index old.
        overwrite: build in any case.
        exact_below: see `write_space`.
    """
    with locked(store.path):
        before = read_manifest(folder)
        if before and not overwrite and is_current(before, store.path, tables) and is_intact(before, folder, thorough=True):
            return Indexed(before.n_vectors, 0, False)
        (folder / NAME).unlink(missing_ok=True)
        digest, table_digests = store.digest(), {name: table_digest(path) for name, path in tables.items()}
        write_norms(store)
        ids = {str(row): page_id for row, page_id in enumerate(store.page_ids())}
        write_bytes(store.path.parent / "page_id_index.json", json_bytes(ids, indent=0))
        _write_panels(store, folder / PANELS)
        _write_pages(store, folder / PAGES, page_types())
        n_words = write_words(folder, _texts(store))
        n_vectors = {}
        for space in SPACES:
            parts = partial(_pages, store) if space == "page" else partial(_panels, store, _SOURCES[space])
            width = {"panel_image": store.dims.image, "panel_text": store.dims.text}.get(space, store.dims.embedding)
            n_vectors[space] = write_space(folder / f"{space}.faiss", parts, width, exact_below)
        names = [PANELS, PAGES, *WORD_FILES, *(f"{space}.faiss" for space in SPACES)]
        IndexManifest(
            model_hash=str(store.attributes["model_hash"]), store_digest=digest, n_rows=store.n_rows, tables=table_digests,
            n_vectors=n_vectors, files={name: file_facts(folder / name) for name in names},
        ).write(folder)  # fmt: skip
    return Indexed(n_vectors, n_words, True)


def write_norms(store: EmbeddingStore) -> None:
    """Write the document's L2-normalised arrays; NaN where there is no panel or the page is not written."""
    store.add_arrays("norm")
    for chunk in range(store.n_chunks):
        with store.claim(chunk):
            rows = store.chunk_rows(chunk)
            arrays = {f"{name}_norm": unit(store.read(name, rows)) for name in ("page_embeddings", "panel_embeddings")}
            store.write_chunk(chunk, arrays, "norm")


def _written(store: EmbeddingStore) -> Iterator[tuple[slice, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Chunk by chunk: rows, which pages are written ``(n,)``, which slots hold a panel ``(n, slots)``."""
    for chunk in range(store.n_chunks):
        rows = store.chunk_rows(chunk)
        written = store.read("status", rows) == WRITTEN
        yield rows, written, store.read("panel_mask", rows) & written[:, None]


def _pages(store: EmbeddingStore) -> Iterator[Part]:
    """Ids are rows of the store."""
    for rows, written, _ in _written(store):
        ids = np.flatnonzero(written) + rows.start
        yield ids.astype(np.int64), unit(store.read("page_embeddings", rows)[written])


def _panels(store: EmbeddingStore, name: str) -> Iterator[Part]:
    """Ids are places in ``panels.parquet``; panels without a vector (no words) take no part."""
    first = 0
    for rows, _, mask in _written(store):
        vectors = store.read(name, rows)[mask]
        has = np.isfinite(vectors).all(axis=1)
        ids = first + np.flatnonzero(has)
        first += len(vectors)
        yield ids.astype(np.int64), unit(vectors[has])


def _texts(store: EmbeddingStore) -> Iterator[str]:
    for rows, _, mask in _written(store):
        yield from (str(text) for text in store.read("text_content", rows)[mask])


def _write_panels(store: EmbeddingStore, path: Path) -> None:
    """One row per panel, in the order of their ids: row of the page, panel from 1, box, words."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    boxes = [(name, pa.float32()) for name in "xywh"]
    schema = pa.schema([("row", pa.int64()), ("panel", pa.int32()), *boxes, ("text", pa.string())])
    with atomic_writer(path) as stream, pq.ParquetWriter(stream, schema) as writer:
        for rows, _, mask in _written(store):
            places, slots = np.nonzero(mask)
            texts = [str(text) for text in store.read("text_content", rows)[mask]]
            columns = [places + rows.start, slots + 1, *store.read("panel_coordinates", rows)[mask].T, texts]
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _write_pages(store: EmbeddingStore, path: Path, page_types: dict[str, str]) -> None:
    """One row per row of the store: id, series, page type, image, whether it is written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = store.page_ids()
    table = pa.table(
        {
            "page_id": pa.array(ids, pa.string()),
            "series": pa.array([str(one) for one in store.read("series")], pa.string()),
            "page_type": pa.array([page_types.get(page_id, "") for page_id in ids], pa.string()),
            "image_path": pa.array([str(one) for one in store.read("image_path")], pa.string()),
            "is_written": pa.array(store.read("status") == WRITTEN, pa.bool_()),
        }
    )
    with atomic_writer(path) as stream:
        pq.write_table(table, stream)
