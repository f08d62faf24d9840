"""Pages to batches of pixels and tokens, for models that train their encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from comix.core.errors import ItemError
from comix.data.batch import collate, shuffled
from comix.data.features import PanelFeatures, panel_crops
from comix.data.page import PageExample
from comix.io.images import read_bgr
from comix.models.batch import Batch
from comix.models.frozen import letterbox


@dataclass(frozen=True, slots=True)
class PixelReader:
    """How a model wants its input.

    Attributes:
        side: pixels of the square that a panel is fitted into.
        mean: per channel, red green blue, 0 to 1; likewise ``std``.
        tokenizer: a transformers tokenizer.
        max_tokens: longer texts are cut here (and only here).
    """

    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    tokenizer: Any
    max_tokens: int = 256


def pixel_batch(pages: Sequence[PageExample], reader: PixelReader, seed: int | None = None) -> Batch:
    """As `comix.data.batch.collate`, with pixels and tokens in place of cached features.

    A page whose image cannot be decoded keeps its words and places; its panels have ``has_image`` False.
    """
    counts = [len(page.boxes) for page in pages]
    pictures = [_pictures(page, reader) for page in pages]
    has_image = np.concatenate([np.full(count, one is not None) for count, one in zip(counts, pictures, strict=True)])
    texts = [text.strip() for page in pages for text in page.texts]
    nothing = np.zeros((len(texts), 0), np.float32)
    has_text = np.array([bool(text) for text in texts], np.bool_)
    offsets = np.cumsum([0, *counts])
    batch = collate(pages, PanelFeatures(nothing, nothing, has_image, has_text, offsets), seed)
    orders = [shuffled(page.page_id, count, seed) for page, count in zip(pages, counts, strict=True)]
    rows = torch.from_numpy(np.concatenate([order + at for order, at in zip(orders, offsets[:-1], strict=True)]))
    blank = torch.zeros(1, 3, reader.side, reader.side)
    per_page = [
        one if one is not None else blank.expand(count, -1, -1, -1) for one, count in zip(pictures, counts, strict=True)
    ]
    pixels = torch.cat(per_page)  # (n, 3, s, s)
    words = reader.tokenizer(
        texts, padding=True, truncation=True, max_length=reader.max_tokens, return_tensors="pt"
    )  # padded to the batch's longest
    return replace(
        batch, image=None, text=None, pixels=pixels[rows], tokens=words["input_ids"][rows],
        tokens_mask=words["attention_mask"][rows],
    )  # fmt: skip


def _pictures(page: PageExample, reader: PixelReader) -> Tensor | None:
    """Panels ``(n, 3, s, s)`` of a page, normalised; None when the image cannot be decoded."""
    try:
        crops = panel_crops(read_bgr(page.image), page)
    except ItemError:
        return None
    squares = np.stack([letterbox(crop, reader.side) for crop in crops])[..., ::-1].astype(np.float32) / 255
    scaled = (squares - np.array(reader.mean, np.float32)) / np.array(reader.std, np.float32)
    return torch.from_numpy(np.ascontiguousarray(scaled)).permute(0, 3, 1, 2)
