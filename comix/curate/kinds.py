"""What kind of page it is: evidence added up per kind, turned into probabilities, or left open.

The weights below are hand-set log-odds; `benchmarks/page_types.py` measures them on labelled pages.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from comix.core.pagetypes import PAGE_TYPES

ABSTAIN_BELOW = 0.5
"""A kind less probable than this is not named: the page is ``unknown``."""


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What the kind is told from.

    Attributes:
        page_num: place in the book, from 1; ``n_pages`` pages are in the book.
        n_panels: panels found, None when detection failed.
        largest: the largest panel's share of the page's area, 0 to 1.
        covered: all panels' areas over the page's, 0 to about 1.
        n_words: words read; None when no reader has reached the page.
        text: the words themselves.
        said: page type that the reader named, "" when it named none.
        is_blank: whether the pixels are known to be near uniform.
    """

    page_num: int
    n_pages: int
    n_panels: int | None
    largest: float = 0.0
    covered: float = 0.0
    n_words: int | None = None
    text: str = ""
    said: str = ""
    is_blank: bool = False


_PRIOR: Mapping[str, float] = MappingProxyType(
    {
        "interior": 2.5, "splash": -0.5, "cover": -2.0, "back_cover": -2.5, "title_page": -1.5, "text": -1.0,
        "ad_third_party": -1.5, "letters": -2.5, "editorial": -2.5, "backmatter": -3.0, "preview_comic_pages": -4.0,
        "recap": -3.5, "credits": -1.5, "blank": -4.0,
    }
)  # fmt: skip

_PHRASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ad_third_party": (
            "order now", "coupon", "money[- ]back", "free trial", "send (?:no|only|for)", "mail (?:this|today|coupon)", "dept",
            "savings (?:bonds?|plan)", "guaranteed?", "before you buy", "brand new", "for sale", "on sale", "subscribe",
            "zip code", r"only \$ ?\d+", "toll[- ]free", "retailers?",
        ),
        "letters": ("dear editors?", "letters? to the editor", "letter column", "sincerely", "dear sirs?", "letters? page"),
        "editorial": ("editors?", "editorial", "interview", "from the publisher"),
        "credits": (
            "licensed", "patreon", "patrons", "thanks to", "webcomic", "copyright", "all rights reserved", "art by",
            "written by", "published by", "isbn", "printed in", "merci à", "creative commons", "open-source", "first printing",
        ),
        "recap": ("previously", "the story so far", "last issue"),
        "preview_comic_pages": ("coming soon", "next issue", "sneak peek", "preview"),
        "backmatter": ("sketchbook", r"pin-?up", "glossary", "about the authors?", "afterword", "bonus material"),
        "title_page": (r"episode \d+", r"chapter \d+", r"part \d+", r"volume \d+"),
        "text": ("this document", "foreword", "introduction", "table of contents"),
    }
)  # fmt: skip

_PATTERNS = {kind: [re.compile(rf"\b(?:{one})\b", re.IGNORECASE) for one in some] for kind, some in _PHRASES.items()}
_PER_PHRASE, _MOST_PHRASES = 1.5, 3
_SAID = 6.5
"""What a reader says outweighs a usual comic page's panels: where both disagree, the page tends to stay ``unknown``."""


def page_type_probabilities(facts: PageFacts) -> dict[str, float]:
    """Probability of every kind but ``unknown``, summing to 1: the softmax of the added evidence.

    >>> odds = page_type_probabilities(PageFacts(page_num=5, n_pages=20, n_panels=6, largest=0.2, covered=0.8, n_words=90))
    >>> max(odds, key=odds.get), round(odds["interior"], 2)
    ('interior', 0.99)
    """
    score = dict(_PRIOR)
    for kind, weight in (*_of_panels(facts), *_of_place(facts), *_of_words(facts)):
        score[kind] += weight
    if facts.said:
        score[facts.said] += _SAID
    if facts.is_blank:
        score["blank"] += 12.0
    highest = max(score.values())
    raised = {kind: math.exp(value - highest) for kind, value in score.items()}
    total = sum(raised.values())
    return {kind: value / total for kind, value in raised.items()}


