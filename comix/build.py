"""The only place where a config becomes an object."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from comix.core.errors import UsageError

_ALLOWED = ("comix.detect.", "comix.vlm.", "comix.data.", "comix.models.", "comix.train.")
"""Where a ``_target_`` may point: a config file cannot call anything else on the machine."""


def instantiate(config: Mapping[str, Any]) -> Any:
    """The object that a config with a ``_target_`` describes.

    Args:
        config: plain mapping, ``_target_`` names a class or function of CoMix, the rest are its keyword arguments.

    Raises:
        UsageError: no ``_target_``, one outside CoMix, or arguments that it does not take.
    """
    target = str(config.get("_target_", ""))
    if not target.startswith(_ALLOWED):
        raise UsageError(f"_target_={target!r}: wanted a class below {', '.join(name + '*' for name in _ALLOWED)}")
    module, _, name = target.rpartition(".")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise UsageError(f"_target_={target}: there is no such class ({error})") from error
    arguments = {key: value for key, value in config.items() if key != "_target_"}
    try:
        inspect.signature(factory).bind(**arguments)
    except TypeError as error:
        raise UsageError(f"{target}: {error}; it takes {', '.join(inspect.signature(factory).parameters)}") from error
    return factory(**arguments)
