"""``comix evaluate target=cloze``: rules, an encoder and a learned reader on text cloze questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from comix.bench.cloze.accuracy import COLUMNS, accuracy_row
from comix.bench.cloze.learned import Learning, answers_learned
from comix.bench.cloze.likeness import Bank, Encode, by_encoder, by_letters, by_words, encoded, lengths
from comix.bench.cloze.rows import ClozeRow
from comix.bench.evaluate import Answer
from comix.bench.figures import Row
from comix.core.errors import UsageError

PUBLISHED: Mapping[str, str] = {
    "text": (
        "published for the COMICS text cloze, easy / hard, on its test half (not these questions): text-only LSTM .634 / "
        ".529, image and text .686 / .610 (M. Iyyer et al. 2017), ComicVT5 .791 / .713 (2024), people - / .84"
    ),
    "order": (
        "published for COMICS coherence, on its test half (not these questions): text-only LSTM .682, image-only .709, image "
        "and text .693 (M. Iyyer et al. 2017), replicated without context .756, people .87"
    ),
    "picture": (
        "published for the COMICS visual cloze, easy / hard, on its test half (not these questions): image-only LSTM .857 / "
        ".632, image and text .813 / .591, text only .559 / .484 (M. Iyyer et al. 2017), people - / .88"
    ),
    "ComicsPAP": (
        "published for ComicsPAP, validation half, Qwen2.5-VL-7B / -72B untrained: sequence filling .305 / .469, character "
        "coherence .546 / .538, visual closure .220 / .237, text closure .375 / .556, caption relevance .408 / .382, all .349 "
        "/ .413 (ICDAR 2025 competition)"
    ),
}
"""What others reached, by what a file asks: a `comix.bench.cloze.rows.Kind`, or ComicsPAP."""


@dataclass(frozen=True, slots=True)
class ClozeQuestion:
    """What is to be measured.

    Attributes:
        truth: questions per file, by its name.
        encode: texts to vectors of length 1.
        models: further encoders by name, measured as `encode` is.
        learning: of the learned reader; None to leave it out.
        n_resamples: draws of the bootstrap.
    """

    truth: Mapping[str, Sequence[ClozeRow]]
    encode: Encode
    models: Mapping[str, Encode] = field(default_factory=dict)
    learning: Learning | None = field(default_factory=Learning)
    n_resamples: int = 1000


def evaluate_cloze(question: ClozeQuestion, show: Callable[[int, str, int], None] = lambda *_: None) -> Answer:
    """Share of questions answered right, per file; candidates that tie share the point.

    Args:
        show: told of the learned reader's progress: parts in all, name of the file, parts of it that are answered.

    Raises:
        UsageError: questions of one file differ in their number of candidates, or too few books to learn from.
    """
    rows: list[Row] = []
    notes = []
    for name, questions in question.truth.items():
        counts = sorted({len(one.candidates) for one in questions})
        if len(counts) > 1:
            raise UsageError(f"{name}: questions with {counts[0]} and with {counts[-1]} candidates in one file")
        bank = Bank.of(questions)
        vectors = encoded(bank, question.encode)
        words, letters, meaning = by_words(bank), by_letters(bank), by_encoder(bank, vectors)
        scores = {
            "chance": np.zeros(bank.candidates.shape, np.float32),
            "the longest": lengths(bank),
            "TF-IDF, words": words[..., 0],
            "TF-IDF, letters": letters[..., 0],
            "MiniLM, untrained": meaning[..., 0],
        }
        for model, encode in question.models.items():
            scores[model] = by_encoder(bank, encoded(bank, encode))[..., 0]
        rows += [_row(rule, name, bank, found, question.n_resamples) for rule, found in scores.items()]
        if question.learning is None:
            continue
        n_books = len(set(bank.books))
        if n_books < question.learning.folds:
            raise UsageError(f"{name}: {n_books} books cannot be dealt into folds={question.learning.folds} parts; say folds=0")
        likeness = np.concatenate([words, letters, meaning], axis=2)
        total = question.learning.folds * len(question.truth)
        told = partial(show, total, name)
        learned = answers_learned(bank, vectors, likeness, question.learning, told)
        rows.append(_row("learned reader", name, bank, learned, question.n_resamples))
    if question.learning is not None:
        notes.append(
            f"the learned reader answers each book after learning on others ({question.learning.folds} parts by book, "
            f"{len(question.learning.seeds)} readers each); MiniLM and the rules learned nothing"
        )
    return Answer(rows, COLUMNS, [], notes)


def _row(name: str, group: str, bank: Bank, scores: NDArray[np.float32], n_resamples: int) -> Row:
    best = scores >= scores.max(axis=1, keepdims=True)  # (n, k)
    right = best[np.arange(len(best)), bank.correct] / best.sum(axis=1)
    return accuracy_row(name, group, right, best.sum(axis=1) > 1, bank.books, n_resamples)
