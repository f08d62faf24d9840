"""The folder of a checkpoint: which files it has, what its ``model.yaml`` says; read without torch."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml

from comix.core.errors import FileFormatError, MissingInputError
from comix.models.encoder_names import IMAGE_ENCODER, TEXT_ENCODER

FORMAT = 1
"""Number of the checkpoint's form; older ones load for ever."""
WEIGHTS, CARD, TOKENIZER = "model.safetensors", "model.yaml", "tokenizer"


def files_of(folder: Path) -> list[Path]:
    """The files of a checkpoint in the order they have to be copied: weights first, the card that names their hash last."""
    return [folder / WEIGHTS, *sorted((folder / TOKENIZER).glob("*")), folder / CARD]


def identity(folder: Path) -> str:
    """The model hash as the card has it, read without the weights.

    Raises:
        MissingInputError, FileFormatError: as `read_card`.
    """
    return str(read_card(folder).get("sha256"))[:16]


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
