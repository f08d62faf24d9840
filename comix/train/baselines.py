"""What needs no training, on the same held-out pages: chance, rules for the order, raw features and words for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from comix.core.geometry import Box
from comix.core.order import Method, order_panels
from comix.metrics.order import chance_scores, order_scores
from comix.models.batch import Batch
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
    true_orders,
)  # fmt: skip

RULES = ("auto", "graph", "cut", "rows", "centre")
"""Rules for the reading order; ``auto`` is CoMix's own, measured where the true order is not its own."""


@dataclass(frozen=True, slots=True)
class Baselines:
    """What needs no training.

    Attributes:
        figures: name of the baseline -> figures under the names of `comix.train.evaluate.evaluate`.
        answers: the same of single pages, for the rules and ``mean_of_others``.
    """

    figures: dict[str, Figures]
    answers: dict[str, PageAnswers]


def baselines(batches: Iterable[Batch], words: Mapping[str, Sequence[str]] | None = None) -> Baselines:
    """Figures of everything that needs no training, block after block.

    Args:
        words: page id -> the words of each panel, in reading order; with them ``tf_idf`` is measured, too.
    """
    seen = _Seen()
    for batch in batches:
        seen.add(batch, words)
    return seen.measured()


@dataclass
class _Seen:
    counts: list[int] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    truth: list[Order] = field(default_factory=list)
    guessed: dict[str, list[Order]] = field(default_factory=lambda: {name: [] for name in RULES})
    cosines: list[list[NDArray[np.float32]]] = field(default_factory=list)
    tf_idf: list[list[NDArray[np.float32]]] = field(default_factory=list)
    hidden: list[Hits] = field(default_factory=list)
    hidden_pages: list[tuple[int, int]] = field(default_factory=list)
    halves: list[Hits] = field(default_factory=list)

    def add(self, batch: Batch, words: Mapping[str, Sequence[str]] | None) -> None:
        """Take in a block."""
        self.counts += batch.n_panels.tolist()
        self.pages += batch.page_ids
        self.truth += true_orders(batch)
        for name in RULES:
            self.guessed[name] += _rule_orders(batch, name)
        if batch.image is not None and batch.text is not None:
            vectors = _raw(batch)
            others = _mean_of_others(vectors, batch)
            self.cosines.append(pop_scores(normalize(vectors, dim=1) @ normalize(others, dim=1).T, batch))
            hits, per_page = retrieval(others, vectors, batch)
            self.hidden += hits
            self.hidden_pages += per_page
            self.halves += half_pages(lambda half: _mean_of(vectors, batch, half), batch)
        if words is not None:
            found = _word_vectors(batch, words)
            if found is not None:
                self.tf_idf.append(pop_scores(found @ normalize(_mean_of_others(found, batch), dim=1).T, batch))

    def measured(self) -> Baselines:
        """Over all blocks."""
        figures: dict[str, Figures] = {"chance": {f"rpp_{key}": value for key, value in chance_scores(self.counts).items()}}
        figures["chance"]["pop_auc"] = 0.5
        answers = {}
        for name, orders in self.guessed.items():
            if len(orders) == len(self.truth) and all(
                len(one) == len(other) for one, other in zip(orders, self.truth, strict=True)
            ):
                figures[name] = {f"rpp_{key}": value for key, value in order_scores(orders, self.truth).items()}
                answers[name] = PageAnswers(self.pages, exactness(orders, self.truth))
        if self.cosines:
            figures["chance"] |= {"mpm_retrieval": mean(self.hidden)[1], "page_retrieval": mean(self.halves)[1]}
            figures["untrained_cosine"] = pop_figures(self.cosines) | {"page_retrieval": mean(self.halves)[0]}
            figures["mean_of_others"] = {"mpm_retrieval": mean(self.hidden)[0]}
            answers["mean_of_others"] = PageAnswers(self.pages, hidden=self.hidden_pages)
        if self.tf_idf:
            figures["tf_idf"] = pop_figures(self.tf_idf)
        return Baselines(figures, answers)


def _word_vectors(batch: Batch, words: Mapping[str, Sequence[str]]) -> Tensor | None:
    """TF-IDF ``(n, v)`` of the panels' words, counted over the block; None where nobody says anything."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    places = zip(batch.page_index.tolist(), batch.order.tolist(), strict=True)
    texts = [words[batch.page_ids[page]][order] for page, order in places]
    try:
        found = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    except ValueError:  # no word in any of them
        return None
    return torch.from_numpy(np.asarray(found.todense(), np.float32))


def _rule_orders(batch: Batch, rule: str) -> list[Order]:
    if rule == "auto":  # as the batch tells it, which knows the page's size
        parts = torch.split(batch.rule.cpu(), batch.n_panels.tolist())
        return [tuple(part.argsort().tolist()) if bool((part >= 0).all()) else () for part in parts]
    out = []
    for layout in torch.split(batch.layout, batch.n_panels.tolist()):
        boxes = [Box(*row[:4]) for row in layout.double().tolist()]
        rtl = bool(layout[0, 8] < 0)
        if rule == "centre":
            out.append(tuple(sorted(range(len(boxes)), key=lambda i: (boxes[i].cy, -boxes[i].cx if rtl else boxes[i].cx))))
        else:
            out.append(order_panels(boxes, "rtl" if rtl else "ltr", cast(Method, rule)).indices)
    return out


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
