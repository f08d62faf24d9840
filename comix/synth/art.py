"""Real drawings for the factory's panels: pieces of pages whose panels are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from natsort import natsorted
from numpy.typing import NDArray

from comix.core.errors import FileFormatError
from comix.core.geometry import Box
from comix.io.cococolumns import read_columns
from comix.io.detections import unpack
from comix.io.images import read_bgr

Image = NDArray[np.uint8]
"""``(h, w, 3)`` blue, green, red."""

_SIDE = 520
"""Pixels of the longer side that a drawing is kept with."""
_LEAST = 48


@dataclass(frozen=True, slots=True)
class Drawing:
    """The inside of one panel.

    Attributes:
        image: its pixels without the frame, at most 520 on the longer side.
        book: what it belongs with; pages are made of drawings of one book.
        page_id: page it comes from; ``panel``: its order number there, from 0.
        is_grey: no colour in it.
    """

    image: Image
    book: str
    page_id: str
    panel: int
    is_grey: bool


@dataclass(frozen=True, slots=True)
class Art:
    """All drawings, grouped by book.

    Args:
        books: drawings of each book in story order, by the book's name.
    """

    books: dict[str, tuple[Drawing, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the books, sorted."""
        return tuple(sorted(self.books))


def read_art(sources: Sequence[tuple[Path, Path]], books: Sequence[str] = (), long_side: int = 1000) -> Art:
    """Drawings out of labelled pages.

    Args:
        sources: COCO files with panels, each with the folder that its file names (or page ids) are relative to.
        books: only pages whose id starts with one of these; all when empty.
        long_side: of the pages to be made; drawings are kept no larger than they need.

    Raises:
        FileFormatError: no page of the wanted books, or none with a panel large enough.
        ItemError: an image is missing or unreadable.
    """
    found: dict[str, list[Drawing]] = {}
    for coco, folder in sources:
        columns = read_columns(coco)
        for row, file_name in natsorted(enumerate(columns.file_names), key=lambda pair: pair[1]):
            page_id = columns.page_ids[row] or file_name
            prefix = next((one for one in books if page_id.startswith(one)), None)
            boxes = [one.box for one in unpack(columns.packed(row)).panels()]
            if boxes and not (books and prefix is None):
                name = prefix or page_id.rpartition("/")[0] or page_id
                found.setdefault(name, []).extend(_drawings(read_bgr(folder / file_name), boxes, name, page_id, long_side))
    books_found = {name: tuple(drawings) for name, drawings in found.items() if drawings}
    if not books_found:
        where = ", ".join(str(coco) for coco, _ in sources)
        raise FileFormatError(f"{where}: no page of {', '.join(books) or 'any book'} has a panel to take drawings from")
    return Art(books_found)


def _drawings(image: Image, boxes: Sequence[Box], book: str, page_id: str, long_side: int) -> list[Drawing]:
    found = []
    for number, box in enumerate(boxes):
        inset = 0.006 * max(image.shape[:2]) + 0.012 * min(box.w, box.h)
        left, top, right, bottom = (round(v) for v in (box.x + inset, box.y + inset, box.r - inset, box.b - inset))
        crop = image[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        if min(crop.shape[:2]) < _LEAST:
            continue
        factor = min(1.0, _SIDE * max(long_side / 1000, 0.4) / max(crop.shape[:2]))
        small = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else crop.copy()
        found.append(Drawing(np.asarray(small, np.uint8), book, page_id, number, _is_grey(small)))
    return found


def _is_grey(image: cv2.typing.MatLike) -> bool:
    small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).astype(np.int16)
    return bool(np.ptp(small, axis=2).mean() < 6)
