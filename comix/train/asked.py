"""What held-out pages are asked, by a model as by what needs no training: one definition for both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from comix.metrics.bootstrap import book_interval
from comix.metrics.retrieval import auc, first_place_hits, first_place_share
from comix.models.batch import Batch
from comix.train.objectives import mpm_rows, pop_pairs

Figures = dict[str, float | None]
Order = tuple[int, ...]
Hits = tuple[float, float, int]
"""Share found, what chance gives, how many were asked."""


@dataclass
class PageAnswers:
    """What single pages add to figures, for intervals; pages in the order they were asked.

    Attributes:
        pages: ids of all pages.
        exact: per page 1 where the whole order is right, 0 where not; None on pages of one panel.
        hidden: per page how many hidden panels were found, and of how many.
    """

    pages: list[str] = field(default_factory=list)
    exact: list[bool | None] = field(default_factory=list)
    hidden: list[tuple[int, int]] = field(default_factory=list)


def interval(ours: PageAnswers, theirs: PageAnswers | None, name: str) -> tuple[float, float] | None:
    """95 % interval, by resampling books, of a figure, or of how far it is above another's on the same pages.

    Args:
        name: ``rpp_page_exact`` or ``mpm_retrieval``.

    Returns:
        None where there is nothing to ask, or of fewer than two books.
    """
    first = _added(ours, name)
    second = _added(theirs, name) if theirs is not None else np.zeros_like(first)
    if not len(first) or len(first) != len(second) or not first[:, 1].sum():
        return None
    counts = np.stack([first[:, 0], second[:, 0], first[:, 1]], axis=1)
    books = [page.rpartition("/")[0] or page for page in ours.pages]
    with np.errstate(invalid="ignore", divide="ignore"):
        return book_interval(counts, books, lambda sums: (sums[..., 0] - sums[..., 1]) / sums[..., 2])


def _added(answers: PageAnswers, name: str) -> NDArray[np.float64]:
    """``(pages, 2)``: right answers and questions of each page."""
    if name == "mpm_retrieval":
        return np.array(answers.hidden, np.float64).reshape(-1, 2)
    return np.array([(one is True, one is not None) for one in answers.exact], np.float64).reshape(-1, 2)


def exactness(found: Sequence[Order], truth: Sequence[Order]) -> list[bool | None]:
    """Per page whether the whole order is right; None where there is only one."""
    return [one == other if len(other) > 1 else None for one, other in zip(found, truth, strict=True)]


def share(counts: Sequence[tuple[int, int]]) -> float | None:
    """Right answers over questions, pairs of both added; None where nothing was asked."""
    hits, asked = (sum(one[place] for one in counts) for place in (0, 1))
    return hits / asked if asked else None


def mean(hits: Sequence[Hits]) -> tuple[float | None, float | None]:
    """Shares over blocks, each weighing as much as it asks."""
    if not hits:
        return None, None
    weights = [asked for _, _, asked in hits]
    share, chance = (float(np.average([one[place] for one in hits], weights=weights)) for place in (0, 1))
    return share, chance


def pop_scores(logits: Tensor, batch: Batch) -> list[NDArray[np.float32]]:
    """Scores of right pairs, wrong pairs of the same book, wrong pairs of other books."""
    return [logits[pairs].float().cpu().numpy() for pairs in pop_pairs(batch)]


def pop_figures(scores: Sequence[Sequence[NDArray[np.float32]]]) -> Figures:
    """Areas under the curve from the blocks of `pop_scores`: against all wrong pages, and against either kind."""
    right, same, other = (np.concatenate([block[place] for block in scores]).astype(np.float64) for place in (0, 1, 2))
    return {
        "pop_auc": auc(right, np.concatenate([same, other])),
        "pop_auc_same_book": auc(right, same),
        "pop_auc_other_books": auc(right, other),
    }


def true_orders(batch: Batch) -> list[Order]:
    """Per page the slots of its panels, first read first."""
    return [tuple(int(slot) for slot in orders.argsort()) for orders in torch.split(batch.order.cpu(), batch.n_panels.tolist())]


def retrieval(guesses: Tensor, contents: Tensor, batch: Batch) -> tuple[list[Hits], list[tuple[int, int]]]:
    """Share of hidden panels whose guess is nearest to their own content, and chance; found and asked per page.

    Candidates are the hidden panel and all panels of the block's other pages; the visible panels of its own page are none,
    since a guess made from them lies near them. Nothing when there is nothing to ask.
    """
    rows = mpm_rows(batch)
    per_page = np.zeros((batch.n_pages, 2), np.int64)
    if not rows.any() or len(rows) <= int(batch.n_panels.max()):
        return [], [(0, 0)] * batch.n_pages
    scores = (normalize(guesses, dim=1) @ normalize(contents, dim=1).T)[rows].double().cpu().numpy()
    page = batch.page_index
    own = torch.eye(len(page), dtype=torch.bool, device=page.device)
    allowed = ((own | (page[:, None] != page[None, :])) & (rows[None, :] | own))[rows].cpu().numpy()
    right = torch.nonzero(rows)[:, 0].cpu().numpy()
    hits = first_place_hits(scores, right, allowed)
    np.add.at(per_page, page[rows].cpu().numpy(), np.stack([hits, np.ones_like(hits)], axis=1))
    chance = float((1 / allowed.sum(axis=1)).mean())
    return [(float(hits.mean()), chance, len(hits))], [(int(found), int(asked)) for found, asked in per_page]


def half_pages(page_of: Callable[[Tensor], Tensor], batch: Batch) -> list[Hits]:
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
