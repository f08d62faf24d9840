"""Unpacked content in one temporary file, looked up by size and checksum: names never reach the file system."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from comix.core.errors import ItemError


class ContentStore:
    """Byte strings kept on disk until closed; unknown to anyone else, gone even when the process dies.

    Args:
        scratch: folder for the temporary file, None for the system's own.
        budget: most bytes that may be added.
    """

    def __init__(self, scratch: Path | None, budget: int) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115
        self._budget = budget
        self._end = 0
        self._by_content: dict[tuple[int, int], int] = {}
        self._by_name: dict[str, tuple[int, int]] = {}

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """Keep one file.

        Raises:
            ItemError: ``archive_bomb`` when the budget is spent.
        """
        start, crc = self._end, 0
        self._file.seek(start)
        for chunk in chunks:
            self._end += len(chunk)
            if self._end > self._budget:
                raise ItemError("archive_bomb", f"more than {self._budget} bytes unpacked")
            self._file.write(chunk)
            crc = zlib.crc32(chunk, crc)
        size = self._end - start
        self._by_content.setdefault((size, crc), start)
        self._by_name.setdefault(name, (start, size))

    def find(self, size: int, crc: int | None, name: str = "") -> bytes | None:
        """Content of this size and CRC-32; by name where the format keeps no checksum; None when absent."""
        if size == 0:
            return b""
        start = self._start(size, crc, name)
        if start is None:
            return None
        self._file.seek(start)
        return self._file.read(size)

    def has(self, size: int, crc: int | None, name: str = "") -> bool:
        """Whether `find` has an answer."""
        return size == 0 or self._start(size, crc, name) is not None

    def _start(self, size: int, crc: int | None, name: str) -> int | None:
        if crc is not None:
            return self._by_content.get((size, crc))
        start, stored = self._by_name.get(name, (None, -1))
        return start if stored == size else None

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()
