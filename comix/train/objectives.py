"""What Closure-Lite learns: the next panel (RPP), which panel belongs to which page (POP), a hidden panel (MPM).

Source: the system document's loss components and variants; here each means what its name says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize

from comix.core.errors import UsageError
from comix.models.batch import Batch
from comix.models.closure_lite import ClosureLite, Encoded

PARTS = ("rpp", "pop", "mpm", "align")
"""Names of the parts of an `Objective`."""


@dataclass(frozen=True, slots=True)
class Rpp:
    """Reading panel prediction: which panel follows, out of all panels of the page and "end".

    Attributes:
        weight: in the sum.
        label_smoothing: share of the label's weight that all answers get.
        layouts: composed layouts without any content that are asked beside each batch: of all there is to learn about places,
            few pages show little.
    """

    weight: float = 0.5
    label_smoothing: float = 0.0
    layouts: int = 0


@dataclass(frozen=True, slots=True)
class Pop:
    """Panel on page: does this panel belong to this page, whose embedding is computed without it.

    Attributes:
        weight: in the sum; 0 leaves the head out.
        hide_layout: judge by picture and words only; with places the hole in the page gives the answer away.
    """

    weight: float = 0.3
    hide_layout: bool = True


@dataclass(frozen=True, slots=True)
class Mpm:
    """Masked panel modelling: a panel is hidden, its content is to be guessed.

    Attributes:
        weight: in the sum; 0 for the base variant.
        denoise: guess from the other panels seen through noise, slot and all.
        context_recon: guess from the page's embedding computed without the panel.
        noise_std: of the noise of ``denoise``; embeddings have about size 1 per dimension.
        stopgrad: the target gets no gradient.
        temperature: above 0 the guess is to be nearer to its panel than to those of other pages, by a softmax over cosines of
            this temperature; 0 asks for a small distance only.
    """

    weight: float = 0.0
    denoise: bool = False
    context_recon: bool = False
    noise_std: float = 0.1
    stopgrad: bool = True
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Align:
    """Alignment: a panel by its picture alone, or by its words alone, is to be nearest to the same panel as a whole.

    Attributes:
        weight: in the sum; 0 leaves it out.
        temperature: of the softmax over the batch's panels.
        vision_text: also picture and words to each other, the symmetric InfoNCE of CLIP.
    """

    weight: float = 0.0
    temperature: float = 0.1
    vision_text: bool = False


@dataclass(frozen=True, slots=True)
class Objective:
    """All parts and their weights.

    Attributes:
        earlier: the losses of the documented system in their place, see `comix.train.predecessor`.
    """

    rpp: Rpp = field(default_factory=Rpp)
    pop: Pop = field(default_factory=Pop)
    mpm: Mpm = field(default_factory=Mpm)
    align: Align = field(default_factory=Align)
    earlier: bool = False

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads that the model needs for it."""
        if self.earlier:
            extras = {"earlier_denoise": self.mpm.denoise, "earlier_context": self.mpm.context_recon}
            return ("earlier", *(name for name, used in extras.items() if used))
        wanted = {"pop": self.pop.weight > 0, "denoise": self.mpm.denoise, "context": self.mpm.context_recon}
        return tuple(name for name, used in wanted.items() if used)


@dataclass(frozen=True, slots=True)
class Losses:
    """Scalars; ``total`` is the weighted sum, the parts are unweighted. A part that is not used is 0."""

    total: Tensor
    rpp: Tensor
    pop: Tensor
    mpm: Tensor
    align: Tensor


def objective(
    rpp: Mapping[str, Any] | None = None, pop: Mapping[str, Any] | None = None, mpm: Mapping[str, Any] | None = None,
    align: Mapping[str, Any] | None = None, earlier: bool = False,
) -> Objective:  # fmt: skip
    """The objective that a config describes.

    Raises:
        UsageError: an unknown key, a negative weight, or an MPM weight without a task for it.
    """
    parts = Objective(
        _part(Rpp, "rpp", rpp), _part(Pop, "pop", pop), _part(Mpm, "mpm", mpm), _part(Align, "align", align), earlier
    )
    if parts.mpm.weight > 0 and not (parts.mpm.denoise or parts.mpm.context_recon):
        raise UsageError("objective.mpm.weight is above 0, but neither denoise nor context_recon is true; set one")
    for name in PARTS:
        weight = getattr(parts, name).weight
        if not (math.isfinite(weight) and weight >= 0):
            raise UsageError(f"objective.{name}.weight={weight}: wanted 0 or more")
    return parts


