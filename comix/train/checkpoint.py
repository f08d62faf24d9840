"""Checkpoints to share: ``model.safetensors`` with ``model.yaml`` beside it, and the tokenizer where the model has one."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load, save

from comix.core.errors import FileFormatError
from comix.core.files import write_bytes
from comix.data.pixels import PixelReader
from comix.models.closure_lite import ClosureLite, restore
from comix.models.encoder_names import IMAGE_ENCODER, TEXT_ENCODER
from comix.models.encoders import PretrainedVision, tokenizer_of
from comix.train.card import CARD, FORMAT, TOKENIZER, WEIGHTS, check_weights


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A trained model, ready to encode.

    Attributes:
        model: in eval mode, on the CPU.
        config: what ``model.yaml`` holds: format, name, variant, model (its name and arguments), encoders, metrics, sha256,
            n_pages, seed; ``reader`` for a model that reads pixels.
        model_hash: sha256 of the weights, first 16 hex digits; goes into stores and indexes made with this model.
        reader: how the model wants its input; None for cached features.
    """

    model: ClosureLite
    config: dict[str, Any]
    model_hash: str
    reader: PixelReader | None = None


def save_model(
    folder: Path,
    model: ClosureLite,
    facts: Mapping[str, Any],
    reader: PixelReader | None = None,
    dtype: torch.dtype | None = None,
) -> str:
    """Write a checkpoint, weights first, the YAML that names their hash last; the model hash.

    Args:
        folder: made if absent; an older checkpoint in it is replaced.
        model: any device.
        facts: what else ``model.yaml`` shall say: name, variant, metrics, n_pages, seed.
        reader: of a model that reads pixels: its tokenizer goes into ``tokenizer/``, so that the folder needs no other.
        dtype: that weights are kept in, ``torch.float16`` for half the size; None for the model's own.
    """
    weights = {name: value.detach().cpu().to(dtype or value.dtype).contiguous() for name, value in model.state_dict().items()}
    data = save(weights)
    sha256 = hashlib.sha256(data).hexdigest()
    encoders = {} if model.uses_pixels else {"image": IMAGE_ENCODER, "text": TEXT_ENCODER}
    card = {"format": FORMAT, "sha256": sha256, "model": model.settings, "encoders": encoders, **facts}
    write_bytes(folder / WEIGHTS, data)
    if reader is not None:
        assert isinstance(model.image, PretrainedVision)
        seen = {"image_size": reader.side, "mean": model.image.mean, "std": model.image.std}
        card["reader"] = {**seen, "max_tokens": reader.max_tokens}
        _save_tokenizer(folder / TOKENIZER, reader.tokenizer)
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
    reader = _reader(model, card, folder) if model.uses_pixels else None
    return LoadedModel(model.eval(), card, str(card["sha256"])[:16], reader)


def _save_tokenizer(folder: Path, tokenizer: Any) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer.save_pretrained(scratch)
        for file in sorted(Path(scratch).iterdir()):
            write_bytes(folder / file.name, file.read_bytes())


def _reader(model: ClosureLite, card: Mapping[str, Any], folder: Path) -> PixelReader:
    """How a model wants its pixels and words, from its folder alone; older folders name their tokenizer's place."""
    told = dict(card.get("reader") or {})
    if not (folder / TOKENIZER).is_dir():
        return pixel_reader(model, tokenizer_of(str(model.settings["text"]), str(folder / CARD)))
    tokenizer = tokenizer_of(str(folder / TOKENIZER), str(folder / CARD))
    if not told:
        return pixel_reader(model, tokenizer)
    assert isinstance(model.image, PretrainedVision)
    model.image.expect(told["mean"], told["std"])
    return PixelReader(told["image_size"], tokenizer, told["max_tokens"])


def pixel_reader(model: ClosureLite, tokenizer: Any) -> PixelReader:
    """How a model with trained encoders wants its input."""
    assert isinstance(model.image, PretrainedVision)
    return PixelReader(model.image.image_size, tokenizer)


def _load_weights(model: ClosureLite, data: bytes, folder: Path) -> None:
    try:
        model.load_state_dict(load(data))
    except (RuntimeError, SafetensorError) as error:
        first = " ".join(str(error).split())[:300]
        raise FileFormatError(
            f"{folder / WEIGHTS}: does not fit the model {model.settings['name']} of {CARD} ({first}); "
            "it is another model's checkpoint, or was trained with other settings"
        ) from error
