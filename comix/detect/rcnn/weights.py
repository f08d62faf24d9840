"""Weights of the light network on disk: fp16 safetensors, and beside them a YAML card that says what they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.files import write_bytes
from comix.detect.rcnn.network import Shape

FORMAT = 1
"""Of the pair of files; older ones load for ever."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a network is and takes.

    Attributes:
        shape: see there.
        classes: category names, background left out; as many as ``shape.n_classes`` - 1.
        canvas_area: pixels of the canvas it was trained on.
        facts: the model card: data, licence, seeds, metrics.
    """

    shape: Shape
    classes: tuple[str, ...]
    canvas_area: int
    facts: Mapping[str, Any]


def save_weights(stem: Path, state: Mapping[str, Any], card: Card) -> str:
    """Write ``<stem>.safetensors`` and ``<stem>.yaml``; the sha256 of the former.

    Args:
        state: float tensors by name.
    """
    from safetensors.torch import save

    data = save({name: value.detach().cpu().half().contiguous() for name, value in state.items()})
    sha256 = hashlib.sha256(data).hexdigest()
    content = {
        "format": FORMAT, "sha256": sha256, "classes": list(card.classes), "canvas_area": card.canvas_area,
        "shape": _plain(asdict(card.shape)), **card.facts,
    }  # fmt: skip
    write_bytes(stem.with_suffix(".safetensors"), data)
    write_bytes(stem.with_suffix(".yaml"), yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120).encode())
    return sha256


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def read_card(stem: Path) -> Card:
    """The card of ``<stem>.yaml``.

    Raises:
        MissingInputError: not there.
        FileFormatError: not a card, or of a newer format.
    """
    path = stem.with_suffix(".yaml")
    if not path.is_file():
        raise MissingInputError(f"{path}: no such file; wanted the .yaml and .safetensors that comix train wrote")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if int(content["format"]) > FORMAT:
            raise FileFormatError(f"{path}: format {content['format']}, this CoMix reads up to {FORMAT}; install a newer one")
        shape = content["shape"]
        sides = tuple(tuple(int(side) for side in sides) for sides in shape["anchor_sides"])
        read = Shape(
            int(shape["n_classes"]), int(shape["channels"]), int(shape["hidden"]), sides, tuple(shape["anchor_ratios"])
        )
        return Card(read, tuple(content["classes"]), int(content["canvas_area"]), content)
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path}: not the card of a panel network ({type(error).__name__}: {error})") from error


def read_state(stem: Path, sha256: str) -> dict[str, Any]:
    """The float32 tensors of ``<stem>.safetensors``.

    Raises:
        MissingInputError: not there.
        FileFormatError: another content than the card was written for.
    """
    from safetensors.torch import load

    path = stem.with_suffix(".safetensors")
    if not path.is_file():
        raise MissingInputError(f"{path}: no such file")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise FileFormatError(f"{path}: its sha256 is not the one its card names; the two files do not belong together")
    return {name: value.float() for name, value in load(data).items()}
