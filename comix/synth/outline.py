"""The line around a panel: straight, hand-drawn or with round corners."""

from __future__ import annotations

import numpy as np

from comix.synth.shapes import Polygon

_STEP = 24.0
"""Pixels between the points of a hand-drawn line."""


def outline(random: np.random.Generator, polygon: Polygon, wobble: float, rounded: float) -> Polygon:
    """Points of the line around a convex polygon, ``(n, 2)``.

    Args:
        random: for hand-drawn lines.
        polygon: corners.
        wobble: standard deviation of a hand-drawn line, pixels; 0 for straight lines.
        rounded: radius of the corners as a share of the shorter side; 0 for sharp ones.
    """
    if rounded > 0 and len(polygon) == 4:
        polygon = _round(polygon, rounded * float(np.ptp(polygon, axis=0).min()))
    return _shaky(random, polygon, wobble) if wobble > 0 else polygon


def _round(polygon: Polygon, radius: float) -> Polygon:
    points = []
    for before, corner, after in zip(np.roll(polygon, 1, axis=0), polygon, np.roll(polygon, -1, axis=0), strict=True):
        away = [(one - corner) / max(float(np.hypot(*(one - corner))), 1e-6) * radius for one in (before, after)]
        for t in np.linspace(0, 1, 6):
            points.append(corner + away[0] * (1 - t) ** 2 + away[1] * t**2)
    return np.array(points)


def _shaky(random: np.random.Generator, polygon: Polygon, wobble: float) -> Polygon:
    points = []
    for here, there in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        along = there - here
        length = max(float(np.hypot(*along)), 1e-6)
        count = max(2, int(length / _STEP))
        t = np.arange(count) / count
        aside = np.array([-along[1], along[0]]) / length
        walk = np.convolve(random.normal(0, wobble, count + 4), np.full(5, 0.45), "valid") * np.sqrt(np.sin(np.pi * t))
        points.append(here + t[:, None] * along + walk[:, None] * aside)
    return np.concatenate(points)
