"""Pages and their features to a ragged `comix.models.batch.Batch`; usable without Lightning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from comix.core.errors import UsageError
from comix.core.geometry import Box
from comix.core.order import order_panels
from comix.core.page import Direction
from comix.data.features import Floats, Ints, PanelFeatures
from comix.data.page import PageExample
from comix.models.batch import Batch


@dataclass(frozen=True, slots=True)
class Places:
    """Where the panels of a page lie.

    Attributes:
        layout: ``(n, 10)`` float32, columns as `LAYOUT_NAMES`, panels in reading order.
        rule: ``(n,)`` int64, the position that CoMix's rule gives each, from 0; all -1 where it is not to be told.
    """

    layout: Floats
    rule: Ints


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


def collated(
    pages: Sequence[PageExample], features: PanelFeatures, seed: int | None = None, places: Sequence[Places] | None = None
) -> tuple[Batch, Ints]:
    """`collate`, and the row of ``features`` that each row of the batch was.

    Args:
        places: where the pages' panels lie, by `places_of` unless given.
    """
    counts = [len(page.boxes) for page in pages]
    if not pages or min(counts) == 0:
        raise UsageError("a batch holds at least one page, and each of its pages at least one panel")
    if [*np.diff(features.offsets)] != counts:
        raise UsageError("the features are not of these pages: their numbers of panels differ")
    orders = [shuffled(page.page_id, count, seed) for page, count in zip(pages, counts, strict=True)]
    rows = np.concatenate([order + start for order, start in zip(orders, features.offsets[:-1], strict=True)])
    places = places if places is not None else [places_of(page) for page in pages]
    layout, rule = (np.concatenate([getattr(one, name) for one in places])[rows] for name in ("layout", "rule"))
    books = {book: number for number, book in enumerate(dict.fromkeys(page.book_id for page in pages))}
    batch = Batch(
        page_ids=tuple(page.page_id for page in pages),
        books=torch.tensor([books[page.book_id] for page in pages]),
        page_index=torch.repeat_interleave(torch.arange(len(pages)), torch.tensor(counts)),
        n_panels=torch.tensor(counts),
        layout=torch.from_numpy(layout),
        order=torch.from_numpy(np.concatenate(orders)),
        rule=torch.from_numpy(rule),
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
    return np.random.default_rng(seed_of(seed, page_id)).permutation(n)


def seed_of(*parts: object) -> int:
    """A seed that depends on all parts, alike on every machine."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "little")


def places_of(page: PageExample, tell_weak: bool = False) -> Places:
    """Where the panels of a page lie.

    Args:
        tell_weak: also tell what the rule says where the page's own order is a rule's; not where the order is what is asked.
    """
    direction: Direction = "rtl" if page.direction == "rtl" else "ltr"
    is_told = tell_weak or not page.order_is_weak
    rule = rule_of(page.boxes, page.width, page.height, direction, page.page_id) if is_told else np.full(len(page.boxes), -1)
    return Places(layout_of(page.boxes, page.width, page.height, direction), rule)


def rule_of(boxes: Sequence[Box], width: float, height: float, direction: Direction, key: str) -> Ints:
    """The position ``(n,)`` int64 that CoMix's rule gives each panel.

    Args:
        key: the boxes are mixed by it first: a rule that keeps the given order where it cannot tell must not be helped by it.
    """
    rule = np.full(len(boxes), -1, np.int64)
    mixed = shuffled(key, len(boxes), 0)
    found = order_panels([boxes[one] for one in mixed], direction, "auto", (width, height)).indices
    rule[mixed[list(found)]] = np.arange(len(boxes))
    return rule


def layout_of(boxes: Sequence[Box], width: float, height: float, direction: Direction) -> Floats:
    """Layout ``(n, 10)`` float32 of a page's panels, columns as `LAYOUT_NAMES`."""
    sign = -1.0 if direction == "rtl" else 1.0
    x, y, w, h = np.array([one.xywh for one in boxes], np.float64).reshape(-1, 4).T
    aspect = np.log(np.maximum(w, 1.0) / np.maximum(h, 1.0))
    x, y, w, h = x / width, y / height, w / width, h / height
    lead = x if sign > 0 else 1 - x - w
    return np.stack([x, y, w, h, x + w / 2, y + h / 2, w * h, aspect, np.full_like(x, sign), lead], axis=1).astype(np.float32)
