"""Pages to batches of pixels and tokens, for models that train their encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from comix.core.errors import ItemError
from comix.data.batch import Places, collated
from comix.data.features import CropReader, PageProgress, PanelFeatures, panel_pictures
from comix.data.known import Known, Stat, stat_of
from comix.data.page import PageExample
from comix.models.batch import Batch
from comix.models.frozen import letterbox

_KEEP_AT = 256


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

    def tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token ids and their mask, both ``(n, l)`` int64, padded to the longest text."""
        words = self.tokenizer(list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt")
        return words["input_ids"], words["attention_mask"]


def pixel_batch(
    pages: Sequence[PageExample], reader: PixelReader, seed: int | None = None, read: CropReader = panel_pictures,
    places: Sequence[Places] | None = None,
) -> Batch:  # fmt: skip
    """As `comix.data.batch.collate`, with pixels and tokens in place of cached features.

    A page whose image can no longer be read keeps its words and places; its panels have ``has_image`` False. Training and
    embedding leave out beforehand what cannot be read at their start, and say so.

    Args:
        read: gives the pictures of a page; for callers that need them too.
        places: where the pages' panels lie, by `comix.data.batch.places_of` unless given.
    """
    counts = [len(page.boxes) for page in pages]
    pictures = [_pictures(page, reader, read) for page in pages]
    has_image = np.concatenate([np.full(count, one is not None) for count, one in zip(counts, pictures, strict=True)])
    texts = [text.strip() for page in pages for text in page.texts]
    nothing = np.zeros((len(texts), 0), np.float32)
    has_text = np.array([bool(text) for text in texts], np.bool_)
    offsets = np.cumsum([0, *counts])
    batch, rows = collated(pages, PanelFeatures(nothing, nothing, has_image, has_text, offsets), seed, places)
    blank = torch.zeros(1, 3, reader.side, reader.side)
    per_page = [
        one if one is not None else blank.expand(count, -1, -1, -1) for one, count in zip(pictures, counts, strict=True)
    ]
    pixels = torch.cat(per_page)  # (n, 3, s, s)
    tokens, tokens_mask = reader.tokens(texts)
    return replace(
        batch, image=None, text=None, pixels=pixels[rows], tokens=tokens[rows], tokens_mask=tokens_mask[rows],
    )  # fmt: skip


def _pictures(page: PageExample, reader: PixelReader, read: CropReader) -> Tensor | None:
    """Panels ``(n, 3, s, s)`` of a page, normalised; None when the image cannot be read."""
    try:
        crops = read(page)
    except ItemError:
        return None
    squares = np.stack([letterbox(crop, reader.side) for crop in crops])[..., ::-1].astype(np.float32) / 255
    scaled = (squares - np.array(reader.mean, np.float32)) / np.array(reader.std, np.float32)
    return torch.from_numpy(np.ascontiguousarray(scaled)).permute(0, 3, 1, 2)


def unreadable(
    pages: Sequence[PageExample], known: Known | None = None, progress: PageProgress | None = None
) -> list[tuple[str, str, str]]:
    """(page id, reason, detail) of pages whose image cannot be read.

    Args:
        pages: each is decoded once.
        known: keeps which images could be decoded; those that have not changed since are not decoded again.
        progress: called with (pages done, pages, page id) after each page that is decoded.
    """
    stats = {str(page.image): stat_of(str(page.image)) for page in pages}
    before = known.find("decoded", stats) if known is not None else {}
    todo = [page for page in pages if not before.get(str(page.image), (False, None))[0]]
    failed = []
    fine: list[tuple[str, Stat, Any]] = []
    for done, page in enumerate(todo, 1):
        stat = stats[str(page.image)]
        try:
            panel_pictures(page)
            fine += [(str(page.image), stat, True)] if stat is not None else []
        except ItemError as error:
            failed.append((page.page_id, error.reason, error.detail))
        if known is not None and (len(fine) >= _KEEP_AT or done == len(todo)):
            known.keep("decoded", fine)
            fine = []
        if progress is not None:
            progress(done, len(todo), page.page_id)
    return failed
