"""Pages and their features to a ragged `comix.models.batch.Batch`; usable without Lightning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch

from comix.core.errors import UsageError
from comix.data.features import Floats, Ints, PanelFeatures
from comix.data.page import PageExample
from comix.models.batch import LAYOUT_NAMES, Batch


def collate(pages: Sequence[PageExample], features: PanelFeatures, seed: int | None = None) -> Batch:
    """One batch out of pages; pages without panels must be left out by the caller.

    Args:
        pages: one or more, each with at least one panel.
        features: of exactly these pages, in this order (`PanelFeatures.of` picks pages out of a larger set).
        seed: shuffles the panels of each page, so that their place in the batch says nothing of the reading order; None
            keeps the page's own order (row ``i`` of a page is its panel ``i``), for the embedder and the search; the model
            gives the same embeddings either way.

    Raises:
        UsageError: no pages, a page without panels, or features of other pages.
    """
    return collated(pages, features, seed)[0]


def collated(pages: Sequence[PageExample], features: PanelFeatures, seed: int | None = None) -> tuple[Batch, Ints]:
    """`collate`, and the row of ``features`` that each row of the batch was."""
    counts = [len(page.boxes) for page in pages]
    if not pages or min(counts) == 0:
        raise UsageError("a batch holds at least one page, and each of its pages at least one panel")
    if [*np.diff(features.offsets)] != counts:
        raise UsageError("the features are not of these pages: their numbers of panels differ")
    orders = [shuffled(page.page_id, count, seed) for page, count in zip(pages, counts, strict=True)]
    rows = np.concatenate([order + start for order, start in zip(orders, features.offsets[:-1], strict=True)])
    layout = np.concatenate([page_layout(page) for page in pages])[rows]
    books = {book: number for number, book in enumerate(dict.fromkeys(page.book_id for page in pages))}
    batch = Batch(
        page_ids=tuple(page.page_id for page in pages),
        books=torch.tensor([books[page.book_id] for page in pages]),
        page_index=torch.repeat_interleave(torch.arange(len(pages)), torch.tensor(counts)),
        n_panels=torch.tensor(counts),
        layout=torch.from_numpy(layout),
        order=torch.from_numpy(np.concatenate(orders)),
        has_image=torch.from_numpy(features.has_image[rows]),
        has_text=torch.from_numpy(features.has_text[rows]),
        has_layout=torch.ones(len(rows), dtype=torch.bool),
        image=torch.from_numpy(features.image[rows]),
        text=torch.from_numpy(features.text[rows]),
    )
    return batch, rows


def shuffled(page_id: str, n: int, seed: int | None) -> Ints:
    """A permutation of ``n`` panels that depends on the seed and the page only; 0, 1, .. without a seed."""
    if seed is None:
        return np.arange(n)
    entropy = int.from_bytes(hashlib.sha256(f"{seed}/{page_id}".encode()).digest()[:8], "little")
    return np.random.default_rng(entropy).permutation(n)


def page_layout(page: PageExample) -> Floats:
    """Layout ``(n, 10)`` float32 of a page's panels, columns as `LAYOUT_NAMES`."""
    sign = -1.0 if page.direction == "rtl" else 1.0
    rows = []
    for box in page.boxes:
        x, y, w, h = box.x / page.width, box.y / page.height, box.w / page.width, box.h / page.height
        lead = x if sign > 0 else 1 - x - w
        aspect = float(np.log(max(box.w, 1.0) / max(box.h, 1.0)))
        rows.append([x, y, w, h, x + w / 2, y + h / 2, w * h, aspect, sign, lead])
    return np.array(rows, np.float32).reshape(-1, len(LAYOUT_NAMES))
