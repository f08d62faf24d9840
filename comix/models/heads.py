"""What is asked of the embeddings: the next panel, whether a panel belongs to a page, what a hidden panel holds."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

_N_RELATIONS = 10


class NextPanel(nn.Module):
    """Which panel is read after which, out of all panels of the page and "end": what content and place say, added.

    Content speaks by the cosine of two projections; what the places say is for those who inherit.

    Args:
        dim: ``d``.
        temperature: divides the cosines.
    """

    def __init__(self, dim: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.query, self.key = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.end = nn.Linear(dim, 1)

    def forward(
        self, panels: Tensor, layout: Tensor, has_layout: Tensor, mask: Tensor, use_content: Tensor | None = None,
        rule: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Scores of what follows each panel.

        Args:
            panels: ``(b, p, d)``.
            layout: ``(b, p, k)``; ignored where ``has_layout (b, p)`` is False.
            mask: ``(b, p)`` bool, True for real panels.
            use_content: ``(b,)`` bool, False for pages to be judged by place alone; None for none.
            rule: ``(b, p)`` int64, the place that a rule gives each panel, from 0; -1 where it is not told; None for nowhere.

        Returns:
            ``(b, p, p + 1)``: entry ``[i, j]`` for "j follows i", the last column for "i is the last"; ``-inf`` for a panel
            after itself and for slots without a panel, except the last column.
        """
        p = mask.shape[1]
        query, key = normalize(self.query(panels), dim=-1), normalize(self.key(panels), dim=-1)
        follow = query @ key.transpose(1, 2) / self.temperature  # (b, p, p)
        end = self.end(panels)[..., 0]  # (b, p)
        if use_content is not None:
            follow, end = follow * use_content[:, None, None], end * use_content[:, None]
        place, place_end = self._place(layout, mask & has_layout, rule)
        allowed = mask[:, :, None] & mask[:, None, :] & ~torch.eye(p, dtype=torch.bool, device=mask.device)
        follow = (follow + place).masked_fill(~allowed, -math.inf)
        return torch.cat([follow, (end + place_end)[..., None]], dim=2)

    def _place(self, layout: Tensor, known: Tensor, rule: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the places say: ``(b, p, p)`` and for "end" ``(b, p)``; 0 where a place is unknown."""
        raise NotImplementedError


class NextPanelHead(NextPanel):
    """`NextPanel` whose places speak by how two panels lie to each other and to all the others; the rule is not looked at.

    Args:
        dim: ``d``.
        n_layout: ``k``, columns of the layout.
        temperature: divides the cosines.
    """

    def __init__(self, dim: int, n_layout: int, temperature: float = 0.1, hidden: int = 64) -> None:
        super().__init__(dim, temperature)
        self.pair = nn.Sequential(nn.Linear(2 * n_layout + _N_RELATIONS, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.place = nn.Sequential(nn.GELU(), nn.Linear(3 * hidden, hidden), nn.GELU(), nn.Linear(hidden, 1))
        self.place_end = nn.Sequential(nn.GELU(), nn.Linear(hidden, 1))

    def _place(self, layout: Tensor, known: Tensor, rule: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the places say: ``(b, p, p)`` and for "end" ``(b, p)``; 0 where a place is unknown."""
        p = layout.shape[1]
        one, other = layout[:, :, None].expand(-1, -1, p, -1), layout[:, None].expand(-1, p, -1, -1)
        pairs = self.pair(torch.cat([one, other, relations(one, other)], dim=-1))  # (b, p, p, hidden)
        both = (known[:, :, None] & known[:, None, :])[..., None]
        pairs = pairs * both
        count = both.sum(dim=2).clamp(min=1)  # (b, p, 1)
        around = pairs.sum(dim=2) / count  # (b, p, hidden): how all others lie to this panel
        context = torch.cat([pairs, around[:, :, None].expand_as(pairs), around[:, None].expand_as(pairs)], dim=-1)
        return self.place(context)[..., 0] * both[..., 0], self.place_end(around)[..., 0] * known


def relations(one: Tensor, other: Tensor) -> Tensor:
    """How panel ``other`` lies to panel ``one``: differences, gaps and shared lengths.

    Args:
        one: ``(..., k)`` layout as `comix.models.batch.LAYOUT_NAMES`; likewise ``other``.

    Returns:
        ``(..., 10)``.
    """
    x, y, w, h, cx, cy, _, _, direction, lead = one.unbind(-1)
    ox, oy, ow, oh, ocx, ocy, _, _, _, olead = other.unbind(-1)
    across = (ocx - cx) * direction  # ahead in reading direction
    shared_x = (torch.minimum(x + w, ox + ow) - torch.maximum(x, ox)) / torch.minimum(w, ow).clamp(min=1e-3)
    shared_y = (torch.minimum(y + h, oy + oh) - torch.maximum(y, oy)) / torch.minimum(h, oh).clamp(min=1e-3)
    below, ahead = oy - (y + h), olead - (lead + w)
    return torch.stack(
        [
            across, ocy - cy, olead - lead, oy - y, below, ahead, shared_x.clamp(-1, 1), shared_y.clamp(-1, 1),
            across.sign(), (ocy - cy).sign(),
        ],
        dim=-1,
    )  # fmt: skip


class PanelOnPageHead(nn.Module):
    """Whether a panel belongs to a page: a learned cosine; starts as the plain one."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.panel, self.page = nn.Linear(dim, dim), nn.Linear(dim, dim)
        for layer in (self.panel, self.page):
            nn.init.eye_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.scale, self.bias = nn.Parameter(torch.tensor(5.0)), nn.Parameter(torch.tensor(0.0))

    def forward(self, panels: Tensor, pages: Tensor) -> Tensor:
        """Logits ``(n, m)`` of ``n`` panels ``(n, d)`` on ``m`` pages ``(m, d)``."""
        cosines = normalize(self.panel(panels), dim=-1) @ normalize(self.page(pages), dim=-1).T
        logits: Tensor = self.scale * cosines + self.bias
        return logits


def _residual(dim: int) -> nn.Sequential:
    """A small network whose answer is 0 at the start."""
    last = nn.Linear(dim, dim)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), last)


class ContextHead(nn.Module):
    """A hidden panel guessed from the page without it; starts as "like the others"."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = _residual(dim)

    def forward(self, page_without: Tensor) -> Tensor:
        """``(..., d)`` to ``(..., d)``."""
        out: Tensor = page_without + self.layers(page_without)
        return out


class DenoiseHead(nn.Module):
    """A hidden panel guessed from the other panels seen through noise: its slot holds a learned token and looks at them."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(dim))
        self.query, self.key = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.layers = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        nn.init.normal_(self.token, std=0.02)

    def forward(self, panels: Tensor, mask: Tensor, noise_std: float) -> Tensor:
        """Guesses ``(b, p, d)``: row ``i`` is made without panel ``i``.

        Args:
            panels: ``(b, p, d)``, about 1 in size per dimension.
            mask: ``(b, p)`` bool, True for real panels.
            noise_std: of the Gaussian noise on the slot and on the panels it sees; 0 to look without noise.
        """
        noisy = panels + noise_std * torch.randn_like(panels)
        slots = self.token + noise_std * torch.randn_like(panels)
        scores = self.query(slots) @ self.key(noisy).transpose(1, 2) / math.sqrt(panels.shape[-1])  # (b, p, p)
        others = mask[:, None, :] & ~torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
        weights = scores.masked_fill(~others, torch.finfo(scores.dtype).min).softmax(dim=-1) * others
        seen = weights @ noisy
        out: Tensor = seen + self.layers(seen)
        return out
