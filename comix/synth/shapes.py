"""Convex polygons that pages are cut into. ``(n, 2)`` float64 corners in pixels, clockwise as seen (y down)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box

Polygon = NDArray[np.float64]


def rectangle(left: float, top: float, right: float, bottom: float) -> Polygon:
    """The four corners of a box, clockwise from top left.

    >>> rectangle(0, 0, 2, 1).tolist()
    [[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]
    """
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)


def box_of(polygon: Polygon) -> Box:
    """The bounding box; an empty box for no corners.

    >>> box_of(rectangle(1, 2, 4, 6)).xywh
    [1.0, 2.0, 3.0, 4.0]
    """
    if not len(polygon):
        return Box(0.0, 0.0, 0.0, 0.0)
    (left, top), (right, bottom) = polygon.min(axis=0).tolist(), polygon.max(axis=0).tolist()
    return Box.from_xyxy(left, top, right, bottom)


def least_side(polygon: Polygon) -> float:
    """The shorter side of the bounding box; 0 for fewer than three corners."""
    return float(np.ptp(polygon, axis=0).min()) if len(polygon) > 2 else 0.0


def is_upright(polygon: Polygon) -> bool:
    """Whether the polygon is its own bounding box.

    >>> is_upright(rectangle(0, 0, 3, 3)), is_upright(np.array([(0, 0), (3, 1), (3, 3), (0, 3)], float))
    (True, False)
    """
    if len(polygon) != 4:
        return False
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    return bool((np.isclose(polygon, low, atol=0.01) | np.isclose(polygon, high, atol=0.01)).all())


def clip(polygon: Polygon, normal: Sequence[float], offset: float) -> Polygon:
    """The part of a convex polygon where ``normal @ point <= offset``; ``(0, 2)`` when nothing is left.

    >>> clip(rectangle(0, 0, 4, 2), (1, 0), 1).tolist()
    [[0.0, 0.0], [1.0, 0.0], [1.0, 2.0], [0.0, 2.0]]
    """
    distance = polygon @ np.asarray(normal, np.float64) - offset
    kept = []
    for index, point in enumerate(polygon):
        after = (index + 1) % len(polygon)
        here, there = float(distance[index]), float(distance[after])
        if here <= 0:
            kept.append(point)
        if here * there < 0:
            kept.append(point + (polygon[after] - point) * here / (here - there))
    return np.array(kept, np.float64).reshape(-1, 2)


def within(polygon: Polygon, box: Box) -> Polygon:
    """The part of a polygon that lies in a box; ``(0, 2)`` when nothing does.

    >>> within(rectangle(-1, 0, 4, 2), Box(0, 0, 3, 3)).tolist()
    [[0.0, 0.0], [3.0, 0.0], [3.0, 2.0], [0.0, 2.0]]
    """
    for normal, offset in (((-1, 0), -box.x), ((1, 0), box.r), ((0, -1), -box.y), ((0, 1), box.b)):
        polygon = clip(polygon, normal, offset)
    return polygon


def cut(
    polygon: Polygon, axis: int, shares: Sequence[float], gap: float, slants: Sequence[float], least: float
) -> list[Polygon]:
    """A convex polygon cut into pieces with gutters between, from left to right or from top to bottom.

    Args:
        polygon: what is cut.
        axis: 0 cuts side by side, 1 one below the other.
        shares: of each piece along the axis, summing to 1.
        gap: width of the gutters, pixels.
        slants: of each cut, sideways per unit along it; one fewer than ``shares``.
        least: a cut that would leave a piece with a side below this is left out.

    >>> [box_of(one).xywh for one in cut(rectangle(0, 0, 10, 4), 0, (0.5, 0.5), 2, (0.0,), 1)]
    [[0.0, 0.0, 4.0, 4.0], [6.0, 0.0, 4.0, 4.0]]
    """
    low, size = float(polygon[:, axis].min()), float(np.ptp(polygon[:, axis]))
    pieces, rest = [], polygon
    for share, slant in zip(np.cumsum(shares)[:-1], slants, strict=True):
        normal = np.array([1.0, slant] if axis == 0 else [slant, 1.0])
        half = gap / 2 * float(np.hypot(*normal))
        point = polygon.mean(axis=0)
        point[axis] = low + float(share) * size
        offset = float(normal @ point)
        piece, after = clip(rest, normal.tolist(), offset - half), clip(rest, (-normal).tolist(), -offset - half)
        if min(least_side(piece), least_side(after)) >= least:
            pieces.append(piece)
            rest = after
    return [*pieces, rest]
