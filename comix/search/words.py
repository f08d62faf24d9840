"""BM25 over the words of panels, as three arrays on disk: a query reads only the postings of its own words.

Source: S. Robertson, H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009; idf as in Lucene (never
negative).
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comix.core.files import write_bytes

K1, B = 1.2, 0.75
"""Standard values: how fast repeated words saturate, and how much long texts are held back."""

COMMON_WEIGHT = 0.1
"""Of words that say little, where a query has others: they decide between panels that are alike, and draw in no panel."""
_COMMON_SHARE, _COMMON_FROM = 0.2, 100
"""A word on more than this share of the panels says little in any language, given so many panels."""
_COMMON = frozenset(
    (
        "a", "about", "after", "again", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "because",
        "been", "before", "being", "but", "by", "can", "cant", "could", "did", "didnt", "do", "does", "doesnt", "doing",
        "done", "dont", "for", "from", "get", "go", "got", "had", "has", "have", "having", "he", "hed", "her", "here",
        "heres", "hers", "him", "his", "how", "i", "if", "im", "in", "into", "is", "isnt", "it", "its", "ive", "just",
        "let", "lets", "like", "me", "more", "much", "must", "my", "no", "nor", "not", "now", "of", "off", "oh", "on",
        "one", "only", "or", "our", "out", "over", "really", "shall", "she", "should", "so", "some", "such", "than",
        "that", "thats", "the", "their", "them", "then", "there", "theres", "these", "they", "theyre", "this", "those",
        "through", "to", "too", "under", "up", "upon", "us", "very", "was", "wasnt", "we", "well", "were", "werent",
        "weve", "what", "whats", "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "wont",
        "would", "yeah", "yes", "yet", "you", "youd", "youll", "your", "youre", "yours", "youve",
    )
)  # fmt: skip
"""English words that hold sentences together, as `words_of` spells them."""

FILES = ("words.txt", "words_starts.npy", "words_panels.npy", "words_weights.npy")

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af]+")


def words_of(text: str) -> list[str]:
    """Words of a text for matching: lower case, apostrophes dropped; Chinese, Japanese and Korean as character pairs.

    >>> words_of("DON'T stop —  Don’t!"), words_of("日本語 ok")
    (['dont', 'stop', 'dont'], ['日本', '本語', 'ok'])
    """
    found = []
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        plain = word.replace("'", "").replace("’", "")
        end = 0
        for run in _CJK.finditer(plain):
            found += [plain[end : run.start()], *_pairs(run[0])]
            end = run.end()
        found.append(plain[end:])
    return [word for word in found if word]


def _pairs(run: str) -> list[str]:
    return [run[start : start + 2] for start in range(len(run) - 1)] or [run]


def write_words(folder: Path, texts: Iterable[str]) -> int:
    """Write the BM25 arrays of texts, one per panel in the order of their numbers; the number of different words."""
    vocabulary: dict[str, int] = {}
    words, panels, counts, lengths = array("L"), array("L"), array("f"), array("f")
    for panel, text in enumerate(texts):
        found = Counter(words_of(text))
        lengths.append(float(sum(found.values())))
        for word, count in found.items():
            words.append(vocabulary.setdefault(word, len(vocabulary)))
            panels.append(panel)
            counts.append(count)
    spelled = sorted(vocabulary)
    rank = np.empty(len(spelled), np.int64)
    rank[[vocabulary[word] for word in spelled]] = np.arange(len(spelled))
    word_of = rank[np.asarray(words, np.int64)] if spelled else np.zeros(0, np.int64)
    order = np.argsort(word_of, kind="stable")
    panel_of = np.asarray(panels, np.int64)[order]
    in_panels = np.bincount(word_of, minlength=len(spelled))
    starts = np.concatenate([[0], np.cumsum(in_panels)]).astype(np.int64)
    length = np.asarray(lengths, np.float32)
    held = 1 - B + B * length / max(float(length.mean()) if len(length) else 0.0, 1e-9)
    times = np.asarray(counts, np.float32)[order]
    weights = _idf(len(length), in_panels)[word_of[order]] * times * (K1 + 1) / (times + K1 * held[panel_of])
    write_bytes(folder / FILES[0], "".join(f"{word}\n" for word in spelled).encode())
    write_array(folder / FILES[1], starts)
    write_array(folder / FILES[2], panel_of.astype(np.uint32))
    write_array(folder / FILES[3], weights.astype(np.float32))
    return len(spelled)


def _idf(n_panels: int, in_panels: NDArray[np.int64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.log(1 + (n_panels - in_panels + 0.5) / (in_panels + 0.5))
    return found


def write_array(path: Path, values: NDArray[Any]) -> None:
    """Write a ``.npy`` file atomically."""
    import io

    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


class WordIndex:
    """BM25 over ``n_panels`` panels; arrays stay on disk until a word is asked for.

    Args:
        folder: where `write_words` wrote.
        n_panels: how many texts it was given.
    """

    def __init__(self, folder: Path, n_panels: int) -> None:
        spelled = (folder / FILES[0]).read_text(encoding="utf-8").split("\n")[:-1]
        self._places = {word: place for place, word in enumerate(spelled)}
        self._starts, self._panels, self._weights = (np.load(folder / name, mmap_mode="r") for name in FILES[1:])
        self._n_panels = n_panels

    def unknown(self, text: str) -> list[str]:
        """Words of a text that no panel has."""
        return [word for word in dict.fromkeys(words_of(text)) if word not in self._places and word not in _COMMON]

    def near(self, word: str) -> list[str]:
        """At most three words of the panels that are spelled nearly like this one."""
        alike = [one for one in self._places if one[:1] == word[:1] and abs(len(one) - len(word)) <= 2]
        return get_close_matches(word, alike, n=3, cutoff=0.75)

    def scores(self, text: str) -> NDArray[np.float32]:
        """BM25 of every panel ``(n_panels,)`` as a share of the best that any text could reach for these words, 0 to 1.

        Words that no panel has lower the share: a text that lacks them is no perfect match. Words that say little count
        `COMMON_WEIGHT` of their own, unless the text has no others.
        """
        total = np.zeros(self._n_panels, np.float32)
        best = 0.0
        found = {word: self._postings(word) for word in words_of(text)}
        common = {word for word, here in found.items() if self._says_little(word, here.stop - here.start)}
        for word, here in found.items():
            weight = COMMON_WEIGHT if word in common and len(common) < len(found) else 1.0
            best += weight * float(_idf(self._n_panels, np.array(here.stop - here.start))) * (K1 + 1)
            total[self._panels[here]] += np.float32(weight) * self._weights[here]
        return total / np.float32(best) if best else total

    def _postings(self, word: str) -> slice:
        place = self._places.get(word)
        return slice(0, 0) if place is None else slice(int(self._starts[place]), int(self._starts[place + 1]))

    def _says_little(self, word: str, n_panels: int) -> bool:
        return word in _COMMON or (self._n_panels >= _COMMON_FROM and n_panels > _COMMON_SHARE * self._n_panels)
