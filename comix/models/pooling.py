"""A page as one vector: multi-head attention over its panels."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AttentionPooling(nn.Module):
    """``h`` heads, each with its own scorer and its own share of the dimensions; blind to the panels' order.

    Args:
        dim: ``d``, divisible by ``num_heads``.
        num_heads: ``h``.
        temperature: divides the scores; small values look at few panels, large ones take the mean.
    """

    def __init__(self, dim: int, num_heads: int = 4, temperature: float = 1.0) -> None:
        super().__init__()
        self.num_heads, self.temperature = num_heads, temperature
        self.score = nn.Linear(dim, num_heads)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        nn.init.zeros_(self.score.bias)
        for layer in (self.value, self.out):  # starts as the mean of the panels
            nn.init.eye_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, panels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Page vectors and attention.

        Args:
            panels: ``(b, p, d)``.
            mask: ``(b, p)`` bool, True for real panels, at least one a page.

        Returns:
            page ``(b, d)``; attention ``(b, p)``, the mean over heads, rows sum to 1.
        """
        weights = self._weights(panels, mask[:, None, :])  # (b, h, 1, p)
        return self._pooled(panels, weights)[:, 0], weights.mean(dim=1)[:, 0]

    def without_each(self, panels: Tensor, mask: Tensor) -> Tensor:
        """Page vectors computed without one panel, for each panel in turn.

        Args:
            panels: ``(b, p, d)``.
            mask: ``(b, p)`` bool.

        Returns:
            ``(b, p, d)``: row ``i`` knows nothing of panel ``i``; zeros where no other panel is on the page.
        """
        others = mask[:, None, :] & ~torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)  # (b, p, p)
        pooled = self._pooled(panels, self._weights(panels, others))
        return pooled * others.any(dim=2)[..., None]

    def _weights(self, panels: Tensor, visible: Tensor) -> Tensor:
        """Attention ``(b, h, q, p)`` of ``q`` views of the page, each of which sees ``visible (b, q, p)``."""
        scores = self.score(panels).transpose(1, 2)[:, :, None, :] / self.temperature  # (b, h, 1, p)
        scores = scores.masked_fill(~visible[:, None], torch.finfo(scores.dtype).min)
        weights: Tensor = scores.softmax(dim=-1) * visible[:, None]
        return weights

    def _pooled(self, panels: Tensor, weights: Tensor) -> Tensor:
        b, p, d = panels.shape
        values = self.value(panels).view(b, p, self.num_heads, d // self.num_heads).transpose(1, 2)  # (b, h, p, d/h)
        out: Tensor = self.out((weights @ values).transpose(1, 2).reshape(b, -1, d))  # (b, q, d)
        return out
