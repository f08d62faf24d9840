"""Making and growing the store of one model: a row for every page of the list, in permanent order."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from comix.core.errors import UsageError
from comix.io.zarrlayout import Dims
from comix.io.zarrstore import ROWS_PER_CHUNK, EmbeddingStore, locked


def prepare_store(
    path: Path,
    model_hash: str,
    max_panels: int,
    widths: Callable[[], tuple[int, int, int]],
    new_rows: Callable[[set[str]], Sequence[dict[str, Any]]],
    overwrite: bool = False,
    rows_per_chunk: int = ROWS_PER_CHUNK,
) -> EmbeddingStore:
    """The store with a row for every page, made or grown as needed; safe beside other processes that do the same.

    Args:
        path: the ``.zarr`` folder.
        model_hash: of the model whose embeddings it holds.
        max_panels: slots per page.
        widths: gives the widths of fused, image and text embeddings; asked only for a new store.
        new_rows: given the ids that have a row, the ``row`` variables of the pages that have none.
        overwrite: remove an existing store first.
        rows_per_chunk: pages in a chunk of a new store.

    Raises:
        UsageError: the store is of another model or another number of slots.
    """
    with locked(path):
        if overwrite and path.exists():
            _remove(path)
        if not path.exists():
            dims = Dims(max_panels, *widths())
            EmbeddingStore.create(path, dims, {"model_hash": model_hash}, rows_per_chunk)
        store = EmbeddingStore(path)
        _check(store, model_hash, max_panels)
        store.add_arrays("data")
        store.append(new_rows(set(store.page_ids())))
    return EmbeddingStore(path)


def _check(store: EmbeddingStore, model_hash: str, max_panels: int) -> None:
    again = "start it anew with overwrite=true, or choose another name="
    found = store.attributes.get("model_hash")
    if found != model_hash:
        raise UsageError(f"{store.path}: was made with another model (store {found}, checkpoint {model_hash}); {again}")
    if store.dims.max_panels != max_panels:
        raise UsageError(f"{store.path}: has max_panels={store.dims.max_panels}, asked for {max_panels}; {again}")


def _remove(path: Path) -> None:
    """Take the store away under its name at once, then delete it."""
    old = path.with_name(f".old-{os.getpid()}-{path.name}")
    path.rename(old)
    shutil.rmtree(old)
