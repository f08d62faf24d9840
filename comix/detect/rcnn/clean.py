"""What a network finds twice."""

from __future__ import annotations

from collections.abc import Sequence

from comix.core.page import Detection


def without_doubles(found: Sequence[Detection], overlap: float) -> list[Detection]:
    """The detections, surest first, without those that lie mostly on a surer one; insets stay: they are much smaller.

    Args:
        overlap: share of the smaller box that may lie on a surer one; 1 and above keep all.

    >>> from comix.core.geometry import Box
    >>> page, part, inset = Box(0, 0, 100, 100), Box(0, 0, 100, 60), Box(60, 60, 30, 30)
    >>> [one.score for one in without_doubles([Detection(page, 0.9), Detection(part, 0.6), Detection(inset, 0.7)], 0.8)]
    [0.9, 0.7]
    """
    kept: list[Detection] = []
    for one in sorted(found, key=lambda one: -one.score):
        if not any(_is_double(one, other, overlap) for other in kept):
            kept.append(one)
    return kept


_INSET = 0.35
"""A box smaller than this share of the one it lies in is an inset."""


def _is_double(one: Detection, other: Detection, overlap: float) -> bool:
    small, large = sorted((one.box.area, other.box.area))
    shared = one.box.intersection(other.box)
    return shared > overlap * small and (small > _INSET * large)
