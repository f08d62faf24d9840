"""Checkpoints to share: ``model.safetensors`` with ``model.yaml`` beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comix.models.closure_lite import ClosureLite

FORMAT = 1
"""Number of the checkpoint's form; older ones load for ever."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A trained model, ready to encode.

    Attributes:
        model: in eval mode, on the CPU.
        config: what ``model.yaml`` holds: format, name, variant, model (its ``_target_`` and arguments), encoders, metrics,
            sha256, n_pages, seed.
        model_hash: sha256 of the weights, first 16 hex digits; goes into stores and indexes made with this model.
    """

    model: ClosureLite
    config: dict[str, Any]
    model_hash: str


def load_model(path: Path) -> LoadedModel:
    """The model of a checkpoint folder (``workspace/models/<name>``), or of its ``model.safetensors``.

    Raises:
        MissingInputError: nothing there; says how to train one.
        FileFormatError: weights and YAML do not belong together, another model's checkpoint, or a newer format.
    """
    raise NotImplementedError
