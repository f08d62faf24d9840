"""Reading direction: given, by metadata, by language, by the page itself, in this order; never without saying which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from comix.core.geometry import Box
from comix.core.order.model import Direction

Origin = Literal["given", "metadata", "language", "page", "default"]

_FROM_THE_RIGHT = frozenset({"ja", "ar", "he", "fa", "ur", "yi"})
"""Languages whose comics are read from the right unless their metadata says otherwise."""
_LONG = 1.5
"""A text at least this many times as high as wide is set in columns, one as much wider than high in lines."""
_ENOUGH = 0.5
"""Least confidence at which the page itself decides."""
_DOUBT = 2.0
"""Texts that a page must have for its vote to count half."""


@dataclass(frozen=True, slots=True)
class FoundDirection:
    """A reading direction, where it comes from, and how sure it is: 1 where it was said, 0 for the default."""

    direction: Direction
    origin: Origin
    confidence: float


def find_direction(
    wanted: str,
    metadata: str,
    language: str,
    texts: Sequence[Box] = (),
    seen: tuple[Direction, float] = ("ltr", 0.0),
) -> FoundDirection:
    """The direction to read a page in.

    Args:
        wanted: ``ltr`` or ``rtl`` overrides everything; ``auto`` decides.
        metadata: ``ltr``, ``rtl`` or "" as the book says.
        language: its code, "" when unknown.
        texts: balloons or lettering found on the page, see `estimate_direction`.
        seen: direction and confidence from the pixels, where somebody looked; taken when it is surer than the texts.

    >>> find_direction("auto", "", "ja-JP"), find_direction("ltr", "rtl", "ja").direction
    (FoundDirection(direction='rtl', origin='language', confidence=0.9), 'ltr')
    """
    if wanted in get_args(Direction):
        return FoundDirection(cast(Direction, wanted), "given", 1.0)
    if metadata in get_args(Direction):
        return FoundDirection(cast(Direction, metadata), "metadata", 1.0)
    if language:
        from_the_right = language.lower().replace("_", "-").split("-")[0] in _FROM_THE_RIGHT
        return FoundDirection("rtl" if from_the_right else "ltr", "language", 0.9)
    direction, confidence = max(estimate_direction(texts), seen, key=lambda one: one[1])
    if confidence >= _ENOUGH:
        return FoundDirection(direction, "page", confidence)
    return FoundDirection("ltr", "default", 0.0)


def estimate_direction(texts: Sequence[Box]) -> tuple[Direction, float]:
    """Direction and confidence (0 to 1) from the shapes of a page's texts: columns of letters are read from the right.

    Translated manga has its words in lines and is still read from the right: then only the metadata or you know.

    >>> estimate_direction([Box(0, 0, 30, 90), Box(50, 0, 20, 80), Box(90, 0, 25, 60)])
    ('rtl', 0.6)
    >>> estimate_direction([])
    ('ltr', 0.0)
    """
    columns = sum(text.h >= _LONG * text.w for text in texts)
    lines = sum(text.w >= _LONG * text.h for text in texts)
    votes = columns + lines
    if not votes:
        return "ltr", 0.0
    confidence = abs(columns - lines) / votes * votes / (votes + _DOUBT)
    return ("rtl" if columns > lines else "ltr"), round(confidence, 4)
