"""Heads of the losses that the documented system really trained with; for ``objective=predecessor`` only.

Source: the system document's `closure_lite_simple_framework.py`, as measured (nothing is masked, "panel on page" compares two
page vectors); see docs/training.md.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class EarlierHeads(nn.Module):
    """What two page vectors have in common, and panels rebuilt from themselves.

    Args:
        dim: ``d``.
        denoise: with the head of the denoising loss; likewise ``context``.
    """

    def __init__(self, dim: int, denoise: bool = False, context: bool = False) -> None:
        super().__init__()
        self.pair = nn.Sequential(nn.Linear(3 * dim, dim), nn.ReLU(), nn.Linear(dim, 3))
        self.denoise = _rebuilt(dim, dim) if denoise else None
        self.context = _rebuilt(2 * dim, dim) if context else None

    def pairs(self, first: Tensor, second: Tensor) -> Tensor:
        """Logits ``(b, 3)`` of two page vectors ``(b, d)`` each: other page, (never), the very same page."""
        out: Tensor = self.pair(torch.cat([first, second, (first - second).abs()], dim=1))
        return out


def _rebuilt(n_in: int, dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, dim), nn.ReLU(), nn.Linear(dim, dim))
