"""Drawings kept ready: one file of pixels that worker processes map into memory, and what each is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from comix.core.files import atomic_writer, json_bytes, write_bytes
from comix.synth.art import Art, Drawing
from comix.synth.source import ArtSource

_FORMAT = 2


def packed_art(source: ArtSource, long_side: int, folder: Path) -> Path:
    """The pack of these drawings, made if absent: decoding hundreds of pages takes longer than composing them.

    Args:
        source: see `ArtSource`.
        long_side: see `read_art`.
        folder: where packs are kept; two files each.

    Raises:
        MissingInputError: no such COCO file.
        FileFormatError: no page with a panel; see `read_art`.
    """
    path = folder / f"{source.fingerprint()}-{long_side}-{_FORMAT}.json"
    if not path.is_file():
        art = source.read(long_side)
        entries, at = [], 0
        with atomic_writer(path.with_suffix(".bin")) as stream:
            for name in art.names:
                for one in art.books[name]:
                    stream.write(one.image.tobytes())
                    entries.append([name, one.page_id, one.panel, one.is_grey, *one.image.shape[:2], at])
                    at += one.image.size
        write_bytes(path, json_bytes({"format": _FORMAT, "drawings": entries}))
    return path


def open_pack(path: Path) -> Art:
    """The drawings of a pack, their pixels mapped, not read."""
    pixels = np.memmap(path.with_suffix(".bin"), np.uint8, "r")
    books: dict[str, list[Drawing]] = {}
    for book, page_id, panel, is_grey, high, wide, at in json.loads(path.read_text(encoding="utf-8"))["drawings"]:
        image = np.asarray(pixels[at : at + high * wide * 3]).reshape(high, wide, 3)
        books.setdefault(book, []).append(Drawing(image, book, page_id, panel, is_grey))
    return Art({name: tuple(drawings) for name, drawings in books.items()})
