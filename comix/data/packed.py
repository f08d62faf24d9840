"""Decoded pages in one memory-mapped file, reduced to what training can use, so that an epoch reads no image twice."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.files import atomic_writer, json_bytes, read_json, write_bytes
from comix.data.boxpages import BoxPage, pages_digest
from comix.io.images import read_bgr

_AT_ONCE = 16
"""Pages that each thread decodes before the next ones are asked for: what is decoded waits in memory."""


class PackedPages:
    """Pages as ``(h, w, 3)`` uint8 blue-green-red arrays out of one file.

    Args:
        folder: holds ``<digest>.bin`` and ``<digest>.json``; made when they are not there.
        pages: what is wanted.
        area: pixels that a page is reduced to, about; smaller pages stay as they are.
        show: told of progress: done, total, name.

    Raises:
        ItemError: an image that cannot be decoded.
    """

    def __init__(
        self, folder: Path, pages: Sequence[BoxPage], area: float, show: Callable[[int, int, str], None] = lambda *_: None
    ) -> None:
        stem = folder / f"{pages_digest(pages)}-{int(area)}"
        if not stem.with_suffix(".json").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            _pack(stem, pages, area, show)
        self.shapes: list[list[int]] = read_json(stem.with_suffix(".json"))
        self._starts = np.cumsum([0, *(high * wide * 3 for high, wide in self.shapes)]).tolist()
        self._bytes = np.memmap(stem.with_suffix(".bin"), np.uint8, "r")

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        start, (high, wide) = self._starts[index], self.shapes[index]
        return np.asarray(self._bytes[start : start + high * wide * 3]).reshape(high, wide, 3)


def _pack(stem: Path, pages: Sequence[BoxPage], area: float, show: Callable[[int, int, str], None]) -> None:
    shapes = []
    threads = os.cpu_count() or 1
    with atomic_writer(stem.with_suffix(".bin")) as out, ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(pages), _AT_ONCE * threads):
            some = pages[start : start + _AT_ONCE * threads]
            for number, image in enumerate(pool.map(lambda page: reduced(read_bgr(page.path), area), some), start):
                shapes.append(image.shape[:2])
                out.write(image.tobytes())
                show(number + 1, len(pages), pages[number].name)
    write_bytes(stem.with_suffix(".json"), json_bytes(shapes))


def reduced(image: NDArray[np.uint8], area: float) -> NDArray[np.uint8]:
    """The page scaled down to about ``area`` pixels; itself when it is not larger.

    >>> reduced(np.zeros((400, 400, 3), np.uint8), 10_000).shape
    (100, 100, 3)
    """
    factor = math.sqrt(area / (image.shape[0] * image.shape[1]))
    if factor >= 1:
        return image
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
