"""The factory's settings, a file of ``conf/factory``: which pages, how often, how far perturbed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import yaml

from comix.core.errors import FileFormatError
from comix.paths import conf_dir
from comix.synth.perturb import Strength
from comix.synth.sheets import FAMILIES

VERSION = 1
"""Format of the settings that this code makes pages of; another number would make other pages of the same seed."""


@dataclass(frozen=True, slots=True)
class FactorySettings:
    """What pages are made of.

    Attributes:
        families: weight of each layout family that comes, by name.
        strengths: perturbations by name; ``weights``: how often each comes, by the same names.
    """

    families: dict[str, float]
    strengths: dict[str, Strength]
    weights: dict[str, float]


def factory_settings(config: Mapping[str, Any], where: str = "factory") -> FactorySettings:
    """Settings out of a plain mapping.

    Args:
        config: ``version``, ``families``, ``strengths``, as in ``conf/factory/frozen.yaml``.
        where: the file or key, for messages.

    Raises:
        FileFormatError: another version, an unknown family or key, or nothing with a weight above 0.
    """
    if config.get("version") != VERSION:
        raise FileFormatError(f"{where}: version is {config.get('version')!r}; this CoMix makes pages of version {VERSION}")
    weighed = {str(name): _number(f"{where}: families.{name}", one) for name, one in dict(config.get("families") or {}).items()}
    families = {name: weight for name, weight in weighed.items() if weight > 0}
    unknown = sorted(set(families) - set(FAMILIES))
    if unknown or not families:
        raise FileFormatError(f"{where}: families {unknown or 'none'}; wanted weights for some of {', '.join(FAMILIES)}")
    wanted = {one.name for one in fields(Strength)} - {"name"}
    strengths, weights = {}, {}
    for name, values in dict(config.get("strengths") or {}).items():
        numbers = {key: _number(f"{where}: strengths.{name}.{key}", value) for key, value in values.items()}
        weight = numbers.pop("weight", 1.0)
        if set(numbers) - wanted:
            raise FileFormatError(f"{where}: strengths.{name}: no {sorted(set(numbers) - wanted)}; wanted {sorted(wanted)}")
        if weight > 0:
            strengths[str(name)], weights[str(name)] = Strength(str(name), **numbers), weight
    if not strengths:
        raise FileFormatError(f"{where}: strengths: none has a weight above 0")
    return FactorySettings(families, strengths, weights)


def _number(what: str, value: Any) -> float:
    """A number, also one that came as text from the command line."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise FileFormatError(f"{what}={value}: wanted a number") from None


def frozen_settings(name: str = "frozen") -> FactorySettings:
    """The settings that ship with CoMix, ``conf/factory/<name>.yaml``.

    >>> sorted(frozen_settings().strengths)
    ['mild', 'none', 'strong']
    """
    path = conf_dir() / "factory" / f"{name}.yaml"
    return factory_settings(yaml.safe_load(path.read_text(encoding="utf-8")), str(path))


def drawn(random: np.random.Generator, weights: Mapping[str, float]) -> str:
    """A name, each as often as its weight says."""
    names = list(weights)
    values = np.array([weights[name] for name in names])
    return names[int(random.choice(len(names), p=values / values.sum()))]
