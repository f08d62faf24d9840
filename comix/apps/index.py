"""Vectors of length 1, FAISS indexes and a word index over the embeddings, for `search`.

Writes ``page_embeddings_norm`` and ``panel_embeddings_norm`` into the store, ``page_id_index.json`` beside it, and
``index/`` with the sha256 of every file, the model's hash and a digest of the store. Duplicates take part like any page.

Examples:
  comix index
  comix index name=base
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comix.apps.common import say, workspace_of
from comix.core.workspace import Workspace
from comix.embed.place import INDEX, STORE, choose_embeddings, embeddings_dir

if TYPE_CHECKING:
    from omegaconf import DictConfig


def filter_tables(workspace: Workspace) -> dict[str, Path]:
    """Tables that the filters of `search` come from."""
    return {"curation": workspace.curation_table}


def page_types(workspace: Workspace) -> dict[str, str]:
    """Page type of each page: `curate`'s where it ran, else the metadata's."""
    from comix.io.tables import read_pages, read_parquet

    pages = read_pages(workspace.pages_table) if workspace.pages_table.is_file() else []
    types = {page.page_id: page.page_type for page in pages}
    if workspace.curation_table.is_file():
        table = read_parquet(workspace.curation_table)
        types |= {str(page): str(kind) for page, kind in zip(table["page_id"], table["page_type"], strict=True)}
    return types


def main(cfg: DictConfig) -> int:
    """Build it; 0."""
    from comix.io.zarrlayout import FAILED, NO_PANELS, WRITTEN
    from comix.io.zarrstore import EmbeddingStore
    from comix.search.index import build_index

    workspace = workspace_of(cfg)
    name = choose_embeddings(workspace, cfg.name)
    folder = embeddings_dir(workspace, name)
    store = EmbeddingStore(folder / STORE)
    built = build_index(store, folder / INDEX, lambda: page_types(workspace), filter_tables(workspace), overwrite=cfg.overwrite)
    status = store.read("status")
    counts = {label: int((status == value).sum()) for label, value in (("failed", FAILED), ("without panels", NO_PANELS))}
    n_written = int((status == WRITTEN).sum())
    counts = {"indexed": n_written, **counts, "not embedded yet": len(status) - n_written - sum(counts.values())}
    parts = " + ".join(f"{n} {label}" for label, n in counts.items())
    say(f"index: {len(status)} pages = {parts}" + ("" if built.is_fresh else " (0 to do)"))
    vectors = ", ".join(f"{space} {n}" for space, n in built.n_vectors.items())
    say(f"  vectors: {vectors}; {folder / INDEX}")
    return 0
