"""A batch of pages as the models see it: only real panels, no padding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

LAYOUT_NAMES = ("x", "y", "w", "h", "cx", "cy", "area", "aspect", "direction", "lead")
"""Columns of `Batch.layout`: lengths as shares of the page, ``aspect`` = ln(w / h) in pixels, ``direction`` 1 for ltr and
-1 for rtl, ``lead`` = distance of the panel's first edge from the side where reading starts."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The panels of ``b`` pages, one row per panel, ``n`` rows in all; panels of a page stand together, pages in order.

    Rows of a page come in an arbitrary order that says nothing of the reading order.

    Attributes:
        page_ids: ``(b,)`` ids; likewise ``books``: ``(b,)`` int64, equal for pages of one book.
        page_index: ``(n,)`` int64, the page of each panel.
        n_panels: ``(b,)`` int64, 1 or more.
        layout: ``(n, 10)`` float32, see `LAYOUT_NAMES`.
        order: ``(n,)`` int64, reading position on its page from 0.
        rule: ``(n,)`` int64, the position that CoMix's rule for reading order gives, from 0; -1 on pages where it is not told.
        has_image: ``(n,)`` bool; a False row's image is ignored. Likewise ``has_text`` and ``has_layout``.
        image: ``(n, f)`` float32 features of a frozen encoder, or None.
        text: ``(n, t)`` float32 features of a frozen encoder, or None.
        pixels: ``(n, 3, s, s)`` uint8, red green blue, each panel fitted into a square, or None.
        tokens: ``(n, l)`` int64 token ids padded to the batch's longest, or None; ``tokens_mask`` is 1 at real tokens.
    """

    page_ids: tuple[str, ...]
    books: Tensor
    page_index: Tensor
    n_panels: Tensor
    layout: Tensor
    order: Tensor
    rule: Tensor
    has_image: Tensor
    has_text: Tensor
    has_layout: Tensor
    image: Tensor | None = None
    text: Tensor | None = None
    pixels: Tensor | None = None
    tokens: Tensor | None = None
    tokens_mask: Tensor | None = None

    def to(self, device: torch.device | str) -> Batch:
        """The batch on another device; pinned memory is copied to a GPU while that goes on working."""
        to_gpu = torch.device(device).type == "cuda"
        return self._each(lambda tensor: tensor.to(device, non_blocking=to_gpu))

    def pin_memory(self) -> Batch:
        """The batch in memory that a GPU can read by itself; PyTorch's loader asks for it."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        held = {one.name: getattr(self, one.name) for one in fields(self)}
        changed: dict[str, Any] = {name: change(value) for name, value in held.items() if isinstance(value, Tensor)}
        return replace(self, **changed)

    @property
    def n_pages(self) -> int:
        """Number of pages ``b``."""
        return len(self.page_ids)

    @property
    def position(self) -> Tensor:
        """``(n,)`` int64: the row of each panel inside its page, from 0."""
        starts = self.n_panels.cumsum(0) - self.n_panels  # (b,)
        return torch.arange(len(self.page_index), device=self.page_index.device) - starts[self.page_index]

    @property
    def mask(self) -> Tensor:
        """``(b, p)`` bool: which slots of the padded form hold a panel; ``p`` is the largest number of panels."""
        slots = torch.arange(int(self.n_panels.max()), device=self.n_panels.device)
        return slots[None, :] < self.n_panels[:, None]

    def padded(self, rows: Tensor) -> Tensor:
        """Rows ``(n, ...)`` as ``(b, p, ...)``, zeros where a page has fewer panels."""
        mask = self.mask
        out = rows.new_zeros((*mask.shape, *rows.shape[1:]))
        out[mask] = rows
        return out
