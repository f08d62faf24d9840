"""Text figures over pages: words, characters, whole texts, the right panel, the right kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from comix.bench.figures import Figure, Row, grouped
from comix.bench.pictures import BadPage, Mark
from comix.bench.readings import JoinedReadings, texts_read
from comix.bench.transcripts import TranscriptPage
from comix.io.analysis import Analysis
from comix.metrics.bootstrap import Counts, book_interval
from comix.metrics.reading import WHOLE, Pairing, PlacedText, compared, pair_texts, text_in
from comix.metrics.text import WordScore, edit_distance, word_score

COLUMNS = {
    "words_recall": "words R", "words_precision": "words P", "chars_recall": "chars R", "chars_precision": "chars P",
    "cer": "CER", "cer_in_box": "CER in box", "whole": "whole", "panel": "panel", "kind": "kind",
}  # fmt: skip
MIN_WORDS = 20
"""Means over pages count pages with at least so many words: on a page of one word a rate is 0 or 1."""
_SPEECH = frozenset({"dialogue", "thought"})


@dataclass(frozen=True, slots=True)
class ReadPage:
    """One page's counts.

    Attributes:
        truth: the page; ``found``: what was read.
        pairs: see `comix.metrics.reading.pair_texts`.
        words: (0, 0, 0) in a language without spaces; ``chars`` likewise bags of characters.
        edits: characters wrong over all texts, each at most its own length; ``n_chars``: of these texts.
        edits_in_box: the same for what stands in each text's box; ``n_chars_in_box``: 0 without boxes on both sides.
        n_whole: texts that came out whole; ``n_texts``: with letters.
        n_panel: texts found in the right panel; ``n_panel_known``: found at all.
        n_kind: of the right kind, speech and thought being one; ``n_kind_known``: found, with a kind in the truth.
    """

    truth: TranscriptPage
    found: tuple[PlacedText, ...]
    pairs: dict[int, Pairing]
    words: WordScore
    chars: WordScore
    edits: int
    n_chars: int
    edits_in_box: int
    n_chars_in_box: int
    n_whole: int
    n_texts: int
    n_panel: int
    n_panel_known: int
    n_kind: int
    n_kind_known: int

    @property
    def sums(self) -> list[float]:
        """Everything that figures are pooled from, in one row."""
        words, chars = self.words, self.chars
        return [
            words.n_matched, words.n_reference, words.n_found, chars.n_matched, chars.n_reference, chars.n_found, self.edits,
            self.n_chars, self.edits_in_box, self.n_chars_in_box, self.n_whole, self.n_texts, self.n_panel, self.n_panel_known,
            self.n_kind, self.n_kind_known,
        ]  # fmt: skip


_RATES = {
    "words_recall": (0, 1), "words_precision": (0, 2), "chars_recall": (3, 4), "chars_precision": (3, 5), "cer": (6, 7),
    "cer_in_box": (8, 9), "whole": (10, 11), "panel": (12, 13), "kind": (14, 15),
}  # fmt: skip
"""Figure -> which sum over which, see `ReadPage.sums`."""


def read_page(truth: TranscriptPage, analysis: Analysis) -> ReadPage:
    """The counts of one page."""
    found = texts_read(truth, analysis)
    spaces = truth.has_spaces
    pairs = pair_texts(truth.texts, found, spaces)
    asked = [compared(text.text, spaces) for text in truth.texts]
    in_box = [
        (edit_distance(text, compared(text_in(one.box, found, spaces), spaces)), len(text))
        for text, one in zip(asked, truth.texts, strict=True)
        if text and one.box and any(read.box for read in found)
    ]
    rates = {index: pairs[index].rate if index in pairs else 1.0 for index, text in enumerate(asked) if text}
    kinds = [(truth.texts[index].kind, found[pair.found].kind) for index, pair in pairs.items() if truth.texts[index].kind]
    panels = [truth.texts[index].panel == found[pair.found].panel for index, pair in pairs.items()]
    wanted_texts, found_texts = [one.text for one in truth.texts], [one.text for one in found]
    return ReadPage(
        truth, tuple(found), pairs,
        word_score(wanted_texts, found_texts) if spaces else WordScore(0, 0, 0),
        _char_score(asked, [compared(text, spaces) for text in found_texts]),
        edits=sum(round(rate * len(asked[index])) for index, rate in rates.items()),
        n_chars=sum(len(asked[index]) for index in rates),
        edits_in_box=sum(min(edits, length) for edits, length in in_box),
        n_chars_in_box=sum(length for _, length in in_box),
        n_whole=sum(rate <= WHOLE for rate in rates.values()),
        n_texts=len(rates),
        n_panel=sum(panels),
        n_panel_known=len(panels),
        n_kind=sum(wanted == got or {wanted, got} <= _SPEECH for wanted, got in kinds),
        n_kind_known=len(kinds),
    )  # fmt: skip


def _char_score(wanted: Sequence[str], found: Sequence[str]) -> WordScore:
    asked, got = Counter("".join(wanted).replace(" ", "")), Counter("".join(found).replace(" ", ""))
    return WordScore((asked & got).total(), asked.total(), got.total())


def text_rows(name: str, pages: Sequence[ReadPage], n_resamples: int = 1000) -> list[Row]:
    """The figures of all pages, of each source and of each language."""
    groups = grouped(pages, {"source": lambda page: page.truth.source, "language": lambda page: page.truth.language or "?"})
    return [text_row(name, group, members, n_resamples) for group, members in groups.items()]


def text_row(name: str, group: str, pages: Sequence[ReadPage], n_resamples: int = 1000) -> Row:
    """The figures of one group of pages, each pooled; means of words over pages of `MIN_WORDS` words or more."""
    counts = np.array([page.sums for page in pages], np.float64).reshape(len(pages), 1 + max(map(max, _RATES.values())))
    sums = counts.sum(axis=0)
    books = [page.truth.book for page in pages]
    figures: dict[str, Figure] = {}
    intervals = {}
    for key, (upper, lower) in _RATES.items():
        figures[key] = float(sums[upper] / sums[lower]) if sums[lower] else None
        interval = book_interval(counts, books, partial(_rate, upper, lower), n_resamples)
        if interval is not None and sums[lower]:
            intervals[key] = interval
    long = [page.words for page in pages if page.words.n_reference >= MIN_WORDS]
    figures["page_words_recall"] = float(np.mean([one.recall for one in long])) if long else None
    figures["page_words_precision"] = float(np.mean([one.precision for one in long])) if long else None
    figures |= {
        "n_long_pages": len(long), "n_words": int(sums[1]), "n_chars": int(sums[4]), "n_texts": int(sums[11]),
        "n_found_texts": sum(len(page.found) for page in pages), "n_texts_with_kind": int(sums[15]),
    }  # fmt: skip
    return Row(name, group, len(pages), figures, intervals)


def _rate(upper: int, lower: int, sums: Counts) -> Counts:
    return np.divide(sums[..., upper], sums[..., lower], out=np.full_like(sums[..., 0], np.nan), where=sums[..., lower] > 0)


def text_notes(name: str, joined: JoinedReadings) -> list[str]:
    """What must be said beside a reader's figures."""
    notes = []
    if joined.missing:
        notes.append(f"{name}: {len(joined.missing)} transcribed pages have no analysis, first: {joined.missing[0]!r}")
    if joined.n_beyond:
        notes.append(f"{name}: {joined.n_beyond} analyses are of pages that are not transcribed")
    return notes


def worst_texts(pages: Sequence[ReadPage], image: Callable[[TranscriptPage], Path], n_pages: int) -> list[BadPage]:
    """The pages with the most texts that did not come out whole; green what is printed, red what was read."""
    bad = [page for page in pages if page.n_whole < page.n_texts]
    shown = []
    for page in sorted(bad, key=lambda page: (page.n_whole - page.n_texts, page.truth.key))[:n_pages]:
        rates = {index: pair.rate for index, pair in page.pairs.items()}
        lost = [index for index in range(len(page.truth.texts)) if rates.get(index, 1.0) > WHOLE]
        first = page.truth.texts[lost[0]].text
        got = page.found[page.pairs[lost[0]].found].text if lost[0] in page.pairs else "nothing"
        marks = [Mark(one.box, "", True) for one in page.truth.texts if one.box]
        marks += [Mark(one.box, "", False) for one in page.found if one.box]
        trouble = f"{page.n_texts - page.n_whole} of {page.n_texts} texts not whole; first: {first!r}, read: {got!r}"
        shown.append(BadPage(page.truth.key, image(page.truth), trouble, tuple(marks)))
    return shown
