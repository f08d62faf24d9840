"""Geometry of the drawing that lies over a page: panels, badges, and a smooth path in reading order."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]


def spline(points: Sequence[Point], tension: float = 0.8) -> list[tuple[Point, Point, Point, Point]]:
    """Cubic Bezier pieces of a smooth curve through the points, one piece per gap; empty for fewer than two points.

    Source: centripetal-free Catmull-Rom splines as Bezier curves, control points a sixth of the neighbours' distance.

    >>> spline([(0, 0), (60, 0)], 1.0)
    [((0, 0), (10.0, 0.0), (50.0, 0.0), (60, 0))]
    """
    pieces = []
    for index in range(len(points) - 1):
        start, end = points[index], points[index + 1]
        before, after = points[max(index - 1, 0)], points[min(index + 2, len(points) - 1)]
        reach = tension / 6
        first = (start[0] + (end[0] - before[0]) * reach, start[1] + (end[1] - before[1]) * reach)
        second = (end[0] - (after[0] - start[0]) * reach, end[1] - (after[1] - start[1]) * reach)
        pieces.append((start, first, second, end))
    return pieces


def path_data(points: Sequence[Point]) -> str:
    """The curve as SVG path data.

    >>> path_data([(0, 0), (60, 30)])
    'M0 0C8 4 52 26 60 30'
    """
    pieces = spline(points)
    if not pieces:
        return ""
    curves = "".join("C" + " ".join(_pair(point) for point in piece[1:]) for piece in pieces)
    return f"M{_pair(points[0])}{curves}"


def arrow_heads(points: Sequence[Point], size: float) -> list[str]:
    """Corner points of one arrow head half way along every piece, for SVG polygons."""
    return [_head(piece, size) for piece in spline(points) if math.dist(piece[0], piece[3]) > 2 * size]


def _head(piece: tuple[Point, Point, Point, Point], size: float) -> str:
    start, first, second, end = piece
    x, y = ((start[axis] + 3 * first[axis] + 3 * second[axis] + end[axis]) / 8 for axis in (0, 1))
    dx, dy = (end[axis] + second[axis] - first[axis] - start[axis] for axis in (0, 1))
    length = math.hypot(dx, dy) or 1.0
    dx, dy = dx / length * size, dy / length * size
    corners = [(x + dx, y + dy), (x - dx * 0.8 - dy * 0.9, y - dy * 0.8 + dx * 0.9), (x - dx * 0.35, y - dy * 0.35),
               (x - dx * 0.8 + dy * 0.9, y - dy * 0.8 - dx * 0.9)]  # fmt: skip
    return " ".join(_pair(corner, ",") for corner in corners)


def outline(xywh: Sequence[float], polygon: Sequence[Sequence[float]]) -> str:
    """Corner points of a panel for an SVG polygon: its own polygon, else its box.

    >>> outline([1, 2, 10, 20], [])
    '1,2 11,2 11,22 1,22'
    """
    x, y, w, h = xywh
    corners = polygon or [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
    return " ".join(_pair((corner[0], corner[1]), ",") for corner in corners)


def _pair(point: Point, separator: str = " ") -> str:
    return separator.join(f"{value:.1f}".removesuffix(".0") for value in point)
