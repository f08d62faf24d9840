"""Vectors kept by key on disk: shards that are written once, whole, and never changed."""

from __future__ import annotations

import hashlib
import importlib
import io
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from comix.core.files import write_bytes

fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None
_KEY_BYTES = 16
_SHARD = 1024
"""Vectors that wait in memory before they are written: what a killed run has to compute again at most."""
_SMALL, _MOST_SMALL, _MERGED = 16_384, 64, 65_536
"""More small shards than so many are merged into larger ones, so that opening stays quick."""
_MOST_OPEN = 64

Halves = NDArray[np.float16]
Places = NDArray[np.int64]


def key_of(*parts: object) -> bytes:
    """The key of a vector: 16 bytes that depend on every part.

    >>> key_of("a", 1) == key_of("a", 1), key_of("a", 1) == key_of("a", 2)
    (True, False)
    """
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_KEY_BYTES]


class FeatureCache:
    """Vectors of one encoder, found by key; two processes may write at once, a killed one loses only its last shard.

    A shard is a pair ``<name>.npy`` (half precision, memory-mapped when needed) and ``<name>.keys.npy``, which is written
    last. Closed at the end of a ``with`` block: what waits in memory is written then.

    Args:
        folder: ``workspace/cache/features/<encoder>``; made when something is added.
        dim: size of the vectors.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self.folder, self.dim = folder, dim
        self._open: dict[int, Halves] = {}
        self._fresh: dict[bytes, int] = {}
        self._waiting: list[tuple[bytes, NDArray[np.float32]]] = []
        self._lock = self._use()
        tables = [self._keys_of(file) for file in self._key_files()]
        known = [(file, keys) for file, keys in tables if keys is not None]
        self._files = [file for file, _ in known]
        self._index([keys for _, keys in known])

    def __enter__(self) -> FeatureCache:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.flush()

    def __len__(self) -> int:
        return len(self._heads) + len(self._fresh)

    def find(self, keys: Sequence[bytes]) -> Places:
        """Where the vectors of keys are, for `take`: ``(n,)`` int64, -1 for a key that is not here."""
        heads, tails = _halves(np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY_BYTES))
        places = np.full(len(keys), -1, np.int64)
        if len(self._heads):
            at = np.minimum(np.searchsorted(self._heads, heads), len(self._heads) - 1)
            is_here = (self._heads[at] == heads) & (self._tails[at] == tails)
            places[is_here] = self._places[at[is_here]]
        for row in np.flatnonzero(places < 0).tolist() if self._fresh else ():
            places[row] = self._fresh.get(keys[row], -1)
        return places

    def take(self, places: Places) -> NDArray[np.float32]:
        """The vectors ``(n, dim)`` at places of `find`; zeros where the place is -1."""
        out = np.zeros((len(places), self.dim), np.float32)
        shards, rows = places >> 32, places & 0xFFFFFFFF
        for shard in np.unique(shards[places >= 0]):
            chosen = np.flatnonzero((shards == shard) & (places >= 0))
            out[chosen] = self._vectors(int(shard))[rows[chosen]]
        return out

    def add(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep vectors ``(n, dim)``, written when enough of them wait; held in half precision, here as there."""
        shard = len(self._files)
        for key, vector in zip(keys, vectors, strict=True):
            if key not in self._fresh:
                self._fresh[key] = (shard << 32) + len(self._waiting)
                self._waiting.append((key, vector))
        self._open.pop(shard, None)
        if len(self._waiting) >= _SHARD:
            self.flush()

    def flush(self) -> None:
        """Write what waits: one shard more on disk."""
        if self._waiting:
            half = np.array([vector for _, vector in self._waiting], np.float16)
            self._open.pop(len(self._files), None)
            self._files.append(_write_shard(self.folder, [key for key, _ in self._waiting], half))
            self._waiting = []

    def _vectors(self, shard: int) -> Halves:
        """The vectors of a shard, those that wait included; few are kept open at a time."""
        if shard not in self._open:
            if shard == len(self._files):
                vectors: Any = np.array([vector for _, vector in self._waiting], np.float16)
            else:
                vectors = np.load(_vectors_of(self._files[shard]), mmap_mode="r")
            while len(self._open) >= _MOST_OPEN:
                self._open.pop(next(iter(self._open)))
            self._open[shard] = vectors
        return self._open[shard]

    def _index(self, tables: Sequence[NDArray[np.uint8]]) -> None:
        """All keys in one sorted array: first halves, second halves, places."""
        counts = [len(table) for table in tables]
        whole = np.concatenate([np.zeros((0, _KEY_BYTES), np.uint8), *tables])
        heads, tails = _halves(whole)
        shards = np.repeat(np.arange(len(tables), dtype=np.int64), counts)
        rows = np.concatenate([np.zeros(0, np.int64), *(np.arange(count, dtype=np.int64) for count in counts)])
        order = np.argsort(heads, kind="stable")
        self._heads, self._tails, self._places = heads[order], tails[order], ((shards << 32) + rows)[order]

    def _key_files(self) -> list[Path]:
        return sorted(self.folder.glob("*.keys.npy"))

    def _keys_of(self, file: Path) -> tuple[Path, NDArray[np.uint8] | None]:
        """The keys of a shard; None for an unreadable one, which is as good as none: its vectors are computed again."""
        try:
            keys: NDArray[np.uint8] = np.load(file)
            vectors: Any = np.load(_vectors_of(file), mmap_mode="r")
        except (OSError, ValueError, EOFError):
            return file, None
        return file, keys if vectors.shape == (len(keys), self.dim) and keys.shape[1:] == (_KEY_BYTES,) else None

    def _use(self) -> IO[bytes] | None:
        """Mark the cache as used by this process, which nobody merges then; merge it first when nobody else uses it."""
        if fcntl is None or not self.folder.is_dir():
            return None
        handle = (self.folder / "used.lock").open("wb")
        try:
            if len(self._key_files()) > _MOST_SMALL:
                with suppress(BlockingIOError):
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._merge_small()
            fcntl.flock(handle, fcntl.LOCK_SH)
        except OSError:  # this file system knows no locks: nobody merges here
            handle.close()
            return None
        return handle

    def _merge_small(self) -> None:
        """Write few large shards in place of many small ones."""
        read = [(file, keys) for file, keys in map(self._keys_of, self._key_files()) if keys is not None]
        small = [(file, keys) for file, keys in read if len(keys) < _SMALL]
        while len(small) > 1:
            group = [small.pop()]
            while small and sum(len(keys) for _, keys in group) + len(small[-1][1]) <= _MERGED:
                group.append(small.pop())
            vectors = np.concatenate([np.load(_vectors_of(file)) for file, _ in group])
            whole = _write_shard(self.folder, [key.tobytes() for _, keys in group for key in keys], vectors)
            for file in (file for file, _ in group if file != whole):
                file.unlink(missing_ok=True)
                _vectors_of(file).unlink(missing_ok=True)


def _write_shard(folder: Path, keys: Sequence[bytes], vectors: Halves) -> Path:
    """Write a shard, its keys last; the file of the keys."""
    table = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), _KEY_BYTES)
    name = hashlib.sha256(table.tobytes()).hexdigest()[:16]
    write_bytes(folder / f"{name}.npy", _npy_bytes(vectors))
    write_bytes(folder / f"{name}.keys.npy", _npy_bytes(table))
    return folder / f"{name}.keys.npy"


def _vectors_of(keys_file: Path) -> Path:
    return keys_file.with_name(keys_file.name.removesuffix(".keys.npy") + ".npy")


def _halves(table: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    words = np.ascontiguousarray(table).view(np.uint64).reshape(-1, 2)
    return words[:, 0], words[:, 1]


def _npy_bytes(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
