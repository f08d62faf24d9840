"""Picture, words and place of a panel weighed into one vector; what is missing gets no weight."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GatedFusion(nn.Module):
    """A softmax gate over ``m`` modalities, closed for the missing ones."""

    def __init__(self, dim: int, n_modalities: int = 3) -> None:
        super().__init__()
        self.gate = nn.Linear(n_modalities * dim, n_modalities)
        self.out = nn.LayerNorm(dim)
        nn.init.zeros_(self.gate.weight)  # starts with equal weights, so that no modality is shut out by chance
        nn.init.zeros_(self.gate.bias)

    def forward(self, parts: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The fused vectors and the gate.

        Args:
            parts: ``(n, m, d)``; rows of missing modalities are ignored.
            present: ``(n, m)`` bool.

        Returns:
            fused ``(n, d)``, zeros where nothing is present; gate ``(n, m)``, rows sum to 1, or to 0 where nothing is.
        """
        parts = torch.where(present[..., None], parts, torch.zeros_like(parts))
        logits = self.gate(parts.flatten(1))  # (n, m)
        logits = logits.masked_fill(~present, torch.finfo(logits.dtype).min)
        gate = logits.softmax(dim=1) * present
        fused = self.out((gate[..., None] * parts).sum(dim=1))  # (n, d)
        return fused * present.any(dim=1, keepdim=True), gate
