"""Panels as squares for models that read pixels: decoded once per dataset, kept packed by book."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comix.core.errors import WorkspaceError
from comix.core.files import digest
from comix.data.features import CropReader, panel_pictures
from comix.data.known import stat_of
from comix.data.page import PageExample
from comix.models.frozen import letterbox

Squares = NDArray[np.uint8]
"""``(k, s, s, 3)`` uint8, red green blue: the panels of a page, each fitted into a square."""
SquareReader = Callable[[PageExample], Squares]
"""The squares of a page's panels; raises `ItemError`."""

_MARK = 8
"""Bytes at the start of a file for each of its pages: 1 and the CRC-32 of its squares, little-endian; 0 while it has none."""
_MOST_OPEN = 256


def squares_of(page: PageExample, side: int, read: CropReader = panel_pictures) -> Squares:
    """The squares of a page, from its image.

    Raises:
        ItemError: the image cannot be read.
    """
    return np.stack([letterbox(crop, side) for crop in read(page)])[..., ::-1]


class CropStore:
    """The squares of pages, from disk where they have been asked for before.

    One file a book: it depends on the book's pages, their images (by size and time of change) and their boxes, so that a
    change makes a new one. Several processes may read and write at once; squares whose CRC does not fit are made again.

    Args:
        folder: ``workspace/cache/crops``.
        side: of a square, pixels.
        pages: what may be asked for.
        limit: bytes at most; pages beyond are decoded whenever they are asked for.

    Attributes:
        n_kept: how many of the pages are within the limit.
    """

    def __init__(self, folder: Path, side: int, pages: Sequence[PageExample], limit: float) -> None:
        self.folder, self.side = folder / str(side), side
        books: dict[str, list[PageExample]] = {}
        room, self.n_kept = limit, 0
        for page in pages:
            room -= len(page.boxes) * self._bytes
            if room >= 0:
                self.n_kept += 1
                books.setdefault(page.book_id, []).append(page)
        self._places = {one.page_id: place for book in books.values() for one, place in self._laid_out(book)}
        self._open: dict[str, int] = {}

    def __call__(self, page: PageExample) -> Squares:
        """The squares of a page.

        Raises:
            ItemError: its image cannot be read.
            WorkspaceError: the disk takes no more.
        """
        place = self._places.get(page.page_id)
        if place is None:
            return squares_of(page, self.side)
        name, size, mark_at, start = place
        try:
            handle = self._handle(name, size)
            mark = os.pread(handle, _MARK, mark_at)
            data = os.pread(handle, len(page.boxes) * self._bytes, start) if any(mark) else b""
            if mark == _mark_of(data):
                return np.frombuffer(data, np.uint8).reshape(len(page.boxes), self.side, self.side, 3)
            made = np.ascontiguousarray(squares_of(page, self.side))
            os.pwrite(handle, made.tobytes(), start)
            os.pwrite(handle, _mark_of(made.tobytes()), mark_at)
        except OSError as error:
            raise WorkspaceError(
                f"{self.folder}: panels cannot be kept here ({error.strerror}); make room, or keep less with "
                "dataset.crop_cache_gb=N (0: nothing, pages are decoded whenever they are shown)"
            ) from error
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}  # handles are each process's own

    @property
    def _bytes(self) -> int:
        return self.side * self.side * 3

    def _laid_out(self, book: Sequence[PageExample]) -> list[tuple[PageExample, tuple[str, int, int, int]]]:
        """Per page of a book: file, its size, where the page's mark is, where its squares start."""
        facts = [[page.page_id, str(page.image), stat_of(str(page.image)), [one.xywh for one in page.boxes]] for page in book]
        starts = np.cumsum([len(book) * _MARK, *(len(page.boxes) * self._bytes for page in book)]).tolist()
        name = f"{digest(facts)}.bin"
        return [(page, (name, starts[-1], row * _MARK, starts[row])) for row, page in enumerate(book)]

    def _handle(self, name: str, size: int) -> int:
        if name not in self._open:
            file = self.folder / name
            if not file.is_file():
                self.folder.mkdir(parents=True, exist_ok=True)
                empty = self.folder / f".{name}.{os.getpid()}"
                with empty.open("wb") as out:
                    out.truncate(size)
                empty.replace(file)
            while len(self._open) >= _MOST_OPEN:
                os.close(self._open.pop(next(iter(self._open))))
            self._open[name] = os.open(file, os.O_RDWR)
        return self._open[name]


def _mark_of(data: bytes) -> bytes:
    return (1 << 32 | zlib.crc32(data)).to_bytes(_MARK, "little")
