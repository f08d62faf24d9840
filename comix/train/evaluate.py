"""Figures of a model on held-out pages, each with what guessing, rules and untrained vectors reach on the same pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from comix.core.geometry import Box
from comix.core.order import order_panels
from comix.metrics.order import chance_scores, order_scores
from comix.metrics.retrieval import auc, effective_rank, first_place_share
from comix.models.batch import Batch
from comix.models.closure_lite import ClosureLite, Encoded
from comix.models.decode import decode_order
from comix.train.objectives import Objective, losses, mpm_guesses, mpm_rows, next_labels, pop_pairs

Figures = dict[str, float | None]
Order = tuple[int, ...]
Hits = tuple[float, float, int]
"""Share found, what chance gives, how many were asked."""


@torch.no_grad()
def evaluate(model: ClosureLite, batches: Iterable[Batch], objective: Objective, device: torch.device | str = "cpu") -> Figures:
    """Figures of a model on held-out pages, block after block; keys as in docs/training.md, None where nothing can be asked.

    Next panel: ``rpp_next_accuracy`` (``_content`` with all places hidden), ``rpp_page_exact``, ``rpp_tau`` of the decoded
    order. Panel on page: ``pop_auc``, apart for wrong pages of the ``_same_book`` and ``_other_books``, and ``_with_layout``.
    Hidden panel: ``mpm_retrieval``, the share found among the panels of the other pages; None without an MPM head. Page:
    ``page_retrieval``, the share of pages whose one half is nearest to their other half, as page embeddings.
    ``loss*`` as in training, without dropout. ``page_effective_rank`` near 0 tells a collapse.

    Args:
        model: on ``device``.
        batches: blocks of pages, none of which is kept.
    """
    was_training = model.training
    model.eval()
    seen = _Seen()
    for block in batches:
        batch = block.to(device)
        seen.add(model, batch, model.encode(batch), objective)
    model.train(was_training)
    return seen.figures()


@dataclass
class _Seen:
    """What has to be kept of the blocks seen: numbers, and the vectors of the first pages."""

    sizes: list[int] = field(default_factory=list)
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

    def add(self, model: ClosureLite, batch: Batch, encoded: Encoded, objective: Objective) -> None:
        """Take in a block."""
        self.sizes.append(len(batch.page_index))
        found = losses(model, batch, encoded, objective)
        self.parts.append([float(getattr(found, name)) for name in _PARTS])
        logits = model.next_panel_logits(encoded, batch)
        self.followed.append(_followed(logits, batch))
        for page, count in zip(logits.float().cpu(), batch.n_panels.tolist(), strict=True):
            self.decoded.append(decode_order(page.numpy(), int(count)))
        self.truth += _true_orders(batch)
        placeless = replace(batch, has_layout=torch.zeros_like(batch.has_layout))
        content = model.fused(placeless, encoded.image, encoded.text)
        self.followed_content.append(_followed(model.next_panel_logits(content, placeless), placeless))
        if model.pop is not None:
            self.pop.append(_pop_scores(model.pop(encoded.content, model.pages_without_each(encoded.content, batch)), batch))
            layout = model.pop(encoded.panels, model.pages_without_each(encoded.panels, batch))
            self.pop_layout.append(_pop_scores(layout, batch))
        guesses = mpm_guesses(model, batch, encoded, 0.0)
        if guesses:
            guess = torch.stack([normalize(one, dim=1) for one in guesses]).sum(0)
            self.hidden += _retrieval(guess, encoded.content, batch)
        self.halves += _half_pages(lambda half: model.pages_of(encoded.content, batch, half), batch)
        if len(self.pages) < _RANKED_BLOCKS:
            self.pages.append(encoded.page.float().cpu().numpy())

    def figures(self) -> Figures:
        """Over all blocks."""
        means = np.average(np.array(self.parts), axis=0, weights=self.sizes)
        figures: Figures = {
            "loss" if name == "total" else f"loss_{name}": float(mean) for name, mean in zip(_PARTS, means, strict=True)
        }
        scores = order_scores(self.decoded, self.truth)
        figures |= {
            "rpp_next_accuracy": _share(self.followed), "rpp_page_exact": scores.get("page_exact"),
            "rpp_tau": scores.get("tau"), "rpp_next_accuracy_content": _share(self.followed_content),
        }  # fmt: skip
        if self.pop:
            figures |= _pop_figures(self.pop)
            figures["pop_auc_with_layout"] = _pop_figures(self.pop_layout)["pop_auc"]
        figures["mpm_retrieval"], figures["page_retrieval"] = _mean(self.hidden)[0], _mean(self.halves)[0]
        figures["page_effective_rank"] = effective_rank(np.concatenate(self.pages).astype(np.float64))
        return figures


_PARTS = ("total", "rpp", "pop", "mpm")
_RANKED_BLOCKS = 16
"""Blocks whose page embeddings the effective rank is taken of: more would hardly change it."""


def baselines(batches: Iterable[Batch]) -> dict[str, Figures]:
    """What needs no training, on the same pages: chance, three rules for the order, raw features for the rest.

    Returns:
        name of the baseline -> figures under the names of `evaluate`.
    """
    counts: list[int] = []
    truth: list[Order] = []
    guessed: dict[str, list[Order]] = {name: [] for name in ("centre", "rows", "cut")}
    cosines: list[list[NDArray[np.float32]]] = []
    hidden: list[Hits] = []
    halves: list[Hits] = []
    for batch in batches:
        counts += batch.n_panels.tolist()
        truth += _true_orders(batch)
        for name in guessed:
            guessed[name] += _rule_orders(batch, name)
        if batch.image is not None and batch.text is not None:
            vectors = _raw(batch)
            others = _mean_of_others(vectors, batch)
            cosines.append(_pop_scores(normalize(vectors, dim=1) @ normalize(others, dim=1).T, batch))
            hidden += _retrieval(others, vectors, batch)
            halves += _half_pages(lambda half, vectors=vectors, batch=batch: _mean_of(vectors, batch, half), batch)  # type: ignore[misc]
    out: dict[str, Figures] = {"chance": {f"rpp_{key}": value for key, value in chance_scores(counts).items()}}
    out["chance"]["pop_auc"] = 0.5
    for name, orders in guessed.items():
        out[name] = {f"rpp_{key}": value for key, value in order_scores(orders, truth).items()}
    if cosines:
        out["chance"] |= {"mpm_retrieval": _mean(hidden)[1], "page_retrieval": _mean(halves)[1]}
        out["untrained_cosine"] = _pop_figures(cosines) | {"page_retrieval": _mean(halves)[0]}
        out["mean_of_others"] = {"mpm_retrieval": _mean(hidden)[0]}
    return out


def _share(counts: Sequence[tuple[int, int]]) -> float | None:
    hits, asked = (sum(one[place] for one in counts) for place in (0, 1))
    return hits / asked if asked else None


def _mean(hits: Sequence[Hits]) -> tuple[float | None, float | None]:
    """Shares over blocks, each weighing as much as it asks."""
    if not hits:
        return None, None
    weights = [asked for _, _, asked in hits]
    share, chance = (float(np.average([one[place] for one in hits], weights=weights)) for place in (0, 1))
    return share, chance


def _followed(logits: Tensor, batch: Batch) -> tuple[int, int]:
    """How many panels' successors are right, and how many were asked."""
    labels = next_labels(batch)
    chosen = labels >= 0
    return int((logits.argmax(2) == labels)[chosen].sum()), int(chosen.sum())


