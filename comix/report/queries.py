"""Example searches that a workspace suggests itself: lines of its own dialogue, a panel's picture, a panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comix.report.pages import PageView, PanelView

N_LINES = 2
_LEAST_WORDS, _MOST_WORDS = 7, 22
_KINDS = ("dialogue", "thought", "narration")


@dataclass(frozen=True, slots=True)
class Query:
    """One search and the panel that it is made from.

    Attributes:
        kind: ``text``, ``image`` or ``like``.
        text: the words to look for, "" for a picture.
        source: the words as they stand on the page, "" for a picture.
        box: ``(x, y, w, h)`` of the picture on its page, empty for text.
    """

    kind: str
    text: str
    source: str
    page_id: str
    panel: int
    box: tuple[float, ...] = ()


def suggest(views: Sequence[PageView], embedded: set[str]) -> list[Query]:
    """Searches made from the shown pages; the same pages give the same ones, none where nothing fits.

    Args:
        views: the shown pages.
        embedded: ids of the pages that can be found.
    """
    known = [view for view in views if view.page_id in embedded and view.is_ordered]
    queries = _lines(known)
    pictured = _pictured(known, {query.page_id.rpartition("/")[0] for query in queries})
    if pictured:
        view, panel = pictured[0]
        queries.append(Query("image", "", "", view.page_id, panel.number, panel.box))
    if len(pictured) > 1:
        view, panel = pictured[1]
        queries.append(Query("like", "", "", view.page_id, panel.number, panel.box))
    return queries


def _lines(views: Sequence[PageView]) -> list[Query]:
    """The longest lines that are not speeches, one per book, two words dropped."""
    lines = [
        (len(words), view, panel, text.text)
        for view in views
        for panel in view.panels
        for text in panel.texts
        if text.kind in _KINDS and _LEAST_WORDS <= len(words := text.text.split()) <= _MOST_WORDS and _is_plain(text.text)
    ]
    lines.sort(key=lambda line: -line[0])
    chosen: dict[str, Query] = {}
    for _, view, panel, text in lines:
        query = Query("text", without_two(text), " ".join(text.split()), view.page_id, panel.number)
        chosen.setdefault(view.book_id, query)
    return list(chosen.values())[:N_LINES]


def _is_plain(text: str) -> bool:
    """Whether nearly all of a text is letters: what a machine misread seldom is."""
    marks = [one for one in text if not one.isspace()]
    return sum(one.isalpha() for one in marks) > 0.88 * len(marks)


def without_two(text: str) -> str:
    """A line without its third word and its third word from the end.

    >>> without_two("one two three four five six seven")
    'one two four six seven'
    """
    words = text.split()
    return " ".join(word for place, word in enumerate(words) if place not in (2, len(words) - 3))


def _pictured(views: Sequence[PageView], used: set[str]) -> list[tuple[PageView, PanelView]]:
    """The largest ordinary panel of the best page of each book, books that no line is from first."""
    best: dict[str, tuple[float, PageView, PanelView]] = {}
    for view in views:
        for panel in view.panels:
            _, _, w, h = panel.box
            share = w * h / (view.width * view.height)
            if view.image and 0.05 <= share <= 0.4 and 0.6 <= w / max(h, 1) <= 2.0:
                worth = share + 0.05 * min(len(view.panels), 6)
                if view.book_id not in best or worth > best[view.book_id][0]:
                    best[view.book_id] = (worth, view, panel)
    ranked = sorted(best.items(), key=lambda item: (item[0] in used, -item[1][0]))
    return [(view, panel) for _, (_, view, panel) in ranked]