def _part(kind: type[Any], name: str, values: Mapping[str, Any] | None) -> Any:
    known = [one.name for one in fields(kind)]
    unknown = sorted(set(values or {}) - set(known))
    if unknown:
        raise UsageError(f"objective.{name}.{unknown[0]}: unknown key; keys: {', '.join(known)}")
    return kind(**(values or {}))


def losses(model: ClosureLite, batch: Batch, encoded: Encoded, parts: Objective) -> Losses:
    """The losses of one batch."""
    if parts.earlier:
        from comix.train.predecessor import predecessor_losses

        return predecessor_losses(model, batch, encoded, parts)
    zero = encoded.page.sum() * 0.0
    rpp = rpp_loss(model.next_panel_logits(encoded, batch), batch, parts.rpp.label_smoothing)
    pop = pop_loss(model, batch, encoded, parts.pop.hide_layout) if model.pop is not None else zero
    mpm = mpm_loss(model, batch, encoded, parts.mpm) if parts.mpm.denoise or parts.mpm.context_recon else zero
    align = align_loss(model, batch, encoded, parts.align) if parts.align.weight > 0 else zero
    total = parts.rpp.weight * rpp + parts.pop.weight * pop + parts.mpm.weight * mpm + parts.align.weight * align
    return Losses(total, rpp, pop, mpm, align)


def align_loss(model: ClosureLite, batch: Batch, encoded: Encoded, part: Align) -> Tensor:
    """Cross-entropy of finding each panel among the batch's by its picture alone and by its words alone; 0 for one panel."""
    image, text = alone(model, batch, encoded)
    pairs = [(image, encoded.panels, batch.has_image), (text, encoded.panels, batch.has_text)]
    if part.vision_text:
        pairs += [(image, text, batch.has_image & batch.has_text), (text, image, batch.has_image & batch.has_text)]
    found = []
    for query, whole, rows in pairs:
        if int(rows.sum()) > 1:
            scores = normalize(query[rows], dim=1) @ normalize(whole[rows], dim=1).T / part.temperature
            found.append(cross_entropy(scores, torch.arange(len(scores), device=scores.device)))
    return torch.stack(found).mean() if found else encoded.page.sum() * 0.0


def alone(model: ClosureLite, batch: Batch, encoded: Encoded) -> tuple[Tensor, Tensor]:
    """Panels ``(n, d)`` of which nothing but the picture is known, and nothing but the words."""
    none = torch.zeros_like(batch.has_layout)
    image = model.fused(replace(batch, has_text=none, has_layout=none), encoded.image, encoded.text).panels
    text = model.fused(replace(batch, has_image=none, has_layout=none), encoded.image, encoded.text).panels
    return image, text


def layout_loss(model: ClosureLite, layout: Tensor, rule: Tensor, order: Tensor) -> Tensor:
    """RPP's cross-entropy on pages of which nothing but the places is known; half of them are told what the rule says.

    Args:
        layout: ``(b, p, 10)``, pages of equally many panels; ``rule`` and ``order`` ``(b, p)`` int64.
    """
    b, p = order.shape
    yes = torch.ones(b, p, dtype=torch.bool, device=layout.device)
    told = torch.rand(b, 1, device=layout.device) < 1 / 2
    none = layout.new_zeros(b, p, model.dim)
    logits = model.next_panel(none, layout, yes, yes, yes[:, 0] & False, torch.where(told, rule, -1))
    follows = order[:, None, :] == order[:, :, None] + 1  # (b, p, p)
    labels = torch.where(follows.any(2), follows.int().argmax(2), p)
    return cross_entropy(logits.flatten(0, 1), labels.flatten())


def next_labels(batch: Batch) -> Tensor:
    """``(b, p)`` int64: the slot read after each panel, ``p`` for the last one; -100 for slots without a panel and for
    pages of one panel, where there is nothing to choose."""
    mask = batch.mask
    order = torch.where(mask, batch.padded(batch.order), torch.full_like(mask, -9, dtype=torch.int64))  # (b, p)
    follows = order[:, None, :] == order[:, :, None] + 1  # (b, p, p)
    labels = torch.where(follows.any(2), follows.int().argmax(2), mask.shape[1])
    return labels.masked_fill(~mask | (batch.n_panels < 2)[:, None], -100)


