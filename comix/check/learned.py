"""Models, embedding stores and indexes: checksums, and whether they still belong together."""

from __future__ import annotations

from collections.abc import Iterator

from comix.check.finding import Part
from comix.core.errors import ComixError
from comix.core.workspace import Workspace
from comix.embed.place import INDEX, STORE
from comix.io.zarrstore import EmbeddingStore
from comix.search.manifest import is_intact, read_manifest
from comix.train.card import CARD, check_weights, read_card


def check_models(workspace: Workspace, deep: bool) -> Iterator[Part]:
    """Every model's card; ``deep``: its weights against the card's checksum."""
    part = Part("models", "models")
    for card in sorted(workspace.root.glob(f"models/*/{CARD}")):
        part.n_looked_at += 1
        try:
            check_weights(card.parent) if deep else read_card(card.parent)
        except ComixError as error:
            part.add(card.parent, str(error), "train it again, or restore it from a copy")
    if part.n_looked_at:
        yield part


def check_embeddings(workspace: Workspace, deep: bool) -> Iterator[Part]:
    """Every store opens, and its index was built of it; ``deep``: every chunk against its crc32c, every index file."""
    for path in sorted(workspace.root.glob(f"embeddings/*/{STORE}")):
        name = path.parent.name
        part = Part(f"embeddings/{name}", "rows")
        try:
            store = EmbeddingStore(path)
            part.n_looked_at = store.n_rows
            for chunk in range(store.n_chunks) if deep else ():
                store.read_chunk(chunk)
        except (ComixError, OSError, ValueError, KeyError, RuntimeError) as error:
            part.add(path, f"{type(error).__name__}: {error}", f"comix embed name={name} overwrite=true")
        index = path.parent / INDEX
        if index.is_dir():
            manifest = read_manifest(index)
            if manifest is None or not is_intact(manifest, index, thorough=deep):
                part.add(index, "its files are not those that were indexed", f"comix index name={name} overwrite=true")
        yield part
