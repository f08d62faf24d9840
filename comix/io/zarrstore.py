"""The embedding store: a zarr group that plain ``xarray.open_zarr`` opens, with permanent rows and one owner per chunk.

Writes smaller than a chunk from several processes lose rows in silence, so a chunk is claimed (a lock that the system
releases when its holder dies), read, changed in memory and written whole; zarr replaces each chunk file atomically.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comix.core.errors import FileFormatError, MissingInputError, WorkspaceError
from comix.core.files import read_json
from comix.io.zarrlayout import VARIABLES, Dims, Kind, names

Arrays = dict[str, NDArray[Any]]

FORMAT, VERSION = "comix-embeddings", 1
ROWS_PER_CHUNK = 1000
"""Pages in a chunk; with 12 panels and 384 numbers this is the document's (1000, 12, 384)."""


class EmbeddingStore:
    """An open store; `create` makes one, `open` finds one.

    Args:
        path: the ``.zarr`` folder.

    Raises:
        MissingInputError: no such store.
        FileFormatError: not an embedding store, or one of a newer version.
    """

    def __init__(self, path: Path) -> None:
        import zarr

        if not (path / "zarr.json").is_file():
            raise MissingInputError(f"{path}: no embedding store there; first run: comix embed")
        try:
            self._group = zarr.open_group(path, mode="r+", use_consolidated=False)
            attributes: dict[str, Any] = dict(self._group.attrs)
        except (ValueError, KeyError, OSError) as error:
            raise FileFormatError(f"{path}: not a readable zarr group ({error}); run comix embed overwrite=true") from error
        if attributes.get("format") != FORMAT or attributes.get("version") != VERSION:
            found = f"{attributes.get('format')} {attributes.get('version')}"
            raise FileFormatError(f"{path}: found {found}, wanted {FORMAT} {VERSION}; run comix embed overwrite=true")
        self.path = path
        self.attributes = attributes
        self.dims = Dims(**attributes["dims"])
        self.rows_per_chunk = int(self._group["page_id"].chunks[0])  # type: ignore[union-attr]

    @classmethod
    def create(
        cls, path: Path, dims: Dims, attributes: Mapping[str, Any], rows_per_chunk: int = ROWS_PER_CHUNK
    ) -> EmbeddingStore:
        """A new store without rows, seen under its name only when complete; call it under `locked`.

        Args:
            path: where; its parent is made.
            dims: sizes it keeps for life.
            attributes: further facts, for example ``model_hash``.
            rows_per_chunk: pages in a chunk, the unit of ownership.
        """
        import zarr

        path.parent.mkdir(parents=True, exist_ok=True)
        sizes = {name: getattr(dims, name) for name in ("max_panels", "embedding", "image", "text")}
        coordinates = " ".join(name for name in names("row") if name != "page_id")
        unfinished = path.with_name(f".part-{path.name}")
        group = zarr.open_group(unfinished, mode="w", zarr_format=3)
        for name in [*names("row"), *names("data")]:
            _make_array(group, name, 0, dims, rows_per_chunk)
        for name, labels in (("panel_id", np.arange(dims.max_panels, dtype="int16")), ("coord_dim", np.array([*"xywh"], "T"))):
            array = group.create_array(name, shape=labels.shape, dtype=_dtype(labels), dimension_names=[name])
            array[:] = labels
        group.attrs.update({**attributes, "format": FORMAT, "version": VERSION, "dims": sizes, "coordinates": coordinates})
        _consolidate(unfinished)
        unfinished.rename(path)
        return cls(path)

    @property
    def n_rows(self) -> int:
        """Rows it has room for; all of them have an id, except after a killed `append`."""
        return int(self._array("page_id").shape[0])

    @property
    def n_chunks(self) -> int:
        """Chunks along the pages."""
        return -(-self.n_rows // self.rows_per_chunk)

    def has(self, name: str) -> bool:
        """Whether the store has this array."""
        return name in self._group

    def page_ids(self) -> list[str]:
        """Ids in row order; place in the list = row."""
        found = [str(one) for one in self._array("page_id")[:]]
        return found[: found.index("")] if "" in found else found

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows at the end; call it under `locked`. Killed in the middle, the next call finishes it.

        Args:
            rows: per page its ``row`` variables; ids that the store has not.
        """
        start = len(self.page_ids())
        stop = start + len(rows)
        arrays = {name: array for name, array in self._group.arrays() if name in VARIABLES}
        is_sized = all(array.shape[0] == stop for array in arrays.values())  # killed in the middle, only some have grown
        if not rows and is_sized and stop == _consolidated_rows(self.path):
            return
        if not is_sized:
            with self._sized():
                for name, array in arrays.items():
                    array.resize(VARIABLES[name].shape(stop, self.dims))
        for chunk in range(start // self.rows_per_chunk, -(-stop // self.rows_per_chunk)):
            left = max(start, chunk * self.rows_per_chunk)
            right = min(stop, (chunk + 1) * self.rows_per_chunk)
            part = rows[left - start : right - start]
            for name in names("row"):
                self._array(name)[left:right] = _column(name, [row[name] for row in part])
        _consolidate(self.path)

    def chunk_rows(self, chunk: int) -> slice:
        """Rows of a chunk."""
        return slice(chunk * self.rows_per_chunk, min(self.n_rows, (chunk + 1) * self.rows_per_chunk))

    def read(self, name: str, rows: slice = slice(None)) -> NDArray[Any]:
        """Values of one array.

        Raises:
            FileFormatError: a damaged chunk (its checksum does not fit).
        """
        try:
            return np.asarray(self._array(name)[rows])
        except (ValueError, RuntimeError) as error:
            raise FileFormatError(
                f"{self.path}/{name}: damaged ({error}); remove the chunk file, then run comix embed again"
            ) from error

    def read_chunk(self, chunk: int) -> Arrays:
        """Every ``data`` array of a chunk, to be changed and written back by the chunk's owner."""
        rows = self.chunk_rows(chunk)
        return {name: self.read(name, rows).copy() for name in names("data")}

    def write_chunk(self, chunk: int, arrays: Mapping[str, NDArray[Any]], kind: Kind = "data") -> None:
        """Write a claimed chunk whole, ``status`` last: a row counts as written only when all of it is.

        Another process may have added rows to the chunk since it was read: they stay empty.

        Raises:
            WorkspaceError: the disk is full or not writable.
        """
        try:
            with self._sized():
                rows = self.chunk_rows(chunk)
                for name in names(kind):
                    self._array(name)[rows] = _fitted(name, arrays[name], rows.stop - rows.start)
        except OSError as error:
            raise WorkspaceError(f"{self.path}: cannot be written ({error.strerror}); free space, then run again") from error

    def add_arrays(self, kind: Kind) -> None:
        """Make the arrays of a kind that a store has not, `index`'s or those of a newer version; call it under `locked`."""
        missing = [name for name in names(kind) if not self.has(name)]
        for name in missing:
            _make_array(self._group, name, self.n_rows, self.dims, self.rows_per_chunk)
        if missing:
            _consolidate(self.path)

    def digest(self) -> str:
        """SHA-256 of what the rows were made from; the same after a copy of the store, another after any row changes."""
        return store_digest(self.path)

    @contextmanager
    def claim(self, chunk: int, wait: bool = True) -> Iterator[bool]:
        """Be the only writer of a chunk; gives False when another process is and ``wait`` is off."""
        from filelock import FileLock, Timeout

        lock = FileLock(_lock_file(self.path, f"chunk-{chunk}"), timeout=-1 if wait else 0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            for left_over in self.path.glob(f"*/c/{chunk}/**/*.partial"):
                left_over.unlink(missing_ok=True)
            for left_over in self.path.glob(f"*/c/{chunk}.*.partial"):
                left_over.unlink(missing_ok=True)
            yield True
        finally:
            lock.release()

    @contextmanager
    def _sized(self) -> Iterator[None]:
        """While held, the store neither grows nor is a chunk written: `append` and `write_chunk` take turns."""
        from filelock import FileLock

        with FileLock(_lock_file(self.path, "rows")):
            yield

    def _array(self, name: str) -> Any:
        return self._group[name]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only process that makes, grows or removes the store at ``path``."""
    from filelock import FileLock

    with FileLock(_lock_file(path, "store")):
        yield


def store_digest(path: Path) -> str:
    """`EmbeddingStore.digest`, read without opening the store.

    >>> store_digest(Path("no such store"))[:8]
    'e3b0c442'
    """
    total = hashlib.sha256()
    for name in ("page_id", "row_digest", "status"):
        chunks = [file for file in (path / name / "c").glob("*") if file.name.isdigit()]
        for file in sorted(chunks, key=lambda one: int(one.name)):
            total.update(f"{name}/{file.name}".encode() + file.read_bytes())
    return total.hexdigest()


def _fitted(name: str, values: NDArray[Any], n_rows: int) -> NDArray[Any]:
    """Values with as many rows as asked for: empty ones are added, or such that were never given an id are left out."""
    if len(values) >= n_rows:
        return values[:n_rows]
    more = np.full((n_rows - len(values), *values.shape[1:]), VARIABLES[name].empty, values.dtype)
    return np.concatenate([values, more])


def _consolidated_rows(path: Path) -> int:
    """Rows that the metadata copied into the group speak of; fewer than there are after a killed `append`."""
    found = read_json(path / "zarr.json").get("consolidated_metadata") or {}
    return int(found.get("metadata", {}).get("page_id", {}).get("shape", [-1])[0])


def _consolidate(path: Path) -> None:
    """Copy all metadata into the group, which plain ``xarray.open_zarr`` asks for."""
    import zarr
    from zarr.errors import ZarrUserWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)  # "not part of the specification yet": xarray wants it all the same
        zarr.consolidate_metadata(path)


def _lock_file(path: Path, name: str) -> Path:
    folder = path.parent / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.lock"


def _dtype(labels: NDArray[Any]) -> str:
    return "string" if labels.dtype.kind == "T" else str(labels.dtype)


def _column(name: str, values: Sequence[Any]) -> NDArray[Any]:
    """Values as the array type of a variable; strings keep their length."""
    dtype: Any = VARIABLES[name].dtype
    return np.array(values, dtype=np.dtypes.StringDType() if dtype == "string" else dtype)


def _make_array(group: Any, name: str, n_rows: int, dims: Dims, rows_per_chunk: int) -> None:
    from zarr.codecs import BloscCodec, Crc32cCodec

    variable = VARIABLES[name]
    array = group.create_array(
        name,
        shape=variable.shape(n_rows, dims),
        chunks=variable.shape(rows_per_chunk, dims),
        dtype=variable.dtype,
        fill_value=variable.empty,
        compressors=[BloscCodec(cname="zstd", clevel=3), Crc32cCodec()],
        dimension_names=variable.dims,
    )
    array.attrs["long_name"] = variable.about
