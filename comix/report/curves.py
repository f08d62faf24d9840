"""Loss curves as SVG paths: one small chart per run, all on the same scale, every line named at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from comix.report.overlay import Point

LOSSES = (("loss", "total"), ("loss_rpp", "RPP"), ("loss_pop", "POP"), ("loss_mpm", "MPM"))
"""Column of ``history.csv`` and the name at the line's end; ``val_`` before the column gives the held-out pages' loss."""

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BASE = 420, 250, 40.0, 330.0, 16.0, 210.0
_LINE_HEIGHT = 15.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One loss: paths of training and held-out pages ("" for none), where they end, and the name beside the end."""

    name: str
    tone: str
    training: str
    held_out: str
    dots: tuple[Point, ...]
    label: Point
    last: float


@dataclass(frozen=True, slots=True)
class CurveChart:
    """The losses of one run; ``ticks`` are ``(y, label)``, ``epochs`` are ``(x, label)``, ``best`` is the kept epoch's x."""

    title: str
    note: str
    curves: tuple[Curve, ...]
    ticks: tuple[tuple[float, str], ...]
    epochs: tuple[tuple[float, str], ...]
    best: float | None
    best_epoch: int
    width: int = _WIDTH
    height: int = _HEIGHT
    left: float = _LEFT
    right: float = _RIGHT
    top: float = _TOP
    base: float = _BASE


History = Sequence[Mapping[str, float]]
"""One row per epoch; a loss that was not measured is missing."""


def curve_charts(runs: Sequence[tuple[str, str, History, int]]) -> list[CurveChart]:
    """One chart per run on a common scale.

    Args:
        runs: title, note, history and kept epoch (0 for unknown) of each.
    """
    names = [prefix + column for column, _ in LOSSES for prefix in ("", "val_")]
    peak = max((row[name] for _, _, history, _ in runs for row in history for name in names if name in row), default=0.0)
    step = nice_step(peak)
    top = step * max(1, math.ceil(peak / step - 1e-9))
    return [_chart(title, note, history, best, top, step) for title, note, history, best in runs]


def nice_step(peak: float) -> float:
    """Distance of grid lines that gives about four of them.

    >>> nice_step(1.4), nice_step(4.3), nice_step(0.0)
    (0.5, 2.0, 1.0)
    """
    if peak <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(peak / 4))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= peak / 4)


def _chart(title: str, note: str, history: History, best: int, top: float, step: float) -> CurveChart:
    n = max(len(history), 1)

    def at(epoch: int, value: float) -> Point:
        x = _LEFT + (_RIGHT - _LEFT) * ((epoch - 1) / (n - 1) if n > 1 else 0.5)
        return round(x, 1), round(_BASE - (_BASE - _TOP) * value / top, 1)

    found = []
    for column, name in LOSSES:
        training, held_out = (
            [at(epoch, row[key]) for epoch, row in enumerate(history, 1) if key in row] for key in (column, f"val_{column}")
        )
        last = next((row[column] for row in reversed(history) if column in row), 0.0)
        if training and any(row.get(column) for row in history):  # a head that is not there has a loss of 0 throughout
            dots = (training[-1], *held_out[-1:])
            found.append(Curve(name, name.lower(), _path(training), _path(held_out), dots, training[-1], last))
    places = spread([curve.label[1] for curve in found], _LINE_HEIGHT, _TOP, _BASE)
    curves = tuple(
        Curve(one.name, one.tone, one.training, one.held_out, one.dots, (_RIGHT + 10, place), one.last)
        for one, place in zip(found, places, strict=True)
    )
    n_ticks = round(top / step)
    ticks = tuple((at(1, step * index)[1], f"{step * index:.3g}") for index in range(n_ticks + 1))
    epochs = tuple((at(epoch, 0)[0], str(epoch)) for epoch in _epoch_ticks(len(history)))
    kept = at(best, 0)[0] if 1 <= best <= len(history) else None
    return CurveChart(title, note, curves, ticks, epochs, kept, best)


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places moved apart to at least ``gap``, in their order, none beyond ``high`` while there is room above ``low``.

    >>> spread([50.0, 52.0, 10.0], 15.0, 0.0, 60.0)
    [45.0, 60.0, 10.0]
    """
    order = sorted(range(len(places)), key=lambda index: (places[index], index))
    out = [float(place) for place in places]
    for before, index in pairwise(order):
        out[index] = max(out[index], out[before] + gap)
    ceiling = high
    for index in reversed(order):
        out[index] = min(out[index], ceiling)
        ceiling = out[index] - gap
    return [round(max(place, low), 1) for place in out]


def _epoch_ticks(n: int) -> list[int]:
    """First and last epoch, and a few between.

    >>> _epoch_ticks(40), _epoch_ticks(1)
    ([1, 10, 20, 30, 40], [1])
    """
    step = int(nice_step(n)) or 1
    inner = [epoch for epoch in range(step, n, step) if 1 < epoch <= n - step / 2]
    return list(dict.fromkeys([1, *inner, n])) if n else []


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points) if points else ""
