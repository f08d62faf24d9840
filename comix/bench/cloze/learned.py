"""A reader learned on some books and asked about the others, in turn, until every question is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from comix.bench.cloze.likeness import Bank
from comix.models.cloze import ClozeReader

Floats = NDArray[np.float32]
_PRONOUNS = frozenset(("i", "you", "my", "me", "your", "we", "us", "our"))


@dataclass(frozen=True, slots=True)
class Learning:
    """How readers are made.

    Attributes:
        folds: parts that the books are dealt into; each part is answered by readers that saw none of it.
        seeds: readers per part, whose answers are averaged.
        epochs: passes over the questions.
        batch_size, lr, weight_decay: of AdamW under a one-cycle schedule.
    """

    folds: int = 5
    seeds: tuple[int, ...] = (0, 1, 2)
    epochs: int = 6
    batch_size: int = 128
    lr: float = 0.003
    weight_decay: float = 0.05


class _Asked(NamedTuple):
    """Questions as the reader takes them, see `ClozeReader`; the right answers last."""

    context: Tensor
    style: Tensor
    candidates: Tensor
    candidate_style: Tensor
    likeness: Tensor
    correct: Tensor

    def some(self, rows: Tensor) -> _Asked:
        return _Asked(*(part[rows] for part in self))

    def scores(self, reader: ClozeReader) -> Tensor:
        out: Tensor = reader(*self[:-1])
        return out


def answers_learned(
    bank: Bank, vectors: Floats, likeness: Floats, how: Learning, show: Callable[[int], None] = lambda _: None
) -> Floats:
    """Log probabilities ``(n, k)`` of the candidates of every question, by readers that saw no question of its book.

    Measures are scaled by their spread over all questions, which needs no answers.

    Args:
        bank: two books at least.
        vectors: ``(texts, d)`` of an encoder, see `comix.bench.cloze.likeness.encoded`.
        likeness: ``(n, k, f)`` of the candidates to their contexts, see `comix.bench.cloze.likeness.cosines`.
        show: told how many parts are answered.
    """
    asked = _asked(bank, vectors, likeness)
    deal = dealt(bank.books, how.folds)
    part, parts = torch.from_numpy(deal), sorted(set(deal.tolist()))
    out = torch.zeros(bank.candidates.shape)
    for number in parts:
        own = torch.nonzero(part == number)[:, 0]
        others = asked.some(torch.nonzero(part != number)[:, 0])
        for seed in how.seeds:
            reader = _learned(others, how, seed)
            with torch.inference_mode():
                out[own] += asked.some(own).scores(reader).log_softmax(dim=1) / len(how.seeds)
        show(number + 1)
    return out.numpy()


def _learned(asked: _Asked, how: Learning, seed: int) -> ClozeReader:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reader = ClozeReader(asked.context.shape[2], asked.candidate_style.shape[2], asked.likeness.shape[2])
        optimiser = torch.optim.AdamW(reader.parameters(), lr=how.lr, weight_decay=how.weight_decay)
        n = len(asked.correct)
        steps = how.epochs * -(-n // how.batch_size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, how.lr, total_steps=steps)
        for _ in range(how.epochs):
            for rows in torch.split(torch.randperm(n), how.batch_size):
                some = asked.some(rows)
                optimiser.zero_grad()
                torch.autograd.backward(cross_entropy(some.scores(reader), some.correct))
                torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
                optimiser.step()
                schedule.step()
    return reader.eval()


def _asked(bank: Bank, vectors: Floats, likeness: Floats) -> _Asked:
    style = _style(bank.texts)  # (texts, s)
    is_text = (bank.context > 0)[..., None]
    n_texts = is_text.sum(axis=2)  # (n, p, 1)
    panels = torch.from_numpy(vectors[bank.context].sum(axis=2))  # (n, p, d)
    panel_style = (style[bank.context] * is_text).sum(axis=2) / np.maximum(n_texts, 1)
    each = np.einsum("npd,nkd->nkp", vectors[bank.context.reshape(len(bank.books), -1)], vectors[bank.candidates])
    nearest = np.stack([each.max(axis=2), each.sum(axis=2) / np.maximum(n_texts.sum(axis=1), 1)], axis=2)  # (n, k, 2)
    likeness = np.concatenate([likeness, nearest], axis=2)
    return _Asked(
        normalize(panels, dim=-1), _tensor(np.concatenate([panel_style, n_texts], axis=2)), _tensor(vectors[bank.candidates]),
        _tensor(style[bank.candidates]), _tensor(_scaled(likeness, (0, 1))), torch.from_numpy(bank.correct),
    )  # fmt: skip


def _style(texts: Sequence[str]) -> Floats:
    """How texts are written ``(n, 9)``, each measure scaled over all texts."""
    found = np.zeros((len(texts), 9), np.float32)
    for number, text in enumerate(texts):
        words = text.split()
        said = sum(word.lower() in _PRONOUNS for word in words) / max(len(words), 1)
        letters = sum(map(len, words)) / max(len(words), 1)
        marks = [text.count(mark) for mark in ("!", "?", ".", "'")]
        found[number] = [len(text), len(words), *marks, sum(map(str.isdigit, text)), said, letters]
    return _scaled(np.log1p(found), (0,))


def _scaled(values: Floats, axes: tuple[int, ...]) -> Floats:
    spread = values.std(axis=axes, keepdims=True)
    out: Floats = (values - values.mean(axis=axes, keepdims=True)) / np.maximum(spread, 1e-6)
    return out


def _tensor(values: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def dealt(books: Sequence[str], folds: int, seed: int = 0) -> NDArray[np.int64]:
    """The part of each question, whole books together; books are dealt by chance.

    >>> parts = dealt(["a", "a", "b", "c"], 3)
    >>> bool(parts[0] == parts[1]), sorted(set(parts.tolist()))
    (True, [0, 1, 2])
    """
    names = sorted(set(books))
    order = np.random.default_rng(seed).permutation(len(names))
    part = {names[place]: number % folds for number, place in enumerate(order.tolist())}
    return np.array([part[book] for book in books], np.int64)
