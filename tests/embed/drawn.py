"""A tiny encoder with vectors that depend on the page alone, and pages for it; no model, no images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comix.core.errors import ItemError
from comix.core.geometry import Box
from comix.core.journal import Journal
from comix.core.work import Summary
from comix.data.lists import Rejected
from comix.data.page import PageExample
from comix.embed.encoder import EncodedPage, boxes_of
from comix.embed.rows import embed_inputs, row_facts
from comix.embed.stage import EmbedOptions, run_embed
from comix.embed.store import prepare_store
from comix.io.zarrstore import EmbeddingStore

WIDTHS = (8, 6, 4)


def vector(seed: str, width: int) -> Any:
    """A vector that depends on the words given."""
    state = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")
    return np.random.default_rng(state).normal(size=width).astype(np.float32)


class HashEncoder:
    """Implements the `PageEncoder` protocol; stumbles over pages whose id holds "crash"."""

    model_hash = "hash0"
    widths = WIDTHS

    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode(self, pages: Sequence[PageExample]) -> list[EncodedPage | ItemError]:
        if any("crash" in page.page_id for page in pages):
            raise RuntimeError("the model stumbled")
        self.seen += [page.page_id for page in pages]
        return [self._one(page) for page in pages]

    def close(self) -> None:
        """Nothing is kept."""

    def _one(self, page: PageExample) -> EncodedPage | ItemError:
        if "gone" in page.page_id:
            return ItemError("image_missing", str(page.image))
        n = len(page.boxes)
        fused, image, text = (
            np.stack([vector(f"{kind} {page.sha256} {slot} {page.texts[slot]}", width) for slot in range(n)])
            for kind, width in zip(("fused", "image", "text"), WIDTHS, strict=True)
        )
        text[[not words for words in page.texts]] = np.nan
        follow = np.array([*range(1, n), -1])
        attention = np.full(n, 1 / n, np.float32)
        likely = np.full((n, n + 1), 1 / (n + 1), np.float32)
        return EncodedPage(
            page.page_id, fused, image, text, fused.mean(0), attention, follow, likely, boxes_of(page), page.texts
        )


def page(page_id: str, n_panels: int = 3, words: str = "hello from {page_id} panel {slot}", sha: str = "") -> PageExample:
    """A page with panels in a row."""
    texts = tuple(words.format(page_id=page_id, slot=slot + 1) for slot in range(n_panels))
    boxes = tuple(Box(10 + 100 * slot, 10, 90, 200) for slot in range(n_panels))
    book = page_id.rpartition("/")[0]
    image = Path(f"/nowhere/{page_id}.jpg")
    return PageExample(page_id, book, image, sha or page_id, 100 * n_panels + 20, 220, "ltr", boxes, texts)


def pages(n: int, book: str = "Book (2020), #1") -> list[PageExample]:
    """Pages of one book with one to five panels."""
    return [page(f"{book}/{number:04d}", 1 + number % 5) for number in range(1, n + 1)]


def embed(
    folder: Path,
    pages: Sequence[PageExample],
    rejected: Sequence[Rejected] = (),
    encoder: HashEncoder | None = None,
    rows_per_chunk: int = 1000,
    overwrite: bool = False,
    **options: Any,
) -> tuple[Summary, EmbeddingStore]:
    """The stage as its app runs it, without the command line."""
    encoder = encoder or HashEncoder()
    inputs = embed_inputs(pages, rejected, encoder.model_hash, 12)
    images = {one.page_id: one.image for one in pages}
    ids = [one.page_id for one in pages] + [one.page_id for one in rejected if one.page_id]

    def new_rows(present: set[str]) -> list[dict[str, Any]]:
        return row_facts([one for one in ids if one not in present], {}, images, {}, folder)

    path = folder / "embeddings.zarr"
    store = prepare_store(path, encoder.model_hash, 12, lambda: WIDTHS, new_rows, overwrite, rows_per_chunk)
    with Journal(folder / "journal.sqlite", "drawn") as journal:
        summary = run_embed(store, inputs, lambda: encoder, journal, EmbedOptions(batch_size=4, **options))
    return summary, store
