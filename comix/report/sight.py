"""What the newest embeddings say of two shown pages: attention over panels, and the predicted next panel of each."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from comix.core.errors import ComixError
from comix.core.workspace import Workspace
from comix.embed.place import STORE, choose_embeddings, embeddings_dir
from comix.io.zarrlayout import BEYOND_SLOTS, END_OF_PAGE, WRITTEN
from comix.report.overlay import Point, outline
from comix.report.pages import PageView

if TYPE_CHECKING:
    from comix.io.zarrstore import EmbeddingStore

MIN_PANELS, MAX_PANELS, MAX_PAGES = 4, 9, 2


@dataclass(frozen=True, slots=True)
class SeenPanel:
    """One panel: its share of the page's attention, and the panel that the model expects next.

    Attributes:
        number: from 1 in the annotated order.
        shade: darkness over the panel, 0 for the one that gets most attention.
        centre: of the panel; ``radius`` of the disc with the share.
        next: predicted number; 0 the page ends, None beyond the store's slots.
        after: the annotated next number, 0 at the end.
        arrow: SVG path from here to the predicted panel, ``tip`` the corners of its head; "" without one.
        likely: probability of every panel to come next, last that the page ends; empty where the store does not tell.
    """

    number: int
    corners: str
    centre: Point
    share: float
    shade: float
    radius: float
    next: int | None
    after: int
    arrow: str
    tip: str
    likely: tuple[float, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether the prediction is the annotated one."""
        return self.next == self.after


@dataclass(frozen=True, slots=True)
class SeenPage:
    """One page as the model sees it."""

    view: PageView
    panels: tuple[SeenPanel, ...]

    @property
    def n_right(self) -> int:
        """Panels whose predicted next panel is the annotated one."""
        return sum(panel.is_right for panel in self.panels)

    @property
    def peak(self) -> SeenPanel:
        """The panel with most attention."""
        return max(self.panels, key=lambda panel: (panel.share, -panel.number))


@dataclass(frozen=True, slots=True)
class SightView:
    """What the section shows; without ``pages``, ``problem`` says why and ``command`` mends it ("" for nothing to do).

    Attributes:
        n_right: panels of all embedded pages whose predicted next panel is the annotated one, of ``n_asked``; guessing gets
            ``n_guessed``.
    """

    pages: tuple[SeenPage, ...] = ()
    name: str = ""
    model_hash: str = ""
    n_embedded: int | None = None
    n_right: int = 0
    n_asked: int = 0
    n_guessed: int = 0
    problem: str = ""
    command: str = ""


def read_sight(workspace: Workspace, views: Sequence[PageView], where: str) -> SightView:
    """Attention and next panels on the best of the shown pages that the newest store holds.

    Args:
        workspace: as elsewhere.
        views: the shown pages.
        where: ``workspace=...`` as the commands name it.
    """
    try:
        name = choose_embeddings(workspace, "")
    except ComixError:
        return SightView(problem="No page is embedded yet.", command=f"comix embed {where}")
    again = f"comix embed {shlex.quote(f'name={name}')} {where}"
    try:
        return _read(workspace, name, views, again)
    except ComixError as error:
        return SightView(name=name, problem=f"The embeddings cannot be read: {error}", command=f"{again} overwrite=true")


def _read(workspace: Workspace, name: str, views: Sequence[PageView], again: str) -> SightView:
    from comix.io.zarrstore import EmbeddingStore

    store = EmbeddingStore(embeddings_dir(workspace, name) / STORE)
    written = store.read("status") == WRITTEN
    row_of = {page_id: row for row, page_id in enumerate(store.page_ids())}
    found: list[SeenPage] = []
    for view in _candidates([view for view in views if view.page_id in row_of]):
        seen = _seen(store, row_of[view.page_id], view)
        if seen is not None:
            found.append(seen)
        if len(found) == MAX_PAGES:
            break
    problem = "" if found else f"None of the shown pages has {MIN_PANELS} to {MAX_PANELS} panels and is embedded as it is now."
    model_hash = str(store.attributes.get("model_hash", ""))
    counts = next_panels(store.read("reading_order"), store.read("panel_mask"), written & (store.read("n_panels_dropped") == 0))
    return SightView(tuple(found), name, model_hash, int(written.sum()), *counts, problem, "" if found else again)


def next_panels(order: NDArray[Any], mask: NDArray[Any], pages: NDArray[Any]) -> tuple[int, int, int]:
    """Right predictions, predictions, and right ones by guessing, over pages of two panels and more.

    Args:
        order: ``(n, slots)`` predicted successors, slots in annotated order; ``mask`` ``(n, slots)`` where there are panels.
        pages: ``(n,)`` which pages count.

    >>> next_panels(np.array([[1, -1, -2], [2, 2, -1]]), np.array([[1, 1, 0], [1, 1, 1]], bool), np.array([True, True]))
    (4, 5, 2)
    """
    n_panels = mask.sum(axis=1)
    slots = np.arange(mask.shape[1])
    truth = np.where(slots[None] + 1 < n_panels[:, None], slots[None] + 1, END_OF_PAGE)  # (n, slots)
    asked = mask & (pages & (n_panels > 1))[:, None]
    return int(((order == truth) & asked).sum()), int(asked.sum()), int((pages & (n_panels > 1)).sum())


