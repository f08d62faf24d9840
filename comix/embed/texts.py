"""The twin of ``text_content``: ``text.parquet``, one row per stored panel, for tools that read tables."""

from __future__ import annotations

from pathlib import Path

from comix.core.files import atomic_writer
from comix.io.zarrlayout import EMPTY
from comix.io.zarrstore import EmbeddingStore

_DIGEST = b"store_digest"


def derive_texts(store: EmbeddingStore, path: Path, is_share: bool) -> bool:
    """Write the table, unless it was written of these rows; whether it wrote. One process at a time looks and writes.

    Args:
        is_share: this run has done a share of the rows: it writes only when all are settled, which the last share finds.
    """
    from filelock import FileLock

    with FileLock(store.path.parent / ".locks" / "texts.lock"):
        if is_share and (store.read("status") == EMPTY).any():
            return False
        now = store.digest()
        if _made_of(path) == now:
            return False
        write_texts(store, path)
        return True


def _made_of(path: Path) -> str:
    """The digest of the rows that a table was made of, "" when there is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return str((pq.read_schema(path).metadata or {}).get(_DIGEST, b"").decode())
    except (OSError, pa.ArrowException):
        return ""


def write_texts(store: EmbeddingStore, path: Path) -> int:
    """Write the words of every panel, whole, chunk by chunk; the number of rows.

    Columns: row, page_id, panel (from 1), x, y, w, h, text.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    digest = store.digest()
    numbers = [(name, pa.float32()) for name in "xywh"]
    schema = pa.schema([("row", pa.int64()), ("page_id", pa.string()), ("panel", pa.int32()), *numbers, ("text", pa.string())])
    schema = schema.with_metadata({_DIGEST: digest.encode()})
    n_rows = 0
    with atomic_writer(path) as stream, pq.ParquetWriter(stream, schema) as writer:
        for chunk in range(store.n_chunks):
            rows = store.chunk_rows(chunk)
            places, slots = np.nonzero(store.read("panel_mask", rows))
            boxes = store.read("panel_coordinates", rows)[places, slots]
            texts = store.read("text_content", rows)[places, slots]
            ids = store.read("page_id", rows)[places]
            columns = [places + rows.start, [str(one) for one in ids], slots + 1, *boxes.T, [str(one) for one in texts]]
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            n_rows += len(places)
    return n_rows