def _pop_scores(logits: Tensor, batch: Batch) -> list[NDArray[np.float32]]:
    """Scores of right pairs, wrong pairs of the same book, wrong pairs of other books."""
    return [logits[pairs].float().cpu().numpy() for pairs in pop_pairs(batch)]


def _pop_figures(scores: Sequence[Sequence[NDArray[np.float32]]]) -> Figures:
    right, same, other = (np.concatenate([block[place] for block in scores]).astype(np.float64) for place in (0, 1, 2))
    return {
        "pop_auc": auc(right, np.concatenate([same, other])),
        "pop_auc_same_book": auc(right, same),
        "pop_auc_other_books": auc(right, other),
    }


def _true_orders(batch: Batch) -> list[Order]:
    """Per page the slots of its panels, first read first."""
    return [tuple(int(slot) for slot in orders.argsort()) for orders in torch.split(batch.order.cpu(), batch.n_panels.tolist())]


def _rule_orders(batch: Batch, rule: str) -> list[Order]:
    out = []
    for layout in torch.split(batch.layout, batch.n_panels.tolist()):
        boxes = [Box(*row[:4]) for row in layout.double().tolist()]
        rtl = bool(layout[0, 8] < 0)
        if rule == "centre":
            out.append(tuple(sorted(range(len(boxes)), key=lambda i: (boxes[i].cy, -boxes[i].cx if rtl else boxes[i].cx))))
        else:
            out.append(order_panels(boxes, "rtl" if rtl else "ltr", "rows" if rule == "rows" else "cut").indices)
    return out


