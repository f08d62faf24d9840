"""Distributions as bars: the numbers here, the drawing in the template."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar in the chart's own pixels; ``tone`` is a class name."""

    label: str
    n: int
    x: float
    y: float
    width: float
    height: float
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A bar chart of ``width`` by ``height`` pixels; ``ticks`` are ``(y, label)`` of the grid lines."""

    title: str
    unit: str
    note: str
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    width: int
    height: int
    base: float
    total: int


def bar_chart(
    title: str, labels: Sequence[str], counts: Sequence[int], unit: str, note: str = "", tones: Sequence[str] = ()
) -> Chart:
    """A chart whose highest bar fills it; all counts zero gives flat bars.

    >>> [(bar.n, bar.height) for bar in bar_chart("t", ["a", "b"], [10, 5], "pages").bars]
    [(10, 150.0), (5, 75.0)]
    """
    width, height, left, top, base = 420, 232, 40.0, 22.0, 192.0
    peak, step = _nice(max([*counts, 1]))
    slot = (width - left - 6) / max(len(counts), 1)
    scale = (base - top - 20) / peak
    bars = tuple(
        Bar(
            label, n, round(left + slot * index + slot * 0.14, 2), round(base - n * scale, 2), round(slot * 0.72, 2),
            round(n * scale, 2), tones[index] if tones else "",
        )
        for index, (label, n) in enumerate(zip(labels, counts, strict=True))
    )  # fmt: skip
    ticks = tuple((round(base - value * scale, 2), f"{value:,}") for value in range(0, peak + 1, step))
    return Chart(title, unit, note, bars, ticks, width, height, base, sum(counts))


def _nice(peak: int) -> tuple[int, int]:
    """A round top of the axis at or above ``peak``, and the distance of its grid lines."""
    raw = max(1.0, peak / 4)
    power = 10 ** math.floor(math.log10(raw))
    step = int(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw))
    return (peak if peak % step == 0 else (peak // step + 1) * step), step


def binned(values: Sequence[float], n_bins: int = 10) -> list[int]:
    """Counts of values from 0 to 1 in equal bins, 1 in the last one.

    >>> binned([0.0, 0.05, 0.5, 1.0], 4)
    [2, 0, 1, 1]
    """
    counts = [0] * n_bins
    for value in values:
        counts[min(int(value * n_bins), n_bins - 1)] += 1
    return counts
