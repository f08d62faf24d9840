"""Figures of a model on held-out pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from comix.metrics.order import order_scores
from comix.metrics.retrieval import effective_rank, recall_at
from comix.models.batch import Batch
from comix.models.closure_lite import ClosureLite, Encoded
from comix.models.decode import decode_order
from comix.train.asked import (
    Figures,
    Hits,
    Order,
    PageAnswers,
    exactness,
    half_pages,
    mean,
    pop_figures,
    pop_scores,
    retrieval,
    share,
    true_orders,
)  # fmt: skip
from comix.train.objectives import PARTS, Objective, alone, losses, mpm_guesses, next_labels
from comix.train.predecessor import masked_rpp


@torch.no_grad()
def evaluate(model: ClosureLite, batches: Iterable[Batch], objective: Objective, device: torch.device | str = "cpu") -> Figures:
    """Figures of a model on held-out pages, block after block; keys as in docs/training.md, None where nothing can be asked.

    Next panel: ``rpp_next_accuracy`` (``_content`` with all places hidden), ``rpp_page_exact``, ``rpp_tau`` of the decoded
    order. Panel on page: ``pop_auc``, apart for wrong pages of the ``_same_book`` and ``_other_books``, and ``_with_layout``.
    Hidden panel: ``mpm_retrieval``, the share found among the panels of the other pages; None without an MPM head. Page:
    ``page_retrieval``, the share of pages whose one half is nearest to their other half, as page embeddings. Search:
    ``image_recall_10`` and ``text_recall_10``, the share of panels whose picture or words alone have the whole panel among
    their ten nearest of ``recall_panels``.
    ``loss*`` as in training, without dropout. ``page_effective_rank`` near 0 tells a collapse.

    Args:
        model: on ``device``.
        batches: blocks of pages, none of which is kept.
    """
    return measure(model, batches, objective, device)[0]


@torch.no_grad()
def measure(
    model: ClosureLite, batches: Iterable[Batch], objective: Objective, device: torch.device | str = "cpu"
) -> tuple[Figures, PageAnswers]:
    """As `evaluate`, and what single pages add to it."""
    was_training = model.training
    model.eval()
    seen = _Seen()
    for block in batches:
        batch = block.to(device)
        seen.add(model, batch, model.encode(batch), objective)
    model.train(was_training)
    return seen.figures(), PageAnswers(seen.page_ids, exactness(seen.decoded, seen.truth), seen.hidden_pages)


@dataclass
class _Seen:
    """What has to be kept of the blocks seen: numbers, and the vectors of the first pages."""

    sizes: list[int] = field(default_factory=list)
    page_ids: list[str] = field(default_factory=list)
    hidden_pages: list[tuple[int, int]] = field(default_factory=list)
    parts: list[list[float]] = field(default_factory=list)
    decoded: list[Order] = field(default_factory=list)
    truth: list[Order] = field(default_factory=list)
    followed: list[tuple[int, int]] = field(default_factory=list)
    followed_content: list[tuple[int, int]] = field(default_factory=list)
    pop: list[list[NDArray[np.float32]]] = field(default_factory=list)
    pop_layout: list[list[NDArray[np.float32]]] = field(default_factory=list)
    hidden: list[Hits] = field(default_factory=list)
    halves: list[Hits] = field(default_factory=list)
    pages: list[NDArray[np.float32]] = field(default_factory=list)
    search: list[_Alone] = field(default_factory=list)
    masked_chance: list[float] = field(default_factory=list)

    def add(self, model: ClosureLite, batch: Batch, encoded: Encoded, objective: Objective) -> None:
        """Take in a block."""
        self.sizes.append(len(batch.page_index))
        self.page_ids += batch.page_ids
        found = losses(model, batch, encoded, objective)
        self.parts.append([float(getattr(found, name)) for name in _PARTS])
        logits = model.next_panel_logits(encoded, batch)
        if objective.earlier:
            self.masked_chance.append(float(masked_rpp(logits, batch)[1]))
        self.followed.append(_followed(logits, batch))
        for page, count in zip(logits.float().cpu(), batch.n_panels.tolist(), strict=True):
            self.decoded.append(decode_order(page.numpy(), int(count)))
        self.truth += true_orders(batch)
        placeless = replace(batch, has_layout=torch.zeros_like(batch.has_layout))
        content = model.fused(placeless, encoded.image, encoded.text)
        self.followed_content.append(_followed(model.next_panel_logits(content, placeless), placeless))
        if model.pop is not None:
            self.pop.append(pop_scores(model.pop(encoded.content, model.pages_without_each(encoded.content, batch)), batch))
            layout = model.pop(encoded.panels, model.pages_without_each(encoded.panels, batch))
            self.pop_layout.append(pop_scores(layout, batch))
        guesses = mpm_guesses(model, batch, encoded, 0.0)
        if guesses:
            guess = torch.stack([normalize(one, dim=1) for one in guesses]).sum(0)
            hits, per_page = retrieval(guess, encoded.content, batch)
            self.hidden += hits
            self.hidden_pages += per_page
        self.halves += half_pages(lambda half: model.pages_of(encoded.content, batch, half), batch)
        if len(self.pages) < _RANKED_BLOCKS:
            self.pages.append(encoded.page.float().cpu().numpy())
            self.search.append(_alone(model, batch, encoded))

    def figures(self) -> Figures:
        """Over all blocks."""
        means = np.average(np.array(self.parts), axis=0, weights=self.sizes)
        figures: Figures = {
            "loss" if name == "total" else f"loss_{name}": float(mean) for name, mean in zip(_PARTS, means, strict=True)
        }
        scores = order_scores(self.decoded, self.truth)
        figures |= {
            "rpp_next_accuracy": share(self.followed), "rpp_page_exact": scores.get("page_exact"),
            "rpp_tau": scores.get("tau"), "rpp_next_accuracy_content": share(self.followed_content),
        }  # fmt: skip
        if self.pop:
            figures |= pop_figures(self.pop)
            figures["pop_auc_with_layout"] = pop_figures(self.pop_layout)["pop_auc"]
        figures["mpm_retrieval"], figures["page_retrieval"] = mean(self.hidden)[0], mean(self.halves)[0]
        figures["page_effective_rank"] = effective_rank(np.concatenate(self.pages).astype(np.float64))
        if self.masked_chance:
            figures["loss_rpp_chance"] = float(np.average(self.masked_chance, weights=self.sizes))
        return figures | _search_figures(self.search)


@dataclass(frozen=True, slots=True)
class _Alone:
    """Panels ``(n, d)`` as wholes, by their picture alone and by their words alone, and which have which."""

    whole: NDArray[np.float32]
    image: NDArray[np.float32]
    text: NDArray[np.float32]
    has_image: NDArray[np.bool_]
    has_text: NDArray[np.bool_]


def _alone(model: ClosureLite, batch: Batch, encoded: Encoded) -> _Alone:
    image, text = alone(model, batch, encoded)
    whole, by_image, by_text = (one.float().cpu().numpy() for one in (encoded.panels, image, text))
    return _Alone(whole, by_image, by_text, batch.has_image.cpu().numpy(), batch.has_text.cpu().numpy())


def _search_figures(found: list[_Alone]) -> Figures:
    whole = np.concatenate([one.whole for one in found]).astype(np.float64)
    figures: Figures = {"recall_panels": float(len(whole))}
    for name in ("image", "text"):
        vectors, has = (np.concatenate([getattr(one, key) for one in found]) for key in (name, f"has_{name}"))
        rows = np.flatnonzero(has)
        figures[f"{name}_recall_10"] = recall_at(vectors[rows].astype(np.float64), whole, rows, 10)
    return figures


_PARTS = ("total", *PARTS)
_RANKED_BLOCKS = 16
"""Blocks whose page embeddings the effective rank is taken of: more would hardly change it."""


def _followed(logits: Tensor, batch: Batch) -> tuple[int, int]:
    """How many panels' successors are right, and how many were asked."""
    labels = next_labels(batch)
    chosen = labels >= 0
    return int((logits.argmax(2) == labels)[chosen].sum()), int(chosen.sum())
