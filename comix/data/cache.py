"""Vectors kept by key on disk: shards that are written once, whole, and never changed."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comix.core.files import write_bytes

_KEY_BYTES = 16


def key_of(*parts: object) -> bytes:
    """The key of a vector: 16 bytes that depend on every part.

    >>> key_of("a", 1) == key_of("a", 1), key_of("a", 1) == key_of("a", 2)
    (True, False)
    """
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_KEY_BYTES]


class FeatureCache:
    """Vectors of one encoder, found by key; two processes may write at once, a killed one loses only its last shard.

    A shard is a pair ``<name>.npy`` (half precision, memory-mapped) and ``<name>.keys.npy``, which is written last.

    Args:
        folder: ``workspace/cache/features/<encoder>``; made when something is added.
        dim: size of the vectors.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self.folder, self.dim = folder, dim
        self._shards: list[NDArray[np.float16]] = []
        self._places: dict[bytes, tuple[int, int]] = {}
        for keys in sorted(folder.glob("*.keys.npy")):
            self._open(keys, keys.with_name(keys.name.removesuffix(".keys.npy") + ".npy"))

    def _open(self, keys_file: Path, vectors_file: Path) -> None:
        try:
            keys = np.load(keys_file)
            vectors: Any = np.load(vectors_file, mmap_mode="r")
        except (OSError, ValueError, EOFError):
            return  # an unreadable shard is as good as none: its vectors are computed again
        if vectors.shape == (len(keys), self.dim) and keys.shape[1:] == (_KEY_BYTES,):
            self._keep([key.tobytes() for key in keys], vectors)

    def _keep(self, keys: list[bytes], vectors: NDArray[np.float16]) -> None:
        shard = len(self._shards)
        self._shards.append(vectors)
        self._places.update((key, (shard, row)) for row, key in enumerate(keys))

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def get(self, key: bytes) -> NDArray[np.float16]:
        """The vector ``(dim,)`` of a key that is in the cache."""
        shard, row = self._places[key]
        vector: NDArray[np.float16] = self._shards[shard][row]
        return vector

    def add(self, keys: list[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep vectors ``(n, dim)``: one shard more on disk; held in half precision, here as there."""
        if not keys:
            return
        half = vectors.astype(np.float16)
        table = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), _KEY_BYTES)
        name = hashlib.sha256(table.tobytes()).hexdigest()[:16]
        write_bytes(self.folder / f"{name}.npy", _npy_bytes(half))
        write_bytes(self.folder / f"{name}.keys.npy", _npy_bytes(table))
        self._keep(keys, half)


def _npy_bytes(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
