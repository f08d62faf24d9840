"""What a reading order is, and the plain rectangles that it is computed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from comix.core.geometry import Box

Direction = Literal["ltr", "rtl"]
Method = Literal["auto", "cut", "graph", "rows", "center"]
METHODS: tuple[str, ...] = get_args(Method)


class Rect(NamedTuple):
    """A box by its edges, mirrored where the page reads from the right, so that every rule below is written for ltr."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class ReadingOrder:
    """A reading order.

    Attributes:
        indices: positions in the input, first panel read first; a permutation.
        margin: 0 to 1; how clean the least certain decision is: 1 when every cut runs between the panels, 0 when panels
            block each other in a circle or coincide.
        notes: what is unusual about the page, sorted: ``spread``, ``columns`` (four-panel strips), ``inset``, ``webtoon``,
            ``graph`` (a group that no cut separates), ``cycle`` (in it, panels that wait for each other), ``tie`` (a decision
            that could as well be the other way).
    """

    indices: tuple[int, ...]
    margin: float
    notes: tuple[str, ...] = ()


class Decided(NamedTuple):
    """The order of a group of panels while it is being made; fields as in `ReadingOrder`."""

    indices: list[int]
    margin: float = 1.0
    notes: frozenset[str] = frozenset()


def as_rects(boxes: Sequence[Box], direction: Direction) -> list[Rect]:
    """The boxes by their edges; for ``rtl`` mirrored.

    >>> as_rects([Box(10, 0, 5, 8)], "rtl")
    [Rect(left=-15, top=0, right=-10, bottom=8)]
    """
    if direction == "rtl":
        return [Rect(-box.x - box.w, box.y, -box.x, box.y + box.h) for box in boxes]
    return [Rect(box.x, box.y, box.x + box.w, box.y + box.h) for box in boxes]


def joined(parts: Sequence[Decided], margin: float = 1.0, notes: frozenset[str] = frozenset()) -> Decided:
    """Groups read one after another, with what was decided to separate them.

    >>> joined([Decided([2]), Decided([0, 1], 0.5)], 0.8, frozenset({"spread"}))
    Decided(indices=[2, 0, 1], margin=0.5, notes=frozenset({'spread'}))
    """
    indices: list[int] = []
    for part in parts:
        indices += part.indices
        margin = min(margin, part.margin)
        notes |= part.notes
    return Decided(indices, margin, notes)
