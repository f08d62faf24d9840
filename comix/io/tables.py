"""The page table and other Parquet files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from natsort import natsort_keygen, ns

from comix.core.errors import FileFormatError
from comix.core.files import write_if_changed
from comix.core.issues import issue_sort
from comix.core.page import PageRecord

if TYPE_CHECKING:
    import pandas as pd


_NEEDED = frozenset(("page_id", "book_id", "page_num", "image_path", "width", "height", "sha256"))
"""What every page table has; tables of earlier versions lack some of the other columns, which are "" then."""


def write_pages(path: Path, pages: Iterable[PageRecord]) -> int:
    """Write the page table; the number of rows.

    Books lie in natural order of their folders, in a folder by series, volume and issue (`PageRecord.issue_sort`), then by
    id; pages in reading sequence.

    Raises:
        WorkspaceError: the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    key = natsort_keygen(alg=ns.PATH | ns.IGNORECASE)
    places = {}
    rows = list(pages)
    for page in rows:
        if page.book_id not in places:
            folder, _, name = page.book_id.rpartition("/")
            titles = (key(page.series or name), key(page.volume), page.issue_sort)
            places[page.book_id] = (key(folder), folder, *titles, key(page.book_id), page.book_id)
    ordered = sorted(rows, key=lambda page: (places[page.book_id], page.page_num))
    integers = {"page_num", "width", "height"}
    schema = pa.schema([(name, pa.int64() if name in integers else pa.string()) for name in PageRecord.columns()])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([page.as_row() for page in ordered], schema=schema), buffer)
    write_if_changed(path, buffer.getvalue())
    return len(ordered)


def read_pages(path: Path) -> list[PageRecord]:
    """Every row of the page table, in its order.

    Raises:
        FileFormatError: not a page table.
    """
    return list(iter_pages(path))


def iter_pages(path: Path, at_once: int = 4096) -> Iterator[PageRecord]:
    """Every row of the page table, in its order, some thousand in memory at a time.

    Raises:
        FileFormatError: not a page table.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            names = table.schema_arrow.names
            missing = sorted(_NEEDED - set(names))
            if missing:
                raise FileFormatError(
                    f"{path}: not a page table, columns missing: {', '.join(missing)}; run comix extract again"
                )
            present = [name for name in PageRecord.columns() if name in names]
            for batch in table.iter_batches(at_once, columns=present):
                columns = {name: batch.column(name).to_pylist() for name in present}
                for name in set(PageRecord.columns()) - set(present):
                    columns[name] = [""] * len(batch)
                if "issue_sort" not in names:
                    columns["issue_sort"] = list(map(issue_sort, columns["issue"]))
                yield from map(PageRecord, *(columns[name] for name in PageRecord.columns()))
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def count_pages(path: Path) -> int:
    """Rows of the page table.

    Raises:
        FileFormatError: not a Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def write_parquet(path: Path, frame: pd.DataFrame) -> bool:
    """Write a table atomically, unless the file holds the same bytes already; whether it wrote."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return write_if_changed(path, buffer.getvalue())


def read_parquet(path: Path) -> pd.DataFrame:
    """A table.

    Raises:
        FileFormatError: not a Parquet file.
    """
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> FileFormatError:
    return FileFormatError(f"{path}: not a readable Parquet file ({error}); remove it and run the stage again")
