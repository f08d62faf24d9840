"""Panel and page embeddings of a trained model, in one zarr store that plain xarray opens.

Writes ``embeddings/<name>/embeddings.zarr`` and ``text.parquet`` beside it. Finished pages are left alone, new books are
added at the end, rows never move. Killed at any moment, the same command goes on; several processes may share the work
with ``shard=``.

Examples:
  comix embed
  comix embed checkpoint=base name=base batch_size=64
  comix embed skeleton=true && (comix embed shard=1/2 & comix embed shard=2/2)
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.apps.common import finish, say, workspace_of
from comix.core.errors import UsageError
from comix.core.journal import Journal
from comix.core.shard import parse_shard
from comix.core.workspace import Workspace
from comix.data.lists import Rejected, load_pages
from comix.data.page import PageExample
from comix.embed.place import STORE, TEXTS, choice_of_checkpoint, embeddings_dir, find_checkpoint, mark_finished
from comix.embed.rows import embed_inputs, row_facts
from comix.embed.stage import EmbedOptions, run_embed
from comix.embed.store import prepare_store
from comix.embed.texts import derive_texts
from comix.io.tables import read_pages
from comix.train.card import identity

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from comix.embed.encoder import CheckpointEncoder


def main(cfg: DictConfig) -> int:
    """Run the stage; its exit code."""
    workspace = workspace_of(cfg)
    options = EmbedOptions(cfg.batch_size, parse_shard(cfg.shard), cfg.retry)
    if cfg.overwrite and cfg.shard:
        raise UsageError("overwrite=true with shard=: shards would throw each other away; first use skeleton=true")
    checkpoint = find_checkpoint(workspace, cfg.checkpoint)
    folder = embeddings_dir(workspace, cfg.name or checkpoint.name)
    say(f"embed: {choice_of_checkpoint(workspace, checkpoint, cfg.checkpoint)}")
    listed = _list_file(workspace, cfg.list)
    root = Path(cfg.image_root) if cfg.image_root else workspace.root
    known = workspace.root / "cache" / "pages.sqlite"
    pages, rejected = load_pages([listed], root, None, workspace.curation_table, known, cfg.limit)
    model_hash = identity(checkpoint)
    encoder = Encoder(checkpoint, workspace.root / "cache" / "features", cfg.device)
    rows = partial(_new_rows, workspace, pages, rejected)
    store = prepare_store(
        folder / STORE, model_hash, cfg.max_panels, lambda: encoder.open().widths, rows, overwrite=cfg.overwrite
    )
    if cfg.skeleton:
        say(f"embed: skeleton with {store.n_rows} rows of {store.dims.max_panels} panels: {store.path}")
        return 0
    inputs = embed_inputs(pages, rejected, model_hash, cfg.max_panels)
    with Journal(workspace.journal("embed"), folder.name) as journal:
        summary = run_embed(store, inputs, encoder.open, journal, options)
    if summary.fresh:
        mark_finished(folder, model_hash)
    if not summary.interrupted:
        derive_texts(store, folder / TEXTS, is_share=bool(cfg.shard))
    n_twice = sum(one.reason == "duplicate" for one in rejected)
    summary.notes += [f"{n_twice} lines of the list name a page again"] if n_twice else []
    summary.notes.append(str(store.path))
    return finish(summary, workspace)


class Encoder:
    """A checkpoint that is loaded when it is first needed, and once."""

    def __init__(self, checkpoint: Path, cache_dir: Path, device: str) -> None:
        self._arguments = (checkpoint, cache_dir, device)
        self._opened: CheckpointEncoder | None = None

    def open(self) -> CheckpointEncoder:
        """The encoder."""
        from comix.embed.encoder import CheckpointEncoder

        self._opened = self._opened or CheckpointEncoder(*self._arguments)
        return self._opened


def _list_file(workspace: Workspace, listed: str) -> Path:
    """A list as given, or inside the workspace where that is not there."""
    path = Path(listed)
    return path if path.is_absolute() or path.is_file() else workspace.root / path


def _new_rows(
    workspace: Workspace, pages: list[PageExample], rejected: list[Rejected], present: set[str]
) -> list[dict[str, Any]]:
    """Facts of the pages that have no row yet, in the order of the list."""
    new = [page.page_id for page in pages if page.page_id not in present]
    new += [one.page_id for one in rejected if one.page_id and one.page_id not in present]
    if not new:
        return []
    records = read_pages(workspace.pages_table) if workspace.pages_table.is_file() else []
    manifests = {page.page_id: page.dataspec for page in pages if page.dataspec is not None}
    manifests |= {one.page_id: Path(one.path) for one in rejected if one.page_id not in manifests}
    images = {page.page_id: page.image for page in pages}
    known = {record.page_id: record for record in records}
    return row_facts(dict.fromkeys(new), known, images, manifests, workspace.root)
