"""Embeddings of words alone, by a trained Closure-Lite checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from comix.data.features import FeatureStore
from comix.train.checkpoint import load_model

_AT_ONCE = 256

Floats = NDArray[np.float32]


class WordsEncoder:
    """Puts texts where the panels that say them would be, knowing neither picture nor place.

    Args:
        checkpoint: as `comix.embed.encoder.CheckpointEncoder`, whose errors it has too; likewise ``cache_dir``.
    """

    def __init__(self, checkpoint: Path, cache_dir: Path) -> None:
        self._loaded = load_model(checkpoint)
        self._cache_dir = cache_dir

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Floats:
        """``(n, d)`` of length 1."""
        reader = self._loaded.reader
        found = [np.zeros((0, int(self._loaded.model.dim)), np.float32)]
        features = None if reader is not None else frozen_vectors(texts, self._cache_dir)
        for start in range(0, len(texts), _AT_ONCE):
            if features is not None:
                vectors = self._loaded.model.of_words(torch.from_numpy(features[start : start + _AT_ONCE]))
            else:
                assert reader is not None
                vectors = self._loaded.model.of_words(*reader.tokens(texts[start : start + _AT_ONCE]))
            found.append(torch.nn.functional.normalize(vectors, dim=-1).numpy())
        return np.concatenate(found)


def frozen_vectors(texts: Sequence[str], cache_dir: Path) -> Floats:
    """``(n, 384)`` of length 1 by the text encoder that comes with CoMix; computed where the cache has none, zeros for ""."""
    with FeatureStore(cache_dir) as store:
        places, _ = store.text_places(list(texts))
        return store.texts.take(places)
