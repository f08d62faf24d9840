"""What ``task=panel_detector`` chooses, as typed values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from comix.core.errors import UsageError
from comix.data.boxdata import BoxDataSettings
from comix.data.boxpages import BoxSource
from comix.data.vary import Variation
from comix.detect.rcnn.network import Shape
from comix.train.boxrun import BoxTraining
from comix.train.boxtask import BoxOptimisation


def box_training(
    data: Mapping[str, Any],
    shape: Mapping[str, Any] | None = None,
    optimisation: Mapping[str, Any] | None = None,
    batch_size: int = 4,
    epochs: int = 20,
    steps: int = 200,
    seed: int = 0,
    start: str = "",
    threads: int = 1,
    card: Mapping[str, Any] | None = None,
) -> BoxTraining:
    """The run that a config describes, see `BoxTraining`.

    Args:
        data: `BoxDataSettings`'s fields, ``train`` and ``val`` as lists of `BoxSource`'s, ``vary`` of `Variation`'s.
        shape: `Shape`'s fields; classes are counted.
        optimisation: `BoxOptimisation`'s fields.
        card: what the weights' card says of data and licence.

    Raises:
        UsageError: a key that there is none of, or a number out of range.
    """
    for key, value in (("epochs", epochs), ("batch_size", batch_size), ("task.steps", steps)):
        if not value > 0:
            raise UsageError(f"{key}={value}: wanted more than 0")
    values = dict(data)
    for side in ("train", "val"):
        values[side] = [_made(BoxSource, one, f"task.data.{side}") for one in values.get(side) or ()]
    vary = dict(values.get("vary") or {})
    if "zoom" in vary:
        vary["zoom"] = tuple(vary["zoom"])
    values["vary"] = _made(Variation, vary, "task.data.vary")
    settings: BoxDataSettings = _made(BoxDataSettings, values, "task.data")
    numbers = {key: _tuples(value) for key, value in dict(shape or {}).items()}
    made: Shape = _made(Shape, {**numbers, "n_classes": len(settings.classes) + 1}, "task.shape")
    moved: BoxOptimisation = _made(BoxOptimisation, optimisation or {}, "task.optimisation")
    return BoxTraining(settings, made, moved, batch_size, epochs, steps, seed, start, threads, card)


def _made(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    unknown = sorted(set(values) - {one.name for one in fields(kind)})
    if unknown:
        raise UsageError(f"{where}: no key {unknown[0]!r}; wanted {', '.join(one.name for one in fields(kind))}")
    try:
        return kind(**values)
    except TypeError as error:
        raise UsageError(f"{where}: {error}") from error


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, Sequence) and not isinstance(value, str) else value