def rpp_loss(logits: Tensor, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy over all panels of pages with two or more; 0 without such pages.

    Args:
        logits: ``(b, p, p + 1)`` of `ClosureLite.next_panel_logits`.
    """
    labels = next_labels(batch)
    chosen = labels >= 0
    if not chosen.any():
        return logits[..., -1].sum() * 0.0
    logits, labels = logits[chosen], labels[chosen]  # (m, p + 1), (m,)
    plain = cross_entropy(logits, labels)
    if label_smoothing <= 0:
        return plain
    allowed = torch.isfinite(logits)
    spread = logits.log_softmax(1).masked_fill(~allowed, 0.0).sum(1) / allowed.sum(1)
    return (1 - label_smoothing) * plain - label_smoothing * spread.mean()


def pop_loss(model: ClosureLite, batch: Batch, encoded: Encoded, hide_layout: bool = True) -> Tensor:
    """Binary cross-entropy; right pairs, wrong pairs of the same book and of other books each count as a group.

    A right pair is a panel and its page's embedding computed without it. A wrong pair is a panel and another page's
    embedding, computed without one of that page's panels, so that both kinds of pages miss a panel. 0 where nothing can
    be asked.
    """
    assert model.pop is not None
    panels = encoded.content if hide_layout else encoded.panels
    logits = model.pop(panels, model.pages_without_each(panels, batch))  # (n, n)
    right, same_book, other_books = pop_pairs(batch)
    groups = [(logits[right], 1.0), (logits[same_book], 0.0), (logits[other_books], 0.0)]
    parts = [binary_cross_entropy_with_logits(one, torch.full_like(one, label)) for one, label in groups[1:] if len(one)]
    if not parts or not right.any():
        return encoded.page.sum() * 0.0
    positive = binary_cross_entropy_with_logits(groups[0][0], torch.ones_like(groups[0][0]))
    return (positive + torch.stack(parts).mean()) / 2


def pop_pairs(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """``(n, n)`` bool, rows panels, columns pages without one panel: right, wrong of the same book, wrong of other books.

    Panels and pages without content (no picture, no words) and pages of one panel are left out.
    """
    page, books = batch.page_index, batch.books[batch.page_index]
    has_content = batch.has_image | batch.has_text
    asked = has_content[:, None] & _others_have_content(batch)[None, :]
    same_page, same_book = page[:, None] == page[None, :], books[:, None] == books[None, :]
    right = torch.eye(len(page), dtype=torch.bool, device=page.device) & asked
    return right, ~same_page & same_book & asked, ~same_book & asked


def _others_have_content(batch: Batch) -> Tensor:
    """``(n,)``: whether another panel of the same page has picture or words."""
    has_content = (batch.has_image | batch.has_text).long()
    totals = torch.zeros_like(batch.n_panels).index_add(0, batch.page_index, has_content)
    return totals[batch.page_index] - has_content > 0


def mpm_guesses(model: ClosureLite, batch: Batch, encoded: Encoded, noise_std: float) -> list[Tensor]:
    """What the model's MPM heads think each panel's content is when it is hidden: ``(n, d)`` per head."""
    guesses = []
    if model.context is not None:
        guesses.append(model.context(model.pages_without_each(encoded.content, batch)))
    if model.denoise is not None:
        guesses.append(model.denoise(batch.padded(encoded.content), batch.mask, noise_std)[batch.mask])
    return guesses


def mpm_rows(batch: Batch) -> Tensor:
    """``(n,)`` bool: panels that can be asked for: they have content, and so has another panel of their page."""
    return (batch.has_image | batch.has_text) & _others_have_content(batch)


def mpm_loss(model: ClosureLite, batch: Batch, encoded: Encoded, part: Mpm) -> Tensor:
    """Squared distance of unit vectors (0 to 4) between each hidden panel's content and its guess, or cross-entropy of finding
    it among the panels of other pages, mean over the heads.

    Every panel is hidden once: no guess sees the panel it is for. 0 where no page has two panels with content.
    """
    rows = mpm_rows(batch)
    if not rows.any():
        return encoded.page.sum() * 0.0
    target = normalize(encoded.content.detach() if part.stopgrad else encoded.content, dim=1)[rows]
    guesses = [normalize(one[rows], dim=1) for one in mpm_guesses(model, batch, encoded, part.noise_std)]
    if part.temperature <= 0:
        return torch.stack([(one - target).square().sum(1).mean() for one in guesses]).mean()
    page = batch.page_index[rows]
    own = torch.eye(len(page), dtype=torch.bool, device=page.device)
    barred = (page[:, None] == page[None, :]) & ~own  # the visible panels of the page are no wrong answers
    labels = torch.arange(len(page), device=page.device)
    scores = [(one @ target.T / part.temperature).masked_fill(barred, -math.inf) for one in guesses]
    return torch.stack([cross_entropy(one, labels) for one in scores]).mean()
