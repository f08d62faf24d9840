"""Nearest vectors by cosine, with FAISS: exact below a hundred thousand, cells above; filters go before the search."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comix.core.errors import FileFormatError
from comix.core.files import atomic_writer

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Part = tuple[Ids, Floats]
"""Ids ``(n,)`` with their vectors ``(n, d)`` of length 1."""

SPACES = ("page", "panel", "panel_image", "panel_text")
"""Pages by the pooled embedding; panels by the fused embedding, by the picture alone, by the words alone."""

EXACT_BELOW = 100_000
_TRAIN_PER_CELL = 64


def unit(vectors: Floats) -> Floats:
    """Vectors ``(n, d)`` scaled to length 1; zeros stay zeros.

    >>> unit(np.array([[3.0, 4.0], [0, 0]], np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = vectors / np.maximum(lengths, np.float32(1e-12))
    return scaled


def write_space(path: Path, parts: Callable[[], Iterator[Part]], width: int, exact_below: int = EXACT_BELOW) -> int:
    """Write the index of one space; the number of vectors.

    Args:
        path: the ``.faiss`` file.
        parts: gives the vectors, chunk by chunk, each time it is called.
        width: ``d``.
        exact_below: up to this many vectors the index compares with all; above, with those in the nearest cells.
    """
    faiss = _faiss()
    n = sum(len(ids) for ids, _ in parts())
    if n < exact_below:
        index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(width))
    else:
        n_cells = int(4 * math.sqrt(n))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, n_cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.min_points_per_centroid = 1
        index.train(_sample(parts, n, min(n, _TRAIN_PER_CELL * n_cells)))
    for ids, vectors in parts():
        index.add_with_ids(np.ascontiguousarray(vectors), ids)
    with atomic_writer(path) as stream:
        stream.write(memoryview(faiss.serialize_index(index)))
    return n


def _sample(parts: Callable[[], Iterator[Part]], n: int, size: int) -> Floats:
    """Every ``n / size``-th vector."""
    step, taken, seen = n / size, [], 0
    for ids, vectors in parts():
        first = math.ceil(seen / step)
        places = np.ceil(np.arange(first, math.ceil((seen + len(ids)) / step)) * step).astype(np.int64) - seen
        taken.append(vectors[places[(places >= 0) & (places < len(ids))]])
        seen += len(ids)
    return np.concatenate(taken)


def _faiss() -> Any:
    """The library, whose own type stubs are wrong in places."""
    import logging

    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it tells which processor it was built for
    import faiss

    return faiss


class Space:
    """A space to search in.

    Args:
        path: what `write_space` wrote.

    Raises:
        FileFormatError: not a FAISS index.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._index: Any = _faiss().read_index(str(path))
        except RuntimeError as error:
            raise FileFormatError(f"{path}: not a readable FAISS index; run comix index again") from error
        self._is_exact = isinstance(self._index, _faiss().IndexIDMap2)

    @property
    def n(self) -> int:
        """Number of vectors."""
        return int(self._index.ntotal)

    def vector(self, identifier: int) -> Floats:
        """The stored vector ``(d,)`` of an id."""
        if self._is_exact:
            found: Floats = self._index.reconstruct(identifier)
            return found
        faiss, lists = _faiss(), self._index.invlists
        vector = np.empty(self._index.d, np.float32)
        for cell in range(int(self._index.nlist)):  # a table of all ids would take longer to build than this look
            size = int(lists.list_size(cell))
            ids = faiss.rev_swig_ptr(lists.get_ids(cell), size) if size else np.zeros(0, np.int64)
            places = np.flatnonzero(ids == identifier)
            if len(places):
                self._index.reconstruct_from_offset(cell, int(places[0]), faiss.swig_ptr(vector))
                return vector
        raise KeyError(identifier)

    def nearest(self, vector: Floats, k: int, allowed: NDArray[np.bool_] | None = None) -> tuple[Ids, Floats]:
        """The ``k`` nearest ids with their cosines, best first; fewer only when fewer are allowed.

        Args:
            vector: ``(d,)`` of length 1.
            k: how many.
            allowed: ``(n_ids,)``, True where an id may be found; None for all.
        """
        if not self.n or k < 1:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        query, k = vector[None].astype(np.float32), min(k, self.n)
        ids, scores = self._search(query, k, allowed, thorough=False)
        if len(ids) < k and not self._is_exact:
            ids, scores = self._search(query, k, allowed, thorough=True)
        return ids, scores

    def _search(self, query: Floats, k: int, allowed: NDArray[np.bool_] | None, thorough: bool) -> tuple[Ids, Floats]:
        faiss = _faiss()
        options: dict[str, Any] = {}
        if allowed is not None:
            options["sel"] = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        if self._is_exact:
            parameters = faiss.SearchParameters(**options)
        else:
            n_cells = int(self._index.nlist)
            options["nprobe"] = n_cells if thorough else max(8, n_cells // 16)
            parameters = faiss.SearchParametersIVF(**options)
        scores, ids = self._index.search(query, k, params=parameters)
        found = ids[0] >= 0
        return ids[0][found], scores[0][found]