def _candidates(views: Sequence[PageView]) -> list[PageView]:
    """Pages worth looking at, best first, books taking turns; ordinary pages before strips and scrolls."""
    fit = [view for view in views if MIN_PANELS <= len(view.panels) <= MAX_PANELS and view.is_ordered and view.image]
    fit.sort(key=lambda view: (view.shape != "page", -(view.score or 0), -len(view.panels)))
    turns: dict[str, int] = {}
    ranked = []
    for place, view in enumerate(fit):
        turns[view.book_id] = turns.get(view.book_id, 0) + 1
        ranked.append((turns[view.book_id], place, view))
    return [view for _, _, view in sorted(ranked, key=lambda one: one[:2])]


def _seen(store: EmbeddingStore, row: int, view: PageView) -> SeenPage | None:
    """One row of the store over its page; None where the store is of another state of the page."""
    rows = slice(row, row + 1)
    if int(store.read("status", rows)[0]) != WRITTEN:
        return None
    n = int(store.read("panel_mask", rows)[0].sum())
    boxes = store.read("panel_coordinates", rows)[0][:n].tolist()
    own = [panel.box for panel in view.panels]
    if n != len(own) or any(math.dist(one, other) > 2 for one, other in zip(boxes, own, strict=True)):
        return None
    shares = [float(share) for share in store.read("attention_weights", rows)[0][:n]]
    successors = [int(one) for one in store.read("reading_order", rows)[0][:n]]
    if not all(math.isfinite(share) for share in shares):
        return None
    likely = _likely(store, rows, n)
    return SeenPage(view, tuple(_panel(view, slot, shares, successors[slot], likely[slot]) for slot in range(n)))


def _likely(store: EmbeddingStore, rows: slice, n: int) -> list[tuple[float, ...]]:
    """Probabilities ``(n, n + 1)`` of the next panels; empty rows for a store that was made before they were kept."""
    if not store.has("next_panel_probability"):
        return [()] * n
    found = store.read("next_panel_probability", rows)[0][:n]  # (n, slots + 1)
    shares = np.concatenate([found[:, :n], found[:, -1:]], axis=1)
    return [tuple(float(share) for share in row) if np.isfinite(row).all() else () for row in shares]


def _panel(view: PageView, slot: int, shares: Sequence[float], successor: int, likely: tuple[float, ...]) -> SeenPanel:
    panel, peak = view.panels[slot], max([*shares, 1e-9])
    x, y, w, h = panel.box
    relative = shares[slot] / peak
    following = {END_OF_PAGE: 0, BEYOND_SLOTS: None}.get(successor, successor + 1)
    after = slot + 2 if slot + 1 < len(shares) else 0
    arrow = tip = ""
    if following and 1 <= following <= len(view.panels):
        arrow, tip = bow(panel.centre, view.panels[following - 1].centre, 27 * view.unit, 7 * view.unit)
    return SeenPanel(
        panel.number, outline((x, y, w, h), []), (round(x + w / 2, 1), round(y + h / 2, 1)), shares[slot],
        round(0.62 * (1 - relative), 3), round((13 + 11 * math.sqrt(relative)) * view.unit, 1), following, after,
        arrow, tip, likely,
    )  # fmt: skip


def bow(start: Point, end: Point, gap: float, size: float) -> tuple[str, str]:
    """A slightly bent arrow between two points: SVG path and the corners of its head; "" where they are too near.

    >>> bow((0, 0), (100, 0), 10, 5)
    ('M10 0Q50 12 90 0', '94.8,-1.4 88.3,4.7 90,0 86,-3')
    """
    length = math.dist(start, end)
    if length <= 2 * gap:
        return "", ""
    dx, dy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    first, last = (start[0] + dx * gap, start[1] + dy * gap), (end[0] - dx * gap, end[1] - dy * gap)
    middle = ((start[0] + end[0]) / 2 - dy * length * 0.12, (start[1] + end[1]) / 2 + dx * length * 0.12)
    path = [" ".join(f"{round(value, 1):g}" for value in point) for point in (first, middle, last)]
    reach = math.dist(middle, last)
    ux, uy = (last[0] - middle[0]) / reach * size, (last[1] - middle[1]) / reach * size
    x, y = last
    corners = [(x + ux, y + uy), (x - ux * 0.6 - uy * 0.8, y - uy * 0.6 + ux * 0.8), (x, y),
               (x - ux * 0.6 + uy * 0.8, y - uy * 0.6 - ux * 0.8)]  # fmt: skip
    return f"M{path[0]}Q{path[1]} {path[2]}", " ".join(",".join(f"{round(value, 1):g}" for value in one) for one in corners)