def _retrieval(guesses: Tensor, contents: Tensor, batch: Batch) -> list[Hits]:
    """Share of hidden panels whose guess is nearest to their own content, and chance; empty when there is nothing to ask.

    Candidates are the hidden panel and all panels of the block's other pages; the visible panels of its own page are none,
    since a guess made from them lies near them.
    """
    rows = mpm_rows(batch)
    if not rows.any() or len(rows) <= int(batch.n_panels.max()):
        return []
    scores = (normalize(guesses, dim=1) @ normalize(contents, dim=1).T)[rows].double().cpu().numpy()
    page = batch.page_index
    own = torch.eye(len(page), dtype=torch.bool, device=page.device)
    allowed = (own | (page[:, None] != page[None, :])) & (rows[None, :] | own)
    result = first_place_share(scores, torch.nonzero(rows)[:, 0].cpu().numpy(), allowed[rows].cpu().numpy())
    return [(*result, int(rows.sum()))] if result is not None else []


def _half_pages(page_of: Callable[[Tensor], Tensor], batch: Batch) -> list[Hits]:
    """Share of pages whose every other panel is, as one vector, nearest to the rest of the same page; chance.

    Args:
        page_of: page vectors ``(b, d)`` from the panels marked ``(n,)``.
    """
    has_content = batch.has_image | batch.has_text
    first, second = has_content & (batch.order % 2 == 0), has_content & (batch.order % 2 == 1)
    asked = torch.ones(batch.n_pages, dtype=torch.bool, device=first.device)
    for half in (first, second):
        asked &= torch.zeros_like(batch.n_panels).index_add(0, batch.page_index, half.long()) > 0
    n = int(asked.sum())
    if n < 2:
        return []
    scores = normalize(page_of(first)[asked], dim=1) @ normalize(page_of(second)[asked], dim=1).T
    result = first_place_share(scores.double().cpu().numpy(), np.arange(n), np.ones((n, n), np.bool_))
    return [(*result, n)] if result is not None else []


def _raw(batch: Batch) -> Tensor:
    """Frozen features ``(n, f + t)``, picture and words of equal length."""
    assert batch.image is not None and batch.text is not None
    return torch.cat([normalize(batch.image, dim=1), normalize(batch.text, dim=1)], dim=1)


def _mean_of_others(vectors: Tensor, batch: Batch) -> Tensor:
    """``(n, d)``: the sum of the page's other panels, which has the direction of their mean."""
    totals = torch.zeros(batch.n_pages, vectors.shape[1]).index_add(0, batch.page_index, vectors)
    return totals[batch.page_index] - vectors


def _mean_of(vectors: Tensor, batch: Batch, seen: Tensor) -> Tensor:
    """``(b, d)``: the sum of the marked panels of each page, which has the direction of their mean."""
    marked = vectors * seen[:, None]
    return torch.zeros(batch.n_pages, vectors.shape[1]).index_add(0, batch.page_index, marked)
