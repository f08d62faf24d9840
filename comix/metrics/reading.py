"""Texts of a page against a transcript: which reading belongs to which text, and how far it is from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from comix.core.geometry import Box
from comix.metrics.text import edit_distance, folded

WHOLE = 0.2
"""Greatest character error rate at which a text came out whole."""
FOUND = 0.5
"""Greatest character error rate at which a reading is one of a text at all."""


@dataclass(frozen=True, slots=True)
class PlacedText:
    """A text of a transcript or of a reader.

    Attributes:
        text: the words.
        panel: number of its panel from 1; None outside all panels.
        kind: ``dialogue``, ``thought``, ``narration`` or ``sfx``; "" where nobody says.
        box: page pixels, where known.
    """

    text: str
    panel: int | None = None
    kind: str = ""
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Pairing:
    """A text of the transcript with the reading that is nearest to it: ``found`` is its index, ``rate`` the error rate."""

    found: int
    rate: float


def compared(text: str, spaces: bool = True) -> str:
    """A text as it is compared, see `comix.metrics.text.folded`; without spaces for Japanese and Chinese."""
    return folded(text) if spaces else folded(text).replace(" ", "")


def pair_texts(wanted: Sequence[PlacedText], found: Sequence[PlacedText], spaces: bool = True) -> dict[int, Pairing]:
    """Index of a transcript's text -> its reading: best pairs first, each used once, at most `FOUND` apart.

    Of equally good readings the one in the same panel is taken. A text without letters has no reading.

    >>> pair_texts([PlacedText("HELP!"), PlacedText("NO")], [PlacedText("no"), PlacedText("kelp")])
    {1: Pairing(found=0, rate=0.0), 0: Pairing(found=1, rate=0.25)}
    """
    asked = [compared(one.text, spaces) for one in wanted]
    read = [compared(one.text, spaces) for one in found]
    pairs = []
    for index, text in enumerate(asked):
        for other, got in enumerate(read):
            if not text or abs(len(text) - len(got)) > FOUND * len(text):
                continue
            rate = 0.0 if text == got else edit_distance(text, got) / len(text)
            if rate <= FOUND:
                pairs.append((rate, wanted[index].panel != found[other].panel, index, other))
    chosen: dict[int, Pairing] = {}
    used: set[int] = set()
    for rate, _, index, other in sorted(pairs):
        if index not in chosen and other not in used:
            chosen[index] = Pairing(other, rate)
            used.add(other)
    return chosen


def text_in(box: Box, found: Sequence[PlacedText], spaces: bool = True) -> str:
    """What a reader has in a box: its texts whose middle lies there, in its own order.

    >>> text_in(Box(0, 0, 9, 9), [PlacedText("a", box=Box(1, 1, 2, 2)), PlacedText("b"), PlacedText("c", box=Box(2, 4, 2, 2))])
    'a c'
    """
    inside = [one.text for one in found if one.box and box.x <= one.box.cx <= box.r and box.y <= one.box.cy <= box.b]
    return (" " if spaces else "").join(inside)


def same_panels(truth: Mapping[int, Box], found: Mapping[int, Box], min_iou: float = 0.5) -> dict[int, int]:
    """Number of a found panel -> number of the true panel it is, best overlap first, each used once.

    >>> same_panels({1: Box(0, 0, 9, 9), 2: Box(9, 0, 9, 9)}, {1: Box(9, 0, 9, 8), 2: Box(50, 0, 9, 9)})
    {1: 2}
    """
    pairs = sorted(
        ((box.iou(other), number, wanted) for wanted, box in truth.items() for number, other in found.items()), reverse=True
    )
    same: dict[int, int] = {}
    for iou, number, wanted in pairs:
        if iou >= min_iou and number not in same and wanted not in same.values():
            same[number] = wanted
    return same
