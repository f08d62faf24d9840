"""``comix evaluate target=model``: trained checkpoints on pages, beside everything that needs no training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from comix.bench.evaluate import Answer
from comix.bench.figures import Row
from comix.bench.pictures import BadPage, Mark
from comix.bench.plots import PageSight
from comix.core.errors import UsageError
from comix.data.features import Features
from comix.data.module import Blocks, PageBatches
from comix.data.page import PageExample
from comix.models.closure_lite import ClosureLite
from comix.models.decode import decode_order
from comix.train.asked import pop_scores
from comix.train.checkpoint import LoadedModel
from comix.train.objectives import Mpm, Objective
from comix.train.run import tested

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "rpp_next_accuracy": "next panel", "rpp_page_exact": "page-exact", "rpp_next_accuracy_content": "next, places hidden",
        "pop_auc": "POP AUC", "pop_auc_same_book": "same book", "pop_auc_other_books": "other books",
        "mpm_retrieval": "MPM hit@1", "page_retrieval": "half page hit@1", "image_recall_10": "picture R@10",
        "text_recall_10": "words R@10", "page_effective_rank": "rank",
    }
)  # fmt: skip
_SEED = 0


@dataclass(frozen=True, slots=True)
class ModelQuestion:
    """What is to be measured.

    Attributes:
        models: by the name that the table shows; the first one's worst pages are drawn.
        pages: with one panel or more each.
        features: the cached features of these pages; None where no model wants them.
        worst: pages to draw.
        sights: pages whose next panels and attention are drawn.
    """

    models: Mapping[str, LoadedModel]
    pages: Sequence[PageExample]
    features: Features | None
    worst: int = 12
    sights: int = 6


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """The table, and what the plots show of the first model.

    Attributes:
        answer: rows, notes and worst pages.
        measured: per model what `comix.train.run.tested` says.
        sights: some pages with what is to follow each panel and the attention on it.
        right: scores of panels on their own pages; ``wrong``: on others.
        vectors: ``(n, d)`` page embeddings; ``books`` of these pages.
    """

    answer: Answer
    measured: dict[str, Any]
    sights: list[PageSight]
    right: NDArray[np.float64]
    wrong: NDArray[np.float64]
    vectors: NDArray[np.float32]
    books: list[str]


def evaluate_models(question: ModelQuestion) -> ModelAnswer:
    """Every checkpoint's figures with 95 % intervals by book, and the baselines' on the same pages.

    Raises:
        UsageError: no page.
    """
    if not question.pages:
        raise UsageError("target=model: none of the listed pages can be used")
    rows, measured = [], {}
    looked: _Looked | None = None
    for name, loaded in question.models.items():
        batches = PageBatches(question.pages, None if loaded.model.uses_pixels else question.features, loaded.reader)
        blocks = Blocks(batches, range(len(question.pages)), _SEED)
        measured[name] = tested(loaded.model, blocks, objective_of(loaded.model))
        intervals = {key: (one[0], one[1]) for key, one in measured[name]["intervals"].items() if key in COLUMNS}
        rows.append(Row(name, "all", len(question.pages), measured[name]["figures"], intervals))
        looked = looked or _looked(loaded.model, blocks, question)
    assert looked is not None
    first = next(iter(measured.values()))
    rows += [Row(f"no training: {name}", "all", len(question.pages), found) for name, found in first["baselines"].items()]
    weak = sum(page.order_is_weak for page in question.pages)
    notes = (
        [f"{weak} of {len(question.pages)} reading orders are a rule's own: there only agreement with it is shown"]
        if weak
        else []
    )
    return ModelAnswer(
        Answer(rows, COLUMNS, looked.worst, notes), measured, looked.sights, np.concatenate(looked.right),
        np.concatenate(looked.wrong), np.concatenate(looked.vectors), looked.books,
    )  # fmt: skip


def objective_of(model: ClosureLite) -> Objective:
    """What a model can be asked, by the heads that it has."""
    return Objective(
        mpm=Mpm(weight=0.1, denoise=model.denoise is not None, context_recon=model.context is not None),
        earlier=model.earlier is not None,
    )


@dataclass
class _Looked:
    worst: list[BadPage] = field(default_factory=list)
    sights: list[PageSight] = field(default_factory=list)
    right: list[NDArray[np.float64]] = field(default_factory=list)
    wrong: list[NDArray[np.float64]] = field(default_factory=list)
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    books: list[str] = field(default_factory=list)


@torch.no_grad()
def _looked(model: ClosureLite, blocks: Blocks, question: ModelQuestion) -> _Looked:
    """What single pages look like to a model."""
    out = _Looked()
    pages = {page.page_id: page for page in question.pages}
    for batch in blocks:
        encoded = model.encode(batch)
        logits = model.next_panel_logits(encoded, batch).float().numpy()
        right, same, other = _own_scores(model, encoded.content, batch)
        out.right.append(right)
        out.wrong.append(np.concatenate([same, other]))
        out.vectors.append(encoded.page.float().numpy())
        out.books += [pages[one].book_id for one in batch.page_ids]
        starts = np.cumsum([0, *batch.n_panels.tolist()])
        for place, page_id in enumerate(batch.page_ids):
            rows = slice(int(starts[place]), int(starts[place + 1]))
            order = batch.order[rows].numpy()  # the reading position of each row
            _look_at(out, question, pages[page_id], logits[place], order, encoded.attention[rows].numpy())
    return out


def _own_scores(model: ClosureLite, content: torch.Tensor, batch: Any) -> list[NDArray[np.float64]]:
    """Scores of right pairs and of wrong ones, by the model's head where it has one, else by cosine."""
    without = model.pages_without_each(content, batch)
    return [one.astype(np.float64) for one in pop_scores(model.belonging(content, without), batch)]


def _look_at(
    out: _Looked, question: ModelQuestion, page: PageExample, logits: NDArray[np.float32], order: NDArray[np.int64],
    attention: NDArray[np.float32],
) -> None:  # fmt: skip
    n = len(order)
    found = [int(order[slot]) for slot in decode_order(logits, n)]  # true positions, in the order they are read
    wrong = sum(place != position for place, position in enumerate(found))
    if wrong and len(out.worst) < question.worst:
        marks = [Mark(box, str(position + 1), True) for position, box in enumerate(page.boxes)]
        marks += [Mark(page.boxes[position], str(place + 1), False) for place, position in enumerate(found)]
        out.worst.append(BadPage(page.page_id, page.image, f"{wrong} of {n} panels stand elsewhere in its order", tuple(marks)))
    if 3 <= n <= 12 and len(out.sights) < question.sights:
        rows = np.argsort(order)  # rows by reading position
        steps = logits[:n][:, [*range(n), logits.shape[1] - 1]][rows][:, [*rows, n]].astype(np.float64)
        steps = np.exp(steps - steps.max(axis=1, keepdims=True))
        out.sights.append(PageSight(page.page_id, page.image, page.boxes, steps / steps.sum(1, keepdims=True), attention[rows]))


def checkpoint_names(paths: Sequence[Path]) -> list[str]:
    """A name for each checkpoint folder; of several of one name with their parent's.

    >>> checkpoint_names([Path("a/x"), Path("b/x"), Path("a/y")])
    ['a/x', 'b/x', 'y']
    """
    last = [path.name for path in paths]
    return ["/".join(path.parts[-2:]) if last.count(path.name) > 1 else path.name for path in paths]
