"""A RAR set of several volumes rewritten as one RAR: packed bytes are copied, only headers change.

Source: the RAR 5.0 archive format note and the RAR 4 ``technote.txt`` of RARLAB.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from comix.core.errors import ItemError
from comix.io.containers.rarblocks import (
    RAR4,
    RAR4_END,
    RAR5,
    RAR5_END,
    read_block5,
    read_vint,
    split_head5,
    write_vint,
)  # fmt: skip

_CHUNK: Final = 1 << 20


@dataclass(slots=True)
class _Piece:
    """A file or the part of one that a volume holds.

    Attributes:
        head: its header; ``flags`` of it.
        source: the volume; ``offset`` and ``size`` of the packed bytes in it.
        before, after: more of the file lies in the volume before, after.
    """

    head: bytes
    flags: int
    source: Path
    offset: int
    size: int
    before: bool
    after: bool


@dataclass(slots=True)
class _Volume:
    """What one volume holds; ``more``: another one must follow."""

    main: bytes = b""
    pieces: list[_Piece] = field(default_factory=list)
    more: bool = False


def join_rar(parts: Sequence[Path], out: IO[bytes]) -> None:
    """Write the set as one archive.

    Raises:
        ItemError: ``volume_missing``, ``archive_damaged``, ``archive_encrypted``.
    """
    with parts[0].open("rb") as opened:
        is_5 = opened.read(8) == RAR5
    volumes = [_volume5(path) if is_5 else _volume4(path) for path in parts]
    if volumes[-1].more:
        raise ItemError("volume_missing", f"the file after {parts[-1].name}: the set goes on")
    out.write((RAR5 if is_5 else RAR4) + volumes[0].main)
    for pieces in _files([piece for volume in volumes for piece in volume.pieces]):
        packed = sum(piece.size for piece in pieces)
        out.write(_head5(pieces[-1], packed) if is_5 else _head4(pieces[-1], packed))  # the last part has the file's checksum
        for piece in pieces:
            _copy(piece, out)
    out.write(RAR5_END if is_5 else RAR4_END)


def _files(pieces: list[_Piece]) -> Iterator[list[_Piece]]:
    """Pieces of one file together."""
    current: list[_Piece] = []
    for piece in pieces:
        if piece.before != bool(current):
            raise ItemError("volume_missing", f"the file before {piece.source.name}: a page begins there")
        current.append(piece)
        if not piece.after:
            yield current
            current = []
    if current:
        raise ItemError("volume_missing", f"the file after {current[-1].source.name}: a page goes on there")


def _copy(piece: _Piece, out: IO[bytes]) -> None:
    with piece.source.open("rb") as opened:
        opened.seek(piece.offset)
        left = piece.size
        while left:
            chunk = opened.read(min(left, _CHUNK))
            if not chunk:
                raise ItemError("archive_damaged", f"{piece.source.name} ends inside a file")
            out.write(chunk)
            left -= len(chunk)


def _volume4(path: Path) -> _Volume:
    volume = _Volume()
    with path.open("rb") as opened:
        if opened.read(7) != RAR4:
            raise ItemError("archive_damaged", f"{path.name}: no RAR 4 volume")
        while len(base := opened.read(7)) == 7:
            start = opened.tell() - 7
            kind, flags, size = struct.unpack_from("<BHH", base, 2)
            if size < 7 or not 0x72 <= kind <= 0x7B:
                raise ItemError("archive_damaged", f"{path.name}: no header at byte {start}")
            head = base + opened.read(size - 7)
            added = struct.unpack_from("<I", head, 7)[0] if flags & 0x8000 or kind in (0x74, 0x7A) else 0
            if kind == 0x73:
                if flags & 0x80:
                    raise ItemError("archive_encrypted", "RAR with encrypted headers")
                volume.main = _sealed4(struct.pack("<BHH", kind, flags & ~0x0111, size) + head[7:])
            elif kind == 0x74:
                added += struct.unpack_from("<I", head, 32)[0] << 32 if flags & 0x100 else 0
                volume.pieces.append(_Piece(head, flags, path, start + size, added, bool(flags & 1), bool(flags & 2)))
            elif kind == 0x7B:
                volume.more = bool(flags & 1)
                return volume
            opened.seek(start + size + added)
    volume.more = bool(volume.pieces and volume.pieces[-1].after)
    return volume


def _head4(piece: _Piece, packed: int) -> bytes:
    head = bytearray(piece.head)
    struct.pack_into("<H", head, 3, piece.flags & ~0x03)
    struct.pack_into("<I", head, 7, packed & 0xFFFFFFFF)
    if piece.flags & 0x100:
        struct.pack_into("<I", head, 32, packed >> 32)
    return _sealed4(bytes(head[2:]))


def _sealed4(body: bytes) -> bytes:
    return struct.pack("<H", zlib.crc32(body) & 0xFFFF) + body


def _volume5(path: Path) -> _Volume:
    volume = _Volume()
    with path.open("rb") as opened:
        if opened.read(8) != RAR5:
            raise ItemError("archive_damaged", f"{path.name}: no RAR 5 volume")
        while (block := read_block5(opened)) is not None:
            if block.kind == 4:
                raise ItemError("archive_encrypted", "RAR with encrypted headers")
            if block.kind == 1:
                archive_flags, _ = read_vint(block.head, block.fields)
                volume.main = _sealed5(b"\x01\x00" + write_vint(archive_flags & ~0x03))
            elif block.kind == 2:
                flags = block.flags
                piece = _Piece(block.head, flags, path, block.offset, block.packed, bool(flags & 8), bool(flags & 16))
                volume.pieces.append(piece)
            elif block.kind == 5:
                volume.more = bool(read_vint(block.head, block.fields)[0] & 1)
                return volume
            opened.seek(block.end)
    volume.more = bool(volume.pieces and volume.pieces[-1].after)
    return volume


def _head5(piece: _Piece, packed: int) -> bytes:
    kind, flags, pos, extra, _ = split_head5(piece.head)
    body = write_vint(kind) + write_vint((flags & ~0x18) | 2)
    body += write_vint(extra) if flags & 1 else b""
    return _sealed5(body + write_vint(packed) + piece.head[pos:])


def _sealed5(body: bytes) -> bytes:
    sized = write_vint(len(body)) + body
    return struct.pack("<I", zlib.crc32(sized)) + sized
