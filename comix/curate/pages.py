"""Exact duplicates and a first page type, from the page table and what was found on the pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comix.core.page import PageRecord
from comix.io.coco import PageDetections

PAGE_TYPES = (
    "cover", "back_cover", "title_page", "splash", "interior", "text", "ad_third_party", "letters", "editorial", "backmatter",
    "preview_comic_pages", "recap", "unknown",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PageTypeGuess:
    """A page type with the confidence of the rule that gave it; ``unknown`` when no rule is sure enough."""

    page_type: str
    confidence: float


def exact_groups(pages: Sequence[PageRecord]) -> dict[str, list[str]]:
    """``sha256 -> page ids`` of pages whose image bytes are the same; only groups of two or more, ids in table order."""
    groups: dict[str, list[str]] = {}
    for page in pages:
        groups.setdefault(page.sha256, []).append(page.page_id)
    return {sha: ids for sha, ids in groups.items() if len(ids) > 1}


def guess_page_type(page: PageRecord, n_pages_in_book: int, found: PageDetections | None, n_words: int) -> PageTypeGuess:
    """A first page type from metadata, place in the book, panels and words.

    Metadata wins. Else: two or more panels are an interior page wherever they stand; the first page of a book of three or
    more with at most one panel is its cover, the last one its back cover; one panel that fills the page is a splash; no
    panel and many words is a text page; anything else is left open as ``unknown``.

    Args:
        page: its record.
        n_pages_in_book: pages of its book in the table.
        found: what was detected, None when detection failed.
        n_words: words read on the page.
    """
    if page.page_type:
        return PageTypeGuess(page.page_type, 1.0)
    if found is None:
        return PageTypeGuess("unknown", 0.0)
    panels = found.panels()
    if len(panels) >= 2:
        return PageTypeGuess("interior", 0.9)
    if n_pages_in_book >= 3 and page.page_num == 1:
        return PageTypeGuess("cover", 0.8)
    if n_pages_in_book >= 8 and page.page_num == n_pages_in_book:
        return PageTypeGuess("back_cover", 0.5)
    if panels and panels[0].box.area >= 0.5 * page.width * page.height:
        return PageTypeGuess("splash", 0.6)
    if not panels and n_words >= 60:
        return PageTypeGuess("text", 0.6)
    return PageTypeGuess("interior", 0.5) if panels else PageTypeGuess("unknown", 0.3)
