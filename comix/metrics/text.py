"""How much of a page's text a reader got: words found, words right, characters wrong."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WordScore:
    """Word counts of one page or, added up, of many; rates are pooled over words, not averaged over pages.

    Attributes:
        n_matched: words in both bags, with multiplicity.
        n_reference: words of the transcript.
        n_found: words of the reader.

    >>> WordScore(3, 4, 6) + WordScore(1, 1, 2)
    WordScore(n_matched=4, n_reference=5, n_found=8)
    """

    n_matched: int
    n_reference: int
    n_found: int

    def __add__(self, other: WordScore) -> WordScore:
        return WordScore(self.n_matched + other.n_matched, self.n_reference + other.n_reference, self.n_found + other.n_found)

    @property
    def recall(self) -> float:
        """Share of the transcript's words that the reader found; 1 when there is nothing to find."""
        return self.n_matched / self.n_reference if self.n_reference else 1.0

    @property
    def precision(self) -> float:
        """Share of the reader's words that stand in the transcript; 1 when it found none."""
        return self.n_matched / self.n_found if self.n_found else 1.0


def folded(text: str) -> str:
    """The text as it is compared: NFKC, lower case, apostrophes dropped, all other punctuation and space one space.

    >>> folded("IT'S  a Blood-craving… NOW!")
    'its a blood craving now'
    """
    kept = []
    for character in unicodedata.normalize("NFKC", text).casefold():
        if character in "'’‘`´":
            continue
        kept.append(character if character.isalnum() or unicodedata.category(character)[0] == "M" else " ")
    return " ".join("".join(kept).split())


def words_of(text: str) -> list[str]:
    """The words of a text, `folded`; a dash or slash ends a word.

    >>> words_of("YOU'RE -- you're I-I")
    ['youre', 'youre', 'i', 'i']
    """
    return folded(text).split()


def word_score(reference: Iterable[str], found: Iterable[str]) -> WordScore:
    """Bag-of-words match of a page: each transcript word can be matched once per time it was read, wherever it stands.

    Position is ignored on purpose: whether a word is in the right balloon and panel is measured apart. Two empty sides
    give ``WordScore(0, 0, 0)``, recall and precision 1.

    >>> word_score(["No! No! Help"], ["HELP NO", "18"])
    WordScore(n_matched=2, n_reference=3, n_found=3)
    """
    wanted = Counter(word for text in reference for word in words_of(text))
    got = Counter(word for text in found for word in words_of(text))
    return WordScore((wanted & got).total(), wanted.total(), got.total())


def edit_distance(first: str, second: str) -> int:
    """Fewest single-character insertions, deletions and substitutions that turn one text into the other.

    >>> edit_distance("kitten", "sitting")
    3
    """
    previous = list(range(len(second) + 1))
    for row, left in enumerate(first, 1):
        current = [row]
        for column, right in enumerate(second, 1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (left != right)))
        previous = current
    return previous[-1]


def character_error_rate(reference: str, found: str, spaces: bool = True) -> float:
    """Edits per reference character on `folded` texts: 0 is perfect, above 1 is possible.

    Args:
        reference: the transcript; when nothing is left of it, the rate is 0 for an equally empty reading, else 1.
        found: what was read.
        spaces: whether a missing or added space is an error; false for Japanese and Chinese.

    >>> character_error_rate("THE ZOO!", "the zo")
    0.14285714285714285
    """
    wanted, got = folded(reference), folded(found)
    if not spaces:
        wanted, got = wanted.replace(" ", ""), got.replace(" ", "")
    if not wanted:
        return 0.0 if not got else 1.0
    return edit_distance(wanted, got) / len(wanted)


def character_recall(reference: Iterable[str], found: Iterable[str]) -> tuple[int, int]:
    """Characters of the transcript found on the page and their total, as bags; for scripts without spaces.

    >>> character_recall(["だから!"], ["だか", "ん"])
    (2, 3)
    """
    wanted = Counter("".join(word for text in reference for word in words_of(text)))
    got = Counter("".join(word for text in found for word in words_of(text)))
    return (wanted & got).total(), wanted.total()
