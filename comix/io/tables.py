"""The page table and other Parquet files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from natsort import natsort_keygen, ns

from comix.core.errors import FileFormatError
from comix.core.files import write_if_changed
from comix.core.page import PageRecord


def write_pages(path: Path, pages: Iterable[PageRecord]) -> int:
    """Write the page table, books in natural order, pages in reading sequence; the number of rows.

    Raises:
        WorkspaceError: the file cannot be written.
    """
    key = natsort_keygen(alg=ns.PATH | ns.IGNORECASE)
    ordered = sorted(pages, key=lambda page: (key(page.book_id), page.book_id, page.page_num))
    frame = pd.DataFrame([page.as_row() for page in ordered], columns=PageRecord.columns())
    write_parquet(path, frame)
    return len(ordered)


def read_pages(path: Path) -> list[PageRecord]:
    """Every row of the page table, in its order.

    Raises:
        FileFormatError: not a page table of this version.
    """
    frame = read_parquet(path)
    missing = sorted(set(PageRecord.columns()) - set(frame.columns))
    if missing:
        raise FileFormatError(f"{path}: not a page table, columns missing: {', '.join(missing)}; run comix extract again")
    rows: Sequence[dict[str, Any]] = frame[PageRecord.columns()].to_dict("records")  # type: ignore[assignment]
    return [PageRecord(**row) for row in rows]


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
    try:
        return pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise FileFormatError(f"{path}: not a readable Parquet file ({error}); remove it and run the stage again") from error
