"""Checkpoints to share: ``model.safetensors`` with ``model.yaml`` beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError
from safetensors.torch import load, save

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.files import write_bytes
from comix.models.closure_lite import ClosureLite, restore
from comix.models.frozen import IMAGE_ENCODER, TEXT_ENCODER

FORMAT = 1
"""Number of the checkpoint's form; older ones load for ever."""
WEIGHTS, CARD = "model.safetensors", "model.yaml"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A trained model, ready to encode.

    Attributes:
        model: in eval mode, on the CPU.
        config: what ``model.yaml`` holds: format, name, variant, model (its name and arguments), encoders, metrics, sha256,
            n_pages, seed.
        model_hash: sha256 of the weights, first 16 hex digits; goes into stores and indexes made with this model.
    """

    model: ClosureLite
    config: dict[str, Any]
    model_hash: str


def save_model(folder: Path, model: ClosureLite, facts: Mapping[str, Any]) -> str:
    """Write a checkpoint, weights first, then the YAML that names their hash; the model hash.

    Args:
        folder: made if absent; an older checkpoint in it is replaced.
        model: any device.
        facts: what else ``model.yaml`` shall say: name, variant, metrics, n_pages, seed.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    data = save(weights)
    sha256 = hashlib.sha256(data).hexdigest()
    encoders = {} if model.uses_pixels else {"image": IMAGE_ENCODER, "text": TEXT_ENCODER}
    card = {"format": FORMAT, "sha256": sha256, "model": model.settings, "encoders": encoders, **facts}
    write_bytes(folder / WEIGHTS, data)
    write_bytes(folder / CARD, yaml.safe_dump(json.loads(json.dumps(card)), sort_keys=False, allow_unicode=True).encode())
    return sha256[:16]


def load_model(path: Path) -> LoadedModel:
    """The model of a checkpoint folder (``workspace/models/<name>``), or of its ``model.safetensors``.

    Raises:
        MissingInputError: nothing there; says how to train one.
        FileFormatError: weights and YAML do not belong together, another model's checkpoint, other encoders, or a newer
            format.
    """
    folder = path.parent if path.name in (WEIGHTS, CARD) else path
    card, data = check_weights(folder)
    model = restore(card["model"])
    _load_weights(model, data, folder)
    return LoadedModel(model.eval(), card, str(card["sha256"])[:16])


def check_weights(folder: Path) -> tuple[dict[str, Any], bytes]:
    """The card and the weights' bytes of a checkpoint folder, which belong together.

    Raises:
        MissingInputError, FileFormatError: as `load_model`.
    """
    card = read_card(folder)
    try:
        data = (folder / WEIGHTS).read_bytes()
    except OSError:
        raise MissingInputError(f"{folder / WEIGHTS}: the weights are missing; train again: comix train") from None
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != card.get("sha256"):
        raise FileFormatError(
            f"{folder / WEIGHTS}: sha256 {sha256[:16]}.. is not the {str(card.get('sha256'))[:16]}.. of {CARD}; "
            "the two files are of different checkpoints: copy both again, or train again"
        )
    return card, data


def read_card(folder: Path) -> dict[str, Any]:
    """What ``model.yaml`` says.

    Raises:
        MissingInputError: not a checkpoint folder; says how to train one.
        FileFormatError: not our YAML, a newer format, or made with other frozen encoders than these.
    """
    file = folder / CARD
    if not file.is_file():
        raise MissingInputError(f"{folder}: no checkpoint here ({CARD} is missing); train one: comix train workspace=DIR")
    try:
        card = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{file}: not readable YAML ({error}); train again, or copy the file again") from error
    if not isinstance(card, dict) or not isinstance(card.get("format"), int) or not isinstance(card.get("model"), dict):
        raise FileFormatError(f"{file}: not a model card of CoMix; wanted keys format, sha256, model")
    if card["format"] > FORMAT:
        raise FileFormatError(f"{file}: format {card['format']} is newer than this CoMix knows ({FORMAT}); update CoMix")
    ours = {"image": IMAGE_ENCODER, "text": TEXT_ENCODER}
    theirs = card.get("encoders") or ours
    if theirs != ours:
        raise FileFormatError(f"{file}: made with the encoders {theirs}; this CoMix has {ours}: train again")
    return card


def _load_weights(model: ClosureLite, data: bytes, folder: Path) -> None:
    try:
        model.load_state_dict(load(data))
    except (RuntimeError, SafetensorError) as error:
        first = " ".join(str(error).split())[:300]
        raise FileFormatError(
            f"{folder / WEIGHTS}: does not fit the model {model.settings['name']} of {CARD} ({first}); "
            "it is another model's checkpoint, or was trained with other settings"
        ) from error
