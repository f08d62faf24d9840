"""Reading order of one page's panels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from comix.core.geometry import Box
from comix.core.order.columns import four_panel_columns
from comix.core.order.cuts import MAX_SLICE, best_cut, plain_cut, tolerant_cut
from comix.core.order.graph import by_graph
from comix.core.order.insets import find_insets
from comix.core.order.model import Decided, Direction, Method, ReadingOrder, Rect, as_rects, joined
from comix.core.order.rows import by_center, by_rows
from comix.core.order.spread import split_spread

_WEBTOON = 2.4
"""A page this many times as high as wide is a strip to scroll."""
_SCROLL_SLICE = 0.45
"""In a strip, panels are read downwards unless they really stand side by side."""
_SURE = 0.25
"""Below this margin a decision could as well be the other way."""
_ENTRY = 0.2
"""The corner where reading starts is empty when the column there begins this share of the page's height below the next."""
_ENTRY_MARGIN = 0.2
"""How sure that is: words that are no panel may fill the corner."""


def order_panels(
    boxes: Sequence[Box],
    direction: Direction = "ltr",
    method: Method = "auto",
    size: tuple[float, float] = (0, 0),
    spread: bool | None = None,
) -> ReadingOrder:
    """Reading order of one page's panels.

    Args:
        boxes: page pixels, any number, any order.
        direction: ``rtl`` reads each tier from the right.
        method: ``auto`` reads a double page page by page, four-panel strips column by column, insets after the panels that
            they lie on, all else by `tolerant_cut`, and what cannot be cut by `by_graph`. The others are for comparison:
            ``cut`` (the published recursive cut), ``graph`` (pairwise precedence alone), ``rows`` (tier by tier),
            ``center`` (sorted by centre).
        size: page width and height in pixels, to tell spreads and webtoons; (0, 0) takes what the panels span.
        spread: True or False where it is known whether the image shows two pages; only for ``auto``.

    >>> grid = [Box(110, 110, 90, 90), Box(0, 0, 100, 100), Box(110, 0, 90, 90), Box(0, 110, 100, 90)]
    >>> order_panels(grid).indices, order_panels(grid, "rtl").indices
    ((1, 2, 3, 0), (2, 1, 0, 3))
    >>> order_panels([Box(0, 0, 90, 200), Box(100, 110, 90, 90), Box(100, 0, 90, 100)]).indices
    (0, 2, 1)
    """
    rects = as_rects(boxes, direction)
    everything = list(range(len(rects)))
    if not rects:
        return ReadingOrder((), 1.0)
    if method == "auto":
        decided = _on_pages(rects, everything, direction, size, spread)
    elif method == "graph":
        decided = by_graph(rects, everything)
    else:
        decided = _cut(rects, everything)
        if method != "cut":  # sorted, and judged by the cut: where they differ nothing is certain
            indices = by_rows(rects, everything) if method == "rows" else by_center(rects, everything)
            decided = Decided(indices, decided.margin if indices == decided.indices else 0.0, decided.notes)
    notes = decided.notes | ({"tie"} if decided.margin < _SURE else frozenset())
    return ReadingOrder(tuple(decided.indices), round(max(0.0, decided.margin), 4), tuple(sorted(notes)))


def _cut(rects: Sequence[Rect], members: list[int]) -> Decided:
    return plain_cut(rects, members, partial(_cut, rects), lambda leaf: Decided(by_rows(rects, leaf), 0.0))


def _on_pages(
    rects: Sequence[Rect], members: list[int], direction: Direction, size: tuple[float, float], spread: bool | None
) -> Decided:
    pages = split_spread(rects, members, size, direction, spread)
    if pages is not None:
        return joined([_with_insets(rects, page, MAX_SLICE) for page in pages], notes=frozenset({"spread"}))
    width, height = size if size[0] > 0 else _span(rects)
    if height >= _WEBTOON * width:
        return joined([_with_insets(rects, members, _SCROLL_SLICE)], notes=frozenset({"webtoon"}))
    return _with_insets(rects, members, MAX_SLICE)


def _span(rects: Sequence[Rect]) -> tuple[float, float]:
    return (
        max(one.right for one in rects) - min(one.left for one in rects),
        max(one.bottom for one in rects) - min(one.top for one in rects),
    )


def _with_insets(rects: Sequence[Rect], members: list[int], max_slice: float) -> Decided:
    """The order of the panels that lie on no others, each inset put after the last of its hosts."""
    insets = find_insets(rects, members)
    if not insets:
        return _page(rects, members, max_slice)
    decided = joined([_page(rects, [one for one in members if one not in insets], max_slice)], notes=frozenset({"inset"}))
    while insets:
        order = decided.indices
        after: dict[int, list[int]] = {}
        for index, hosts in insets.items():
            if all(host in order for host in hosts):
                after.setdefault(max(order.index(host) for host in hosts), []).append(index)
        for place in sorted(after, reverse=True):
            parts = [Decided(order[: place + 1]), _tree(rects, after[place], max_slice), Decided(order[place + 1 :])]
            decided = joined(parts, decided.margin, decided.notes)
            order = decided.indices
        insets = {index: hosts for index, hosts in insets.items() if index not in order}
    return decided


def _page(rects: Sequence[Rect], members: list[int], max_slice: float) -> Decided:
    """A page's panels; when there is none in the corner where reading starts, it starts at the column that reaches the top.

    Source: Cohn, "Navigating comics", Frontiers in Psychology 4 (2013): readers enter at the top corner, else at the highest
    panel.
    """
    if len(members) > 2:
        tops = [rects[index].top for index in members]
        least = _ENTRY * (max(rects[index].bottom for index in members) - min(tops))
        first = min(members, key=lambda index: rects[index].left)
        if rects[first].top - min(tops) > least:
            down = best_cut(rects, members, across=False, max_slice=MAX_SLICE)
            if down is not None and best_cut(rects, members, across=True, max_slice=max_slice) is None:
                before, after = (min(rects[index].top for index in part) for part in (down.before, down.after))
                if before - after > least:
                    parts = [_tree(rects, part, max_slice) for part in (down.after, down.before)]
                    return joined(parts, _ENTRY_MARGIN)
    return _tree(rects, members, max_slice)


def _tree(rects: Sequence[Rect], members: list[int], max_slice: float) -> Decided:
    rest = partial(_tree, rects, max_slice=max_slice)
    columns = four_panel_columns(rects, members)
    if columns is not None:
        return joined([Decided(column) for column in columns], notes=frozenset({"columns"}))
    return tolerant_cut(rects, members, rest, partial(by_graph, rects), max_slice)
