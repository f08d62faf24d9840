"""What a model is called: kind, variant and what differs from the defaults, so that no two settings share a name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from comix.core.errors import ComixError, UsageError
from comix.core.files import digest, read_json
from comix.train.metrics_file import METRICS, runs_of_model

_NOT_THE_MODEL = (
    "workspace", "name", "resume", "overwrite", "logger", "experiment", "mpm_variant", "dataset.num_workers",
    "trainer.accelerator", "trainer.devices", "trainer.strategy", "trainer.threads", "trainer.checkpoint_every",
    "trainer.publish",
)  # fmt: skip
"""Keys that say where and how a run is made, not what it gives."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,15}")
_MOST = 60
"""Characters that the differences may take in a name; more become a hash."""


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decide a model, flat.

    Args:
        config: the whole configuration of `train`, resolved.

    >>> settings_of({"epochs": 3, "workspace": "w", "trainer": {"threads": 1, "clip_norm": 1.0}})
    {'epochs': 3, 'trainer.clip_norm': 1.0}
    """
    flat: dict[str, Any] = {}
    for key, value in config.items():
        inner = settings_of({f"{key}.{name}": one for name, one in value.items()}) if isinstance(value, Mapping) else {}
        flat |= inner if isinstance(value, Mapping) else {str(key): value}
    return {
        key: value for key, value in flat.items() if not any(key == one or key.startswith(f"{one}.") for one in _NOT_THE_MODEL)
    }


def name_of(base: str, given: Mapping[str, Any], standard: Mapping[str, Any]) -> str:
    """The base and every setting that is not the standard one, in the order of the keys.

    >>> name_of("mini-base", {"epochs": 3, "optimisation.mirror": 0.0}, {"epochs": 40, "optimisation.mirror": 0.5})
    'mini-base-epochs3-mirror0.0'
    """
    parts = [
        _part(key, given.get(key)) for key in given if given.get(key) != standard.get(key, given) and "_target_" not in key
    ]
    tail = "-".join(parts)
    return "-".join(filter(None, [base, tail if len(tail) <= _MOST else digest(tail)[:8]]))


def _part(key: str, value: Any) -> str:
    leaf = key.partition(".")[2] or key
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return f"{leaf}-{value}" if _PLAIN.fullmatch(str(value)) else f"{leaf}-{digest(value)[:4]}"
    return f"{leaf}{value}" if isinstance(value, int | float) else f"{leaf}-{digest(value)[:4]}"


def free_name(models: Path, name: str, settings: Mapping[str, Any], is_given: bool, overwrite: bool) -> str:
    """The name that a run's model gets below ``models/``: one that no model of other settings has.

    Args:
        models: ``workspace/models``.
        name: as wanted; ``is_given`` whether the user said so.
        settings: of the run.
        overwrite: whether a model of other settings may be replaced.

    Raises:
        UsageError: the given name is taken; says by which settings.
    """
    other = told_settings(models / name)
    if other is None or other == dict(settings) or overwrite:
        return name
    if not is_given:
        return f"{name}-{digest(sorted(settings.items()))[:4]}"
    changed = [
        f"{key} {other.get(key)}, here {settings.get(key)}"
        for key in sorted({*other, *settings})
        if other.get(key) != settings.get(key)
    ]
    more = f", and {len(changed) - 3} more" if len(changed) > 3 else ""
    raise UsageError(
        f"name={name}: {models / name} is a model of other settings ({'; '.join(changed[:3])}{more}); "
        "give another name=, or replace it with overwrite=true"
    )


def told_settings(folder: Path) -> dict[str, Any] | None:
    """The settings of a published model; None where there is none, or one that does not tell them."""
    found = _metrics(folder).get("settings")
    return found if isinstance(found, dict) else None


def hash_there(folder: Path) -> str:
    """The hash of a published model; "" for none."""
    return str(_metrics(folder).get("model_hash", ""))


def _metrics(folder: Path) -> dict[str, Any]:
    try:
        found = read_json(folder / METRICS)
    except ComixError:
        return {}
    return found if isinstance(found, dict) else {}


def replaced_note(models: Path, runs: Path, name: str, before: str, after: str) -> str:
    """A sentence on the model that was replaced under a name; "" when it is still the same, or there was none."""
    if before in ("", after):
        return ""
    kept: Sequence[Path] = runs_of_model(runs, before)
    where = f"it is kept in its run folder, {kept[0]}" if kept else "no run folder keeps it"
    return f"{models / name}: replaced the model {before} (of other pages, or settings you asked to replace); {where}"
