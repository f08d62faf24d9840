"""English words that the recogniser spells as its eye does: slips on hand lettering, mended where only one word fits.

Hand lettering makes U look like LI or UI, M like N, D like O. A word that no vocabulary knows and that one such slip away
is known is taken for the known one. Pages that are not English, words that stand twice on a page (names) and known words
stay as they are. The vocabulary is pyspellchecker's (MIT).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

_SLIPS = (
    ("ui", "u"), ("li", "u"), ("l", "u"), ("o", "u"), ("n", "m"), ("m", "n"), ("u", "w"), ("vi", "w"), ("o", "d"), ("g", "q"),
    ("i", "l"), ("l", "i"), ("1", "l"), ("1", "i"), ("0", "o"), ("5", "s"), ("p", "f"),
)  # fmt: skip
"""What was read, and what it may have been."""
_SHORT = {("n", "m"), ("l", "i")}
"""The only slips in words of two letters."""
_MOST_SLIPS = 2
_WORD = re.compile(r"[A-Za-z0-9]+(?!['’`]?[A-Za-z0-9])(?<!['’`].)(?<!['’`]..)|[A-Za-z0-9]+(?=['’`][Ss]\b)")
"""A word without apostrophe, or what stands before ``'s``."""
_LEAST = 3
"""Letters of a word from which slips may change its length, and which tell whether a page is English."""
_ENGLISH = 0.7
"""Share of known words on a page from which it is English."""


@lru_cache(maxsize=1)
def english() -> Mapping[str, int]:
    """English words in lower case, each with how often it was counted."""
    from spellchecker import SpellChecker

    words: dict[str, int] = dict(SpellChecker(language="en").word_frequency.dictionary)
    return words | {word.replace("'", ""): number for word, number in words.items() if "'" in word}  # letterers leave them out


def respelled(texts: Sequence[str], vocabulary: Mapping[str, int] | None = None) -> list[str]:
    """The texts of one page with slips mended; as they are when the page is not English.

    >>> words = dict.fromkeys(["the", "about", "stuff", "turning", "you", "said", "what", "good"], 100)
    >>> respelled(["WHAT STUIFF! YOU SAID", "WHAT GOOD? THE GOOD TURNING", "Abolt KRZYK'S"], words)
    ['WHAT STUFF! YOU SAID', 'WHAT GOOD? THE GOOD TURNING', "About KRZYK'S"]
    >>> respelled(["Tak to je moja pravda o hre, abolt"], words)
    ['Tak to je moja pravda o hre, abolt']
    """
    known = english() if vocabulary is None else vocabulary
    counts = Counter(word for text in texts for word in _looked_up(text))
    long = [word for word in counts.elements() if len(word) >= _LEAST]
    n_known = sum(word in known for word in long)
    if n_known < _ENGLISH * len(long) or n_known < 5:
        return list(texts)
    mended = {word: _likeliest(word, known) for word, number in counts.items() if number == 1 and word not in known}

    def replace(match: re.Match[str]) -> str:
        word = match.group()
        better = mended.get(word.lower())
        if not better:
            return word
        return better.upper() if word.isupper() else better.capitalize() if word[0].isupper() else better

    return [_WORD.sub(replace, text) for text in texts]


def _looked_up(text: str) -> Iterator[str]:
    for match in _WORD.finditer(text):
        word = match.group().lower()
        if sum(character.isalpha() for character in word) >= 2:
            yield word


def _likeliest(word: str, known: Mapping[str, int]) -> str | None:
    """The commonest known word that is the fewest slips away; None when there is none."""
    forms = {word}
    for _ in range(_MOST_SLIPS if len(word) > _LEAST + 1 else 1):
        forms = {better for form in forms for better in _one_slip_away(form)}
        found = [form for form in forms if form in known]
        if found:
            return max(found, key=lambda form: known[form])
    return None


def _one_slip_away(word: str) -> Iterator[str]:
    for read, meant in _SLIPS:
        if len(word) < _LEAST and (read, meant) not in _SHORT:
            continue
        for match in re.finditer(re.escape(read), word):
            yield word[: match.start()] + meant + word[match.end() :]
