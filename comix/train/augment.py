"""Pages laid out differently, with the same reading order."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from comix.models.batch import Batch

_JITTER = 0.01
"""Panels move by up to this share of the page on each side."""


def varied(batch: Batch, mirror: float, stretch: float) -> Batch:
    """The batch with its pages' layouts mirrored, stretched and shaken at random; reading order and content stay.

    Draws from torch's global generator.

    Args:
        mirror: probability that a page is mirrored, its reading direction turned.
        stretch: widths and heights change by up to this share, per page; 0 also leaves the panels in place.
    """
    if mirror <= 0 and stretch <= 0:
        return batch
    return replace(batch, layout=_varied(batch.layout, batch.page_index, batch.n_pages, mirror, stretch))


def varied_layouts(layout: Tensor, mirror: float, stretch: float) -> Tensor:
    """The same for layouts ``(b, p, 10)`` of pages with equally many panels."""
    b, p, k = layout.shape
    if mirror <= 0 and stretch <= 0:
        return layout
    page_index = torch.arange(b, device=layout.device).repeat_interleave(p)
    return _varied(layout.reshape(b * p, k), page_index, b, mirror, stretch).view(b, p, k)


def _varied(layout: Tensor, page_index: Tensor, n_pages: int, mirror: float, stretch: float) -> Tensor:
    """Layouts ``(n, 10)`` of the panels of ``n_pages`` pages."""
    x, y, w, h, _, _, _, aspect, direction, _ = layout.unbind(1)
    turn = (torch.rand(n_pages, device=x.device) < mirror)[page_index]
    x = torch.where(turn, 1 - x - w, x)
    direction = torch.where(turn, -direction, direction)
    if stretch > 0:
        scale_x, scale_y = (1 + stretch * _signed(n_pages, x)[page_index] for _ in range(2))
        shake_x, shake_y, shake_w, shake_h = (_JITTER * _signed(len(x), x) for _ in range(4))
        new_w, new_h = (w * (1 + shake_w)) * scale_x, (h * (1 + shake_h)) * scale_y
        aspect = (
            aspect + torch.log(new_w.clamp(min=1e-4) / w.clamp(min=1e-4)) - torch.log(new_h.clamp(min=1e-4) / h.clamp(min=1e-4))
        )
        x = 0.5 + (x - 0.5 + shake_x) * scale_x
        y = 0.5 + (y - 0.5 + shake_y) * scale_y
        w, h = new_w, new_h
    lead = torch.where(direction > 0, x, 1 - x - w)
    return torch.stack([x, y, w, h, x + w / 2, y + h / 2, w * h, aspect, direction, lead], dim=1)


def _signed(n: int, like: Tensor) -> Tensor:
    return 2 * torch.rand(n, device=like.device) - 1
