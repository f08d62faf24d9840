"""The page table: order, and tables of earlier versions."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from comix.core.errors import FileFormatError
from comix.core.page import PageRecord
from comix.io.tables import read_pages, write_pages


def record(page_id: str, issue: str) -> PageRecord:
    book_id, _, number = page_id.rpartition("/")
    return PageRecord(page_id, book_id, "lib", "S", "", issue, int(number), f"pages/{page_id}.jpg", 100, 200, "00")


def test_a_table_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pages.parquet"
    write_pages(path, [record("a/0001", "1/2"), record("a/0002", "1/2")])
    whole = pq.read_table(path)
    pq.write_table(whole.drop_columns(["md5", "issue_sort", "image_notes", "regions"]), path)
    first, second = read_pages(path)
    assert (first.md5, first.regions, second.page_id) == ("", "", "a/0002")
    assert first.issue_sort.startswith("0")
    pq.write_table(whole.drop_columns(["sha256"]), path)
    with pytest.raises(FileFormatError, match=r"columns missing: sha256; run comix extract again"):
        read_pages(path)
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(FileFormatError, match="not a page table"):
        read_pages(path)
