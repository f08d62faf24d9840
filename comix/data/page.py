"""One page as training and embedding see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from comix.core.geometry import Box


@dataclass(frozen=True, slots=True)
class PageExample:
    """A page with its panels in reading order.

    Attributes:
        page_id: ``book_id/NNNN``; ``book_id`` is what splits go by.
        image: absolute path of the page image; ``sha256`` of its bytes as the page table has it.
        width: pixels; likewise ``height``.
        direction: ``ltr`` or ``rtl``.
        boxes: panels in reading order, pixels; any number, none for a page without panels.
        texts: literal words per panel, one string each ("" for a silent panel), same length as ``boxes``.
        page_type: "" when unknown.
        duplicate_group: "" for a page without duplicates; pages of one group never straddle a split.
        order_is_weak: the reading order is a rule's or a reader's own, neither annotated by people nor constructed.
        dataspec: the file it came from, as listed; None when it came from elsewhere.
        sides: what it is held out for, see `comix.data.sides`; empty for a page that may train.
    """

    page_id: str
    book_id: str
    image: Path
    sha256: str
    width: int
    height: int
    direction: str
    boxes: tuple[Box, ...]
    texts: tuple[str, ...]
    page_type: str = ""
    duplicate_group: str = ""
    order_is_weak: bool = True
    dataspec: Path | None = None
    sides: tuple[str, ...] = ()
