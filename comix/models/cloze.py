"""A small network that chooses the text of the next panel: a recurrent reader of the panels before it, and a judge."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ClozeReader(nn.Module):
    """Scores of candidates given the panels before.

    Args:
        n_vector: ``d``, size of the encoder's vectors.
        n_style: ``s``, measures of how a text is written.
        n_likeness: ``f``, measures of how like a candidate is to its context.
        hidden: width.
        dropout: between the parts.
    """

    def __init__(self, n_vector: int, n_style: int, n_likeness: int, hidden: int = 64, dropout: float = 0.4) -> None:
        super().__init__()
        self.context, self.candidate = nn.Linear(n_vector, hidden), nn.Linear(n_vector, hidden)
        self.reader = nn.GRU(hidden + n_style + 1, hidden, batch_first=True)
        self.expected, self.summary = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden // 2)
        self.judge = nn.Sequential(
            nn.Linear(n_likeness + n_style + hidden + hidden // 2, 64), nn.GELU(), nn.Dropout(dropout), nn.Linear(64, 1)
        )
        self.drop_in, self.drop = nn.Dropout(dropout / 2), nn.Dropout(dropout)

    def forward(self, context: Tensor, style: Tensor, candidates: Tensor, candidate_style: Tensor, likeness: Tensor) -> Tensor:
        """Scores ``(n, k)``, to be put through a softmax.

        Args:
            context: ``(n, p, d)`` of each panel, zeros for a silent one; ``style`` ``(n, p, s + 1)``, with the number of texts.
            candidates: ``(n, k, d)``; ``candidate_style`` ``(n, k, s)``.
            likeness: ``(n, k, f)``.
        """
        _, last = self.reader(torch.cat([torch.tanh(self.context(self.drop_in(context))), style], dim=-1))
        read = last[0]  # (n, hidden)
        fit = self.drop(self.expected(read)[:, None] * torch.tanh(self.candidate(self.drop_in(candidates))))
        k = candidates.shape[1]
        around = self.summary(read)[:, None].expand(-1, k, -1)
        scores: Tensor = self.judge(torch.cat([likeness, candidate_style, fit, around], dim=-1))[..., 0]
        return scores