def page_type_of(facts: PageFacts) -> tuple[str, float]:
    """The most probable kind and its probability; ``unknown`` when that is below `ABSTAIN_BELOW`, or nothing is known.

    >>> page_type_of(PageFacts(page_num=1, n_pages=24, n_panels=1, largest=0.9, covered=0.9, n_words=12))[0]
    'cover'
    >>> page_type_of(PageFacts(page_num=9, n_pages=24, n_panels=None))
    ('unknown', 0.0)
    """
    if facts.n_panels is None and not facts.said and not facts.is_blank:
        return "unknown", 0.0
    odds = page_type_probabilities(facts)
    best = max(PAGE_TYPES[:-1], key=odds.__getitem__)
    return (best if odds[best] >= ABSTAIN_BELOW else "unknown"), round(odds[best], 4)


def _of_panels(facts: PageFacts) -> Iterator[tuple[str, float]]:
    """Evidence in how many panels there are and how much of the page they take."""
    n = facts.n_panels
    if n is None:
        return
    if n == 0:
        yield from (("interior", -2.5), ("splash", -1.0), ("title_page", 2.0), ("text", 1.5), ("credits", 1.5), ("cover", 1.0))
        yield from (("letters", 1.0), ("editorial", 1.0))
        return
    if facts.covered < 0.4:
        yield from (("interior", -1.0), ("ad_third_party", 1.0), ("text", 1.0), ("credits", 1.0))
    elif n >= 2:
        yield "interior", 1.5 if n == 2 else 3.0
    if n <= 3 and facts.largest >= 0.6:
        yield from (("splash", 2.5 if n == 1 else 0.5), ("interior", -1.0), ("cover", 0.5))
        if n == 1 and facts.largest >= 0.75:
            yield from (("splash", 1.0), ("interior", -0.5))


def _of_place(facts: PageFacts) -> Iterator[tuple[str, float]]:
    """Evidence in the place in the book: covers stand at the ends of a book that has ends."""
    whole = facts.n_pages >= 3
    n = facts.n_panels or 0
    if whole and facts.page_num == 1:
        many_small = n >= 3 and facts.largest < 0.55
        yield "cover", -1.0 if many_small else 5.5 if n else 4.0
        yield "title_page", 0.5
        if not many_small and n >= 2:
            yield "interior", -3.0
    if whole and 1 < facts.page_num <= max(2, round(0.1 * facts.n_pages)):
        yield from (("title_page", 1.5), ("ad_third_party", 0.5), ("recap", 1.0), ("splash", -0.5))
    if facts.n_pages >= 8 and facts.page_num == facts.n_pages and n <= 1:
        yield from (("back_cover", 4.0), ("ad_third_party", 0.5), ("credits", 1.0), ("title_page", -1.5))
        if n == 0 or facts.largest >= 0.75:
            yield from (("back_cover", 1.0), ("splash", -2.0))
    if facts.n_pages >= 8 and facts.page_num > 0.9 * facts.n_pages:
        yield from (("backmatter", 0.5), ("letters", 0.5), ("preview_comic_pages", 0.5), ("credits", 0.5))


def _of_words(facts: PageFacts) -> Iterator[tuple[str, float]]:
    """Evidence in the number of words and in what they say."""
    n = facts.n_words
    if n is None:
        return
    comic = (facts.n_panels or 0) >= 3 and facts.covered >= 0.5
    if n == 0 and facts.n_panels == 0:
        yield from (("blank", 5.0), ("title_page", -3.0), ("text", -3.0), ("credits", -3.0))
    elif n <= 25 and facts.n_panels == 0:
        yield from (("title_page", 1.0), ("text", -1.5), ("credits", -1.0))
    if n >= 60 and facts.n_panels == 0:
        yield from (("text", 1.5), ("credits", 0.5), ("title_page", -2.0), ("cover", -1.0))
    if n >= 250 and not comic:
        yield from (("text", 3.0), ("ad_third_party", 3.0), ("letters", 3.0), ("editorial", 3.0), ("splash", -2.5))
        yield from (("interior", -1.5), ("cover", -2.5), ("title_page", -2.0), ("back_cover", -1.0))
    if n >= 500:
        yield from (("text", 2.0), ("ad_third_party", 2.0), ("letters", 2.0), ("editorial", 2.0), ("splash", -1.5))
    for kind, patterns in _PATTERNS.items():
        hits = min(_MOST_PHRASES, sum(one.search(facts.text) is not None for one in patterns))
        if hits:
            yield kind, hits * _PER_PHRASE * (0.4 if comic else 1.0)
