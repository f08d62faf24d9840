"""Validation: what a model can do, each figure with what guessing, rules and untrained vectors reach on the same pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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


@torch.no_grad()
def evaluate(model: ClosureLite, batches: Sequence[Batch], objective: Objective) -> Figures:
    """Figures of a model on validation batches; keys as in docs, None where the pages leave nothing to ask.

    Next panel: ``rpp_next_accuracy`` (``_content`` with all places hidden), ``rpp_page_exact``, ``rpp_tau`` of the decoded
    order. Panel on page: ``pop_auc``, apart for wrong pages of the ``_same_book`` and ``_other_books``, and ``_with_layout``.
    Hidden panel: ``mpm_retrieval``, the share found among the panels of the other pages; None without an MPM head.
    ``loss*`` as in training, without dropout. ``page_effective_rank`` near 0 tells a collapse.
    """
    was_training = model.training
    model.eval()
    encoded = [model.encode(batch) for batch in batches]
    hidden = [replace(batch, has_layout=torch.zeros_like(batch.has_layout)) for batch in batches]
    figures: Figures = {}
    figures |= _loss_figures(model, batches, encoded, objective)
    figures |= _order_figures(model, batches, encoded)
    figures["rpp_next_accuracy_content"] = _next_accuracy(
        [(model.next_panel_logits(model.encode(batch), batch), batch) for batch in hidden]
    )
    if model.pop is not None:
        figures |= _pop_figures(_pop_logits(model, [one.content for one in encoded], batches))
        figures["pop_auc_with_layout"] = _pop_figures(_pop_logits(model, [one.panels for one in encoded], batches))["pop_auc"]
    found = [
        (torch.stack([normalize(guess, dim=1) for guess in guesses]).sum(0), one.content, batch)
        for one, batch in zip(encoded, batches, strict=True)
        if (guesses := mpm_guesses(model, batch, one, 0.0))
    ]
    figures["mpm_retrieval"] = _retrieval(found)[0] if found else None
    figures["page_effective_rank"] = effective_rank(torch.cat([one.page for one in encoded]).double().cpu().numpy())
    model.train(was_training)
    return figures


def baselines(batches: Sequence[Batch]) -> dict[str, Figures]:
    """What needs no training, on the same pages: chance, three rules for the order, raw features for the rest.

    Returns:
        name of the baseline -> figures under the names of `evaluate`.
    """
    counts = [int(count) for batch in batches for count in batch.n_panels]
    truth = [order for batch in batches for order in _true_orders(batch)]
    out: dict[str, Figures] = {"chance": {f"rpp_{key}": value for key, value in chance_scores(counts).items()}}
    out["chance"]["pop_auc"] = 0.5
    for name in ("centre", "rows", "cut"):
        guessed = [order for batch in batches for order in _rule_orders(batch, name)]
        out[name] = {f"rpp_{key}": value for key, value in order_scores(guessed, truth).items()}
    raw = [(_raw(batch), batch) for batch in batches if batch.image is not None and batch.text is not None]
    if raw:
        others = [_mean_of_others(vectors, batch) for vectors, batch in raw]
        triples = [(other, vectors, batch) for other, (vectors, batch) in zip(others, raw, strict=True)]
        cosines = [(normalize(vectors, dim=1) @ normalize(other, dim=1).T, batch) for other, vectors, batch in triples]
        out["untrained_cosine"] = _pop_figures(cosines)
        hit, chance = _retrieval(triples)
        out["mean_of_others"] = {"mpm_retrieval": hit}
        out["chance"]["mpm_retrieval"] = chance
    return out


def _loss_figures(model: ClosureLite, batches: Sequence[Batch], encoded: Sequence[Encoded], objective: Objective) -> Figures:
    """Means over blocks, each weighing as many panels as it has."""
    sizes = [len(batch.page_index) for batch in batches]
    parts = [losses(model, batch, one, objective) for one, batch in zip(encoded, batches, strict=True)]
    figures: Figures = {}
    for name in ("total", "rpp", "pop", "mpm"):
        values = [float(getattr(one, name)) for one in parts]
        figures["loss" if name == "total" else f"loss_{name}"] = float(np.average(values, weights=sizes))
    return figures


def _order_figures(model: ClosureLite, batches: Sequence[Batch], encoded: Sequence[Encoded]) -> Figures:
    logits = [(model.next_panel_logits(one, batch), batch) for one, batch in zip(encoded, batches, strict=True)]
    decoded = [
        decode_order(page.numpy(), int(count))
        for values, batch in logits
        for page, count in zip(values.float().cpu(), batch.n_panels, strict=True)
    ]
    scores = order_scores(decoded, [order for batch in batches for order in _true_orders(batch)])
    figures: Figures = {"rpp_next_accuracy": _next_accuracy(logits)}
    return figures | {"rpp_page_exact": scores.get("page_exact"), "rpp_tau": scores.get("tau")}


def _next_accuracy(logits: Sequence[tuple[Tensor, Batch]]) -> float | None:
    hits = asked = 0
    for values, batch in logits:
        labels = next_labels(batch)
        chosen = labels >= 0
        hits += int((values.argmax(2) == labels)[chosen].sum())
        asked += int(chosen.sum())
    return hits / asked if asked else None


def _true_orders(batch: Batch) -> list[tuple[int, ...]]:
    """Per page the slots of its panels, first read first."""
    return [tuple(int(slot) for slot in orders.argsort()) for orders in torch.split(batch.order, batch.n_panels.tolist())]


def _rule_orders(batch: Batch, rule: str) -> list[tuple[int, ...]]:
    out = []
    for layout in torch.split(batch.layout, batch.n_panels.tolist()):
        boxes = [Box(*row[:4]) for row in layout.double().tolist()]
        rtl = bool(layout[0, 8] < 0)
        if rule == "centre":
            out.append(tuple(sorted(range(len(boxes)), key=lambda i: (boxes[i].cy, -boxes[i].cx if rtl else boxes[i].cx))))
        else:
            out.append(order_panels(boxes, "rtl" if rtl else "ltr", "rows" if rule == "rows" else "cut").indices)
    return out


def _pop_logits(model: ClosureLite, panels: Sequence[Tensor], batches: Sequence[Batch]) -> list[tuple[Tensor, Batch]]:
    assert model.pop is not None
    return [(model.pop(one, model.pages_without_each(one, batch)), batch) for one, batch in zip(panels, batches, strict=True)]


def _pop_figures(logits: Sequence[tuple[Tensor, Batch]]) -> Figures:
    groups: list[list[NDArray[np.float64]]] = [[], [], []]
    for values, batch in logits:
        for group, pairs in zip(groups, pop_pairs(batch), strict=True):
            group.append(values[pairs].double().cpu().numpy())
    right, same, other = (np.concatenate([np.zeros(0), *group]) for group in groups)
    return {
        "pop_auc": auc(right, np.concatenate([same, other])),
        "pop_auc_same_book": auc(right, same),
        "pop_auc_other_books": auc(right, other),
    }


def _retrieval(found: Sequence[tuple[Tensor, Tensor, Batch]]) -> tuple[float | None, float | None]:
    """Share of hidden panels whose guess is nearest to their own content, and chance.

    Candidates are the hidden panel and all panels of the block's other pages; the visible panels of its own page are none,
    since a guess made from them lies near them.
    """
    hits: list[tuple[float, float, int]] = []
    for guesses, contents, batch in found:
        rows = mpm_rows(batch)
        if not rows.any():
            continue
        scores = (normalize(guesses, dim=1) @ normalize(contents, dim=1).T)[rows].double().cpu().numpy()
        page = batch.page_index
        own = torch.eye(len(page), dtype=torch.bool, device=page.device)
        allowed = (own | (page[:, None] != page[None, :])) & (rows[None, :] | own)
        result = first_place_share(scores, torch.nonzero(rows)[:, 0].cpu().numpy(), allowed[rows].cpu().numpy())
        if result is not None and allowed.shape[0] > int(batch.n_panels.max()):
            hits.append((*result, int(rows.sum())))
    if not hits:
        return None, None
    weights = [count for _, _, count in hits]
    return float(np.average([hit for hit, _, _ in hits], weights=weights)), float(
        np.average([chance for _, chance, _ in hits], weights=weights)
    )


def _raw(batch: Batch) -> Tensor:
    """Frozen features ``(n, f + t)``, picture and words of equal length."""
    assert batch.image is not None and batch.text is not None
    return torch.cat([normalize(batch.image, dim=1), normalize(batch.text, dim=1)], dim=1)


def _mean_of_others(vectors: Tensor, batch: Batch) -> Tensor:
    """``(n, d)``: the sum of the page's other panels, which has the direction of their mean."""
    totals = torch.zeros(batch.n_pages, vectors.shape[1]).index_add(0, batch.page_index, vectors)
    return totals[batch.page_index] - vectors
