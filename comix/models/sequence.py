"""The next panel by a small transformer over the panels of a page: what lies between two panels counts, too."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from comix.models.heads import NextPanel, relations

_N_RELATIONS = 10
_N_RULE = 4


class PanelSequence(NextPanel):
    """`NextPanel` whose places speak by a transformer.

    Panels are nodes, pairs of panels are edges; layers of attention, biased by the edges, let every panel see how all others
    lie.

    Args:
        dim: ``d``.
        n_layout: ``k``, columns of the layout.
        temperature: divides the cosines.
        n_layers: of attention.
        hidden: size of a node; likewise ``edge``.
        num_heads: of attention.
    """

    def __init__(
        self, dim: int, n_layout: int, temperature: float = 0.1, n_layers: int = 3, hidden: int = 64, edge: int = 32,
        num_heads: int = 4,
    ) -> None:  # fmt: skip
        super().__init__(dim, temperature)
        self.node = nn.Linear(n_layout, hidden)
        self.edge = nn.Sequential(nn.Linear(2 * n_layout + _N_RELATIONS, 64), nn.GELU(), nn.Linear(64, edge))
        self.rule = nn.Linear(_N_RULE, edge, bias=False)
        nn.init.zeros_(self.rule.weight)  # what was never told in training says nothing
        self.layers = nn.ModuleList([_Layer(hidden, edge, num_heads) for _ in range(n_layers)])
        width = 2 * hidden + edge
        self.place = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, 1))
        self.place_end = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, 1))

    def _place(self, layout: Tensor, known: Tensor, rule: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the places say: ``(b, p, p)`` and for "end" ``(b, p)``; 0 where a place is unknown."""
        p = layout.shape[1]
        one, other = layout[:, :, None].expand(-1, -1, p, -1), layout[:, None].expand(-1, p, -1, -1)
        edges = self.edge(torch.cat([one, other, relations(one, other)], dim=-1))  # (b, p, p, edge)
        if rule is not None:
            edges = edges + self.rule(_rule_relations(rule, layout.dtype))
        nodes = self.node(layout)  # (b, p, hidden)
        for layer in self.layers:
            nodes, edges = layer(nodes, edges, known)
        from_one, to_other = nodes[:, :, None].expand(-1, -1, p, -1), nodes[:, None].expand(-1, p, -1, -1)
        both = known[:, :, None] & known[:, None, :]
        follow = self.place(torch.cat([from_one, to_other, edges], dim=-1))[..., 0]
        return follow * both, self.place_end(nodes)[..., 0] * known


def _rule_relations(rule: Tensor, dtype: torch.dtype) -> Tensor:
    """``(b, p, p, 4)``: comes next, comes before, the distance, comes later or earlier; zeros where a place is not told."""
    apart = rule[:, None, :] - rule[:, :, None]  # (b, p, p)
    told = (rule[:, :, None] >= 0) & (rule[:, None, :] >= 0)
    return torch.stack([apart == 1, apart == -1, apart / 8, apart.sign()], dim=-1).to(dtype) * told[..., None]


class _Layer(nn.Module):
    """Attention biased by edges, whose values hold the edges too; then nodes and edges are worked on one by one."""

    def __init__(self, hidden: int, edge: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm, self.edge_norm = nn.LayerNorm(hidden), nn.LayerNorm(edge)
        self.qkv, self.bias = nn.Linear(hidden, 3 * hidden), nn.Linear(edge, num_heads)
        self.edge_value, self.out = nn.Linear(edge, hidden), nn.Linear(hidden, hidden)
        self.node_net = nn.Sequential(
            nn.LayerNorm(hidden), nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Linear(2 * hidden, hidden)
        )
        self.edge_in, self.edge_out = nn.Sequential(nn.LayerNorm(edge), nn.Linear(edge, 2 * edge)), nn.Linear(2 * edge, edge)
        self.from_one, self.to_other = nn.Linear(hidden, 2 * edge), nn.Linear(hidden, 2 * edge)

    def forward(self, nodes: Tensor, edges: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Nodes ``(b, p, hidden)``, edges ``(b, p, p, edge)`` and ``known (b, p)`` bool to nodes and edges."""
        b, p, hidden = nodes.shape
        heads, size = self.num_heads, hidden // self.num_heads
        query, key, value = self.qkv(self.norm(nodes)).view(b, p, 3, heads, size).permute(2, 0, 3, 1, 4)  # (b, h, p, size)
        seen = self.edge_norm(edges)
        scores = query @ key.transpose(-1, -2) / math.sqrt(size) + self.bias(seen).permute(0, 3, 1, 2)  # (b, h, p, p)
        weights = scores.masked_fill(~known[:, None, None, :], torch.finfo(scores.dtype).min).softmax(dim=-1)
        from_edges = torch.einsum("bhij,bijhd->bhid", weights, self.edge_value(seen).view(b, p, p, heads, size))
        nodes = nodes + self.out((weights @ value + from_edges).transpose(1, 2).reshape(b, p, hidden))
        nodes = nodes + self.node_net(nodes)
        joined = self.edge_in(edges) + self.from_one(nodes)[:, :, None] + self.to_other(nodes)[:, None]
        return nodes, edges + self.edge_out(gelu(joined))
