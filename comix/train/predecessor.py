"""The losses of the documented system as its code really computed them; for comparison only.

Next panel: cross-entropy over the right answer and its nearest neighbours alone, so that the answer's being among so few is
already most of it. Panel on page: whether two page vectors, one of them shuffled through the batch, are the very same. Masked
panels: base compares a tensor with itself (0 always), the extras rebuild a panel that is not hidden. The reading orders asked
for are the dataset's, as for every other objective, so that rows of one table compare.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from comix.models.batch import Batch
from comix.models.closure_lite import ClosureLite, Encoded
from comix.train.objectives import Losses, Objective, next_labels

_OVERLAP = 0.2
_SAME_PAGE = 2


def predecessor_losses(model: ClosureLite, batch: Batch, encoded: Encoded, parts: Objective) -> Losses:
    """The losses of one batch."""
    heads = model.earlier
    assert heads is not None
    zero = encoded.page.sum() * 0.0
    rpp, _ = masked_rpp(model.next_panel_logits(encoded, batch), batch)
    turned = torch.randperm(batch.n_pages, device=encoded.page.device)
    is_same = turned == torch.arange(batch.n_pages, device=turned.device)
    labels = torch.where(is_same, _SAME_PAGE, 0)
    pop = cross_entropy(heads.pairs(encoded.page, encoded.page[turned]), labels)
    extras = []
    if heads.denoise is not None:
        noisy = encoded.panels + parts.mpm.noise_std * torch.randn_like(encoded.panels)
        extras.append(mse_loss(heads.denoise(noisy), _target(encoded, parts)))
    if heads.context is not None:
        seen = torch.cat([encoded.page[batch.page_index], encoded.panels], dim=1)
        extras.append(mse_loss(heads.context(seen), _target(encoded, parts)))
    mpm = torch.stack(extras).mean() if extras else zero
    return Losses(parts.rpp.weight * rpp + parts.pop.weight * pop + parts.mpm.weight * mpm, rpp, pop, mpm, zero)


def _target(encoded: Encoded, parts: Objective) -> Tensor:
    return encoded.panels.detach() if parts.mpm.stopgrad else encoded.panels


def masked_rpp(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy over few candidates, and what guessing among them gives: mean of ln(candidates).

    Args:
        logits: ``(b, p, p + 1)``; "end" is no candidate, and the last panel of a page is not asked.
    """
    labels = next_labels(batch)
    p = labels.shape[1]
    asked = (labels >= 0) & (labels < p)
    if not asked.any():
        zero = logits[..., -1].sum() * 0.0
        return zero, zero.detach()
    candidates = neighbours(batch.padded(batch.layout)[..., :4], batch.mask)
    candidates = candidates | torch.nn.functional.one_hot(labels.clamp(0, p - 1), p).bool()
    few = logits[..., :-1].masked_fill(~candidates, torch.finfo(logits.dtype).min)
    return cross_entropy(few[asked], labels[asked]), candidates.sum(2)[asked].float().log().mean()


def neighbours(boxes: Tensor, mask: Tensor) -> Tensor:
    """``(b, p, p)`` bool: the nearest panel on the left, right, above and below that overlaps by a fifth of the smaller side;
    for a panel without any, its two nearest.

    Args:
        boxes: ``(b, p, 4)`` xywh; ``mask (b, p)`` bool.
    """
    x, y, w, h = boxes.unbind(-1)
    p = mask.shape[1]
    others = mask[:, :, None] & mask[:, None] & ~torch.eye(p, dtype=torch.bool, device=mask.device)
    shared_x = _shared(x, w) > _OVERLAP
    shared_y = _shared(y, h) > _OVERLAP
    across, down = x[:, None] - x[:, :, None], y[:, None] - y[:, :, None]  # (b, p, p): other minus one
    found = torch.zeros_like(others)
    for distance, overlaps in ((across, shared_y), (-across, shared_y), (down, shared_x), (-down, shared_x)):
        found |= _nearest(distance, others & overlaps & (distance > 0), 1)
    centres = torch.stack([x + w / 2, y + h / 2], dim=-1)
    alone = ~found.any(2, keepdim=True)
    return found | (alone & _nearest(torch.cdist(centres, centres), others, 2))


def _shared(start: Tensor, length: Tensor) -> Tensor:
    """``(b, p, p)``: the shared length over the smaller one."""
    end = start + length
    shared = torch.minimum(end[:, :, None], end[:, None]) - torch.maximum(start[:, :, None], start[:, None])
    return shared / torch.minimum(length[:, :, None], length[:, None]).clamp(min=1e-6)


def _nearest(distance: Tensor, allowed: Tensor, k: int) -> Tensor:
    """``(b, p, p)`` bool: the ``k`` nearest of the allowed ones of each row."""
    far = distance.masked_fill(~allowed, float("inf"))
    chosen = torch.zeros_like(allowed).scatter(2, far.topk(min(k, far.shape[2]), dim=2, largest=False).indices, True)
    return chosen & allowed
