"""How like the candidates of cloze questions are to their context, by words, letters and an encoder; nothing is learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from comix.bench.cloze.rows import ClozeRow, readable

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Encode = Callable[[Sequence[str]], Floats]
"""Texts to vectors of length 1."""


@dataclass(frozen=True, slots=True)
class Bank:
    """All texts of some questions, each once.

    Attributes:
        texts: the empty one first.
        context: ``(n, p, t)`` places of the context's texts per panel, 0 for none.
        candidates: ``(n, k)``.
        correct: ``(n,)``.
        books: ``(n,)``.
    """

    texts: tuple[str, ...]
    context: Ints
    candidates: Ints
    correct: Ints
    books: tuple[str, ...]

    @classmethod
    def of(cls, rows: Sequence[ClozeRow]) -> Bank:
        """The texts of questions that have as many candidates each."""
        places = {"": 0}
        n_panels = max(len(row.context) for row in rows)
        n_texts = max((len(panel) for row in rows for panel in row.context), default=0)
        context = np.zeros((len(rows), n_panels, max(n_texts, 1)), np.int64)
        candidates = np.zeros((len(rows), len(rows[0].candidates)), np.int64)
        for number, row in enumerate(rows):
            for panel, texts in enumerate(row.context):
                for place, text in enumerate(texts):
                    context[number, panel, place] = places.setdefault(text, len(places))
            for place, text in enumerate(row.candidates):
                candidates[number, place] = places.setdefault(text, len(places))
        correct = np.array([row.correct for row in rows], np.int64)
        return cls(tuple(places), context, candidates, correct, tuple(row.book for row in rows))


def lengths(bank: Bank) -> Floats:
    """Letters of each candidate, ``(n, k)``."""
    sizes = np.array([len(text) for text in bank.texts], np.float32)
    found: Floats = sizes[bank.candidates]
    return found


def by_words(bank: Bank) -> Floats:
    """Cosines of TF-IDF vectors over words, see `cosines`; words are weighed by how rare they are in all texts of the bank."""
    return cosines(bank, _tfidf(bank, token_pattern=r"\S+"))


def by_letters(bank: Bank) -> Floats:
    """The same over runs of two to five letters inside words: what was misread still agrees in part."""
    return cosines(bank, _tfidf(bank, analyzer="char_wb", ngram_range=(2, 5)))


def by_encoder(bank: Bank, vectors: Floats) -> Floats:
    """The same over an encoder's vectors ``(texts, d)``, see `encoded`."""
    return cosines(bank, sp.csr_matrix(vectors))


def encoded(bank: Bank, encode: Encode) -> Floats:
    """Vectors ``(texts, d)`` of the bank's texts, as they would be written; zeros for the empty one."""
    vectors = encode([readable(text) or text for text in bank.texts[1:]])
    return np.vstack([np.zeros((1, vectors.shape[1]), np.float32), vectors])


def cosines(bank: Bank, vectors: Any) -> Floats:
    """Cosines of each candidate with the whole context and with each panel of it.

    Args:
        vectors: sparse ``(texts, d)``.

    Returns:
        ``(n, k, 1 + p)``; 0 where either side is empty.
    """
    n, p, _ = bank.context.shape
    k = bank.candidates.shape[1]
    rows, texts = np.nonzero(bank.context.reshape(n * p, -1))
    places = bank.context.reshape(n * p, -1)[rows, texts]
    shape = (n * p, len(bank.texts))
    panels = sp.csr_matrix((np.ones(len(rows)), (rows, places)), shape=shape) @ vectors  # (n * p, d)
    whole = sp.kron(sp.identity(n), np.ones((1, p)), format="csr") @ panels  # (n, d)
    panels, whole, vectors = normalize(panels), normalize(whole), normalize(vectors)
    out = np.zeros((n, k, 1 + p), np.float32)
    for place in range(k):
        candidate = vectors[bank.candidates[:, place]]
        out[:, place, 0] = np.asarray(whole.multiply(candidate).sum(axis=1)).ravel()
        for panel in range(p):
            out[:, place, 1 + panel] = np.asarray(panels[panel::p].multiply(candidate).sum(axis=1)).ravel()
    return out


def _tfidf(bank: Bank, **how: Any) -> Any:
    vectorizer = TfidfVectorizer(sublinear_tf=True, **how)
    try:
        return vectorizer.fit_transform(bank.texts).tocsr()
    except ValueError:  # no words in any text
        return sp.csr_matrix((len(bank.texts), 1))
