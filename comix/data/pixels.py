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
from comix.data.crops import SquareReader, Squares, squares_of
from comix.data.features import PageProgress, PanelFeatures, panel_pictures
from comix.data.known import Known, Stat, stat_of
from comix.data.page import PageExample
from comix.models.batch import Batch

_KEEP_AT = 256


@dataclass(frozen=True, slots=True)
class PixelReader:
    """How a model wants its input.

    Attributes:
        side: pixels of the square that a panel is fitted into.
        tokenizer: a transformers tokenizer.
        max_tokens: longer texts are cut here (and only here).
    """

    side: int
    tokenizer: Any
    max_tokens: int = 256

    def tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token ids and their mask, both ``(n, l)`` int64, padded to the longest text."""
        words = self.tokenizer(list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt")
        return words["input_ids"], words["attention_mask"]


def pixel_batch(
    pages: Sequence[PageExample], reader: PixelReader, seed: int | None = None, squares: SquareReader | None = None,
    places: Sequence[Places] | None = None,
) -> Batch:  # fmt: skip
    """As `comix.data.batch.collate`, with pixels and tokens in place of cached features.

    A page whose image can no longer be read keeps its words and places; its panels have ``has_image`` False. Training and
    embedding leave out beforehand what cannot be read at their start, and say so.

    Args:
        squares: gives the pictures of a page's panels; None for reading its image.
        places: where the pages' panels lie, by `comix.data.batch.places_of` unless given.
    """
    counts = [len(page.boxes) for page in pages]
    offsets = np.cumsum([0, *counts])
    drawn = [_drawn(page, reader.side, squares) for page in pages]
    has_image = np.repeat([one is not None for one in drawn], counts)
    texts = [text.strip() for page in pages for text in page.texts]
    has_text = np.array([bool(text) for text in texts], np.bool_)
    nothing = np.zeros((len(texts), 0), np.float32)
    batch, rows = collated(pages, PanelFeatures(nothing, nothing, has_image, has_text, offsets), seed, places)
    pixels = np.zeros((len(rows), 3, reader.side, reader.side), np.uint8)
    for one, places_of_page in zip(drawn, np.split(np.argsort(rows), offsets[1:-1]), strict=True):
        if one is not None:
            pixels[places_of_page] = one.transpose(0, 3, 1, 2)
    tokens, tokens_mask = reader.tokens([texts[row] for row in rows])
    return replace(
        batch, image=None, text=None, pixels=torch.from_numpy(pixels), tokens=tokens, tokens_mask=tokens_mask,
    )  # fmt: skip


def _drawn(page: PageExample, side: int, squares: SquareReader | None) -> Squares | None:
    """The squares of a page; None when its image cannot be read."""
    try:
        return squares(page) if squares is not None else squares_of(page, side)
    except ItemError:
        return None


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
