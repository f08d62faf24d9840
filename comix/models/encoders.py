"""What turns a panel's picture, words and place into vectors of one size."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from comix.core.errors import MissingInputError, UsageError

_SHORT = 16
"""Texts of up to so many tokens go through the encoder together."""


class FeatureProjection(nn.Module):
    """Features of a frozen encoder ``(n, f)`` to ``(n, d)``; starts as a rotation, so that cosines survive."""

    def __init__(self, n_features: int, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_features, elementwise_affine=False)
        self.linear = nn.Linear(n_features, dim)
        self.out = nn.LayerNorm(dim)
        nn.init.orthogonal_(self.linear.weight, gain=math.sqrt(max(n_features / dim, 1.0)))
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor) -> Tensor:
        """``(n, f)`` to ``(n, d)``."""
        out: Tensor = self.out(self.linear(self.norm(features)))
        return out


class CompositionEncoder(nn.Module):
    """Where a panel lies and which shape it has: layout ``(n, k)`` to ``(n, d)``."""

    def __init__(self, n_layout: int, dim: int, hidden: int = 256) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_layout, hidden), nn.GELU(), nn.Linear(hidden, dim), nn.LayerNorm(dim))

    def forward(self, layout: Tensor) -> Tensor:
        """``(n, k)`` to ``(n, d)``."""
        out: Tensor = self.layers(layout)
        return out


class PretrainedVision(nn.Module):
    """A timm model and a projection: pixels ``(n, 3, s, s)`` uint8, red green blue, to ``(n, d)``.

    Args:
        name: timm's name, for example ``vit_base_patch16_224``.
        weights: ``hub`` (timm downloads them), ``none`` (random), or a local file or folder (safetensors or ``.pth``).
        trainable_blocks: None trains everything, 0 freezes the encoder, k trains its last k blocks.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, name: str, dim: int, weights: str = "hub", trainable_blocks: int | None = None) -> None:
        super().__init__()
        self.backbone = _timm_model(name, weights)
        self.project = nn.Linear(int(self.backbone.num_features), dim)
        self.out = nn.LayerNorm(dim)
        settings = getattr(self.backbone, "pretrained_cfg", {}) or {}
        self.image_size = int(settings.get("input_size", (3, 224, 224))[-1])
        self.expect(settings.get("mean", (0.5, 0.5, 0.5)), settings.get("std", (0.5, 0.5, 0.5)))
        _freeze(self.backbone, getattr(self.backbone, "blocks", None), trainable_blocks)

    def expect(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Say what the weights were trained on: mean and standard deviation per channel, red green blue, 0 to 1."""
        self.mean, self.std = tuple(mean), tuple(std)
        for name, values in (("shift", mean), ("scale", std)):
            self.register_buffer(name, 255 * torch.tensor(tuple(values))[:, None, None], persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """``(n, 3, s, s)`` uint8 to ``(n, d)``; normalised here, as the weights expect."""
        out: Tensor = self.out(self.project(self.backbone((pixels - self.shift) / self.scale)))
        return out

    def compile_blocks(self) -> None:
        """Let ``torch.compile`` make the blocks faster, whatever the number of panels."""
        _compile(getattr(self.backbone, "blocks", None))


class PretrainedText(nn.Module):
    """A transformers encoder and a projection: token ids ``(n, l)`` to ``(n, d)`` by the first token's state.

    Args:
        name: hub name (``roberta-base``) or local folder.
        config: a saved transformers config: builds the network without weights, to load a checkpoint into.
        trainable_blocks: as for `PretrainedVision`.
    """

    def __init__(self, name: str, dim: int, config: dict[str, Any] | None = None, trainable_blocks: int | None = None) -> None:
        super().__init__()
        self.backbone = _text_model(name, config)
        self.project = nn.Linear(int(self.backbone.config.hidden_size), dim)
        self.out = nn.LayerNorm(dim)
        _freeze(self.backbone, self._layers(), trainable_blocks)

    def _layers(self) -> Any:
        return getattr(getattr(self.backbone, "encoder", None), "layer", None)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Ids and mask ``(n, l)``, padding last, to ``(n, d)``; texts of about one length go through together."""
        groups = of_one_length(mask.sum(dim=1).tolist())
        states = [self._states(tokens[rows, :longest], mask[rows, :longest]) for longest, rows in groups]
        order = torch.tensor([row for _, rows in groups for row in rows], device=tokens.device).argsort()
        out: Tensor = self.out(self.project(torch.cat(states)[order]))
        return out

    def _states(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """The first token's state of each text ``(n, h)``."""
        states: Tensor = self.backbone(input_ids=tokens, attention_mask=mask).last_hidden_state  # (n, l, h)
        return states[:, 0]

    def compile_blocks(self) -> None:
        """Let ``torch.compile`` make the layers faster, whatever the number and length of texts."""
        _compile(self._layers())


def of_one_length(lengths: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Texts in groups that waste little on padding: per group its longest text and its rows.

    Balloons say a few words and captions fill a page: padded to the longest of a batch, most of the work goes into nothing.

    >>> of_one_length([3, 40, 200, 9, 35])
    [(9, [0, 3]), (40, [1, 4]), (200, [2])]
    """
    groups: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        groups.setdefault(math.ceil(2 * math.log2(max(length, _SHORT) / _SHORT)), []).append(row)
    return [(max(*(lengths[row] for row in rows), 1), rows) for _, rows in sorted(groups.items())]


OFFLINE = "HF_HUB_OFFLINE"
"""Environment variable of the hub's own client: 1 looks at this machine only, at once; CoMix sets it where it is not set."""


def tokenizer_of(name: str, wanted_by: str = "") -> Any:
    """The tokenizer of a transformers encoder, by hub name or local folder.

    Args:
        name: where it is.
        wanted_by: the checkpoint that says so; "" for the configuration.

    Raises:
        MissingInputError: not there; says how to give a local path.
    """
    os.environ.setdefault(OFFLINE, "1")
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        if not wanted_by:
            raise _absent("text", name) from error
        folder = Path(wanted_by).parent / "tokenizer"
        raise MissingInputError(
            f"{wanted_by}: its tokenizer ({name}) is gone; copy the tokenizer's files into {folder}"
        ) from error


def _timm_model(name: str, weights: str) -> Any:
    os.environ.setdefault(OFFLINE, "1")
    import timm

    local = Path(weights).expanduser() if weights not in ("hub", "none") else None
    if local is not None and not local.exists():
        raise MissingInputError(f"model.vision_weights={weights}: no such file; wanted `hub` or a safetensors or .pth file")
    if local is not None and local.is_dir():
        files = sorted([*local.glob("*.safetensors"), *local.glob("*.bin"), *local.glob("*.pth")])
        if not files:
            raise MissingInputError(f"model.vision_weights={weights}: holds no *.safetensors, *.bin or *.pth")
        local = files[0]
    try:
        overlay = {"pretrained_cfg_overlay": {"file": str(local)}} if local is not None else {}
        return timm.create_model(name, pretrained=weights != "none", num_classes=0, **overlay)
    except RuntimeError as error:
        if "Unknown model" in str(error):
            raise UsageError(f"model.vision={name}: timm has no such model; see timm.list_models()") from error
        raise _absent("vision", name) from error
    except Exception as error:
        raise _absent("vision", name) from error


def _text_model(name: str, config: dict[str, Any] | None) -> Any:
    os.environ.setdefault(OFFLINE, "1")
    from transformers import AutoConfig, AutoModel

    if config is not None:
        settings = dict(config)
        return AutoModel.from_config(AutoConfig.for_model(settings.pop("model_type"), **settings))
    try:
        return AutoModel.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise _absent("text", name) from error


def _absent(kind: str, name: str) -> MissingInputError:
    key = "vision_weights=FILE" if kind == "vision" else "text=FOLDER"
    is_offline = os.environ.get(OFFLINE, "").upper() in ("1", "ON", "YES", "TRUE")
    why = f"nothing is downloaded unless you say so ({OFFLINE}=0 comix train ...)" if is_offline else "could not be downloaded"
    return MissingInputError(
        f"model.{kind}={name}: its weights are not on this machine and {why}; give a local path with "
        f"model.{key}, or take model=closure_lite_mini, whose weights come with CoMix's packages"
    )


def _freeze(backbone: nn.Module, blocks: Any, trainable_blocks: int | None) -> None:
    if trainable_blocks is None:
        return
    for parameter in backbone.parameters():
        parameter.requires_grad_(False)
    for block in list(blocks or [])[len(blocks or []) - trainable_blocks :] if trainable_blocks else []:
        for parameter in block.parameters():
            parameter.requires_grad_(True)


def _compile(blocks: Any) -> None:
    for block in blocks or []:
        block.compile(dynamic=True)


def drop_modalities(present: Tensor, share: float) -> Tensor:
    """Which of the modalities ``(n, m)`` bool stay when each is dropped with this probability; never all of a row.

    Draws from torch's global generator.
    """
    kept = present & (torch.rand(present.shape, device=present.device) >= share)
    return torch.where(kept.any(dim=1, keepdim=True), kept, present)
