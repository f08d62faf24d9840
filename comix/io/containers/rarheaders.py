"""The list of files in a RAR archive, from its headers alone: names, sizes, checksums, and what is encrypted.

Needs no outside program. Source: the RAR 5.0 archive format note and the RAR 4 ``technote.txt`` of RARLAB.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from comix.core.errors import ItemError
from comix.io.containers.rarblocks import MAX_HEADER, RAR4, RAR4_END, RAR5, RAR5_END, Block5, read_block5, read_vint


@dataclass(frozen=True, slots=True)
class RarEntry:
    """One file of a RAR archive.

    Attributes:
        name: with ``/`` separators.
        size: unpacked bytes; ``packed`` bytes in the archive, from ``offset``.
        crc: CRC-32 of the unpacked bytes, None when the archive keeps another checksum.
        stored: not compressed: the packed bytes are the file.
        encrypted: has a password.
        copy_of: name of the file it repeats, "" when it has content of its own.
        old: compressed by RAR 2 or older, which hardly any program still reads.
        solid: can only be unpacked after the files before it.
        start: where its header begins; ``prefix``: where the header of the archive ends.
    """

    name: str
    size: int
    packed: int
    offset: int
    crc: int | None
    stored: bool
    encrypted: bool
    copy_of: str = ""
    old: bool = False
    solid: bool = False
    start: int = 0
    prefix: int = 0


def list_rar(path: Path) -> list[RarEntry]:
    """Files of a RAR archive in stored order; directories and links left out.

    Raises:
        ItemError: ``archive_encrypted`` for encrypted headers, ``volume_missing`` for a volume of a set,
            ``archive_damaged`` when a header is cut.
    """
    with path.open("rb") as opened:
        magic = opened.read(8)
        try:
            if magic == RAR5:
                return list(_rar5(opened, path.stat().st_size))
            if magic.startswith(RAR4):
                opened.seek(7)
                return list(_rar4(opened, path.stat().st_size))
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise ItemError("archive_damaged", f"RAR: broken header near byte {opened.tell()}") from error
    raise ItemError("archive_damaged", "RAR: signature missing")


def rar_comment(path: Path) -> bytes:
    """The comment of a RAR 5 archive when it is stored, else empty; ComicBookInfo may live there."""
    with path.open("rb") as opened:
        if opened.read(8) != RAR5:
            return b""
        try:
            while (block := read_block5(opened)) is not None:
                if block.kind == 3 and block.packed < MAX_HEADER:
                    entry = _rar5_file(block)
                    if entry is not None and entry.name == "CMT" and entry.stored:
                        opened.seek(block.offset)
                        return opened.read(block.packed).rstrip(b"\0")
                if block.kind in (2, 4, 5):
                    return b""
                opened.seek(block.end)
        except (struct.error, IndexError):
            return b""
    return b""


def single_file_rar(path: Path, entry: RarEntry) -> bytes:
    """An archive that holds this one file only, cut out of its own: a broken neighbour cannot stop its unpacking."""
    with path.open("rb") as opened:
        prefix = opened.read(entry.prefix)
        opened.seek(entry.start)
        body = opened.read(entry.offset + entry.packed - entry.start)
    return prefix + body + (RAR5_END if prefix.startswith(RAR5) else RAR4_END)


def _rar4(opened: IO[bytes], total: int) -> Iterator[RarEntry]:
    prefix = opened.tell()
    solid = False
    while True:
        start = opened.tell()
        base = opened.read(7)
        if len(base) < 7:
            if base.strip(b"\0") or start > total:
                raise ItemError("archive_damaged", f"RAR: ends inside a file, {start} of {total} bytes")
            return
        kind, flags, size = struct.unpack_from("<BHH", base, 2)
        if size < 7 or not 0x72 <= kind <= 0x7B:
            raise ItemError("archive_damaged", f"RAR: no header at byte {start}")
        head = base + opened.read(size - 7)
        if kind == 0x73:
            _refuse(volume=bool(flags & 0x01), encrypted=bool(flags & 0x80))
            prefix, solid = start + size, bool(flags & 0x08)
        added = struct.unpack_from("<I", head, 7)[0] if flags & 0x8000 or kind in (0x74, 0x7A) else 0
        if kind == 0x74:
            high = struct.unpack_from("<I", head, 32)[0] if flags & 0x100 else 0
            added += high << 32
            entry = _rar4_file(head, flags, added, start + size)
            if entry is not None:
                yield replace(entry, start=start, prefix=prefix, solid=solid or entry.solid)
        elif kind == 0x7B:
            return
        opened.seek(start + size + added)


def _rar4_file(head: bytes, flags: int, packed: int, offset: int) -> RarEntry | None:
    size, host, crc = struct.unpack_from("<IBI", head, 11)
    method = head[25]
    name_size, attributes = struct.unpack_from("<HI", head, 26)
    at = 32
    if flags & 0x100:
        size += struct.unpack_from("<I", head, 36)[0] << 32
        at = 40
    if flags & 0xE0 == 0xE0 or (host == 3 and attributes & 0xF000 == 0xA000):
        return None  # a directory, or a symbolic link
    name = _rar4_name(head[at : at + name_size], bool(flags & 0x200)).replace("\\", "/")
    return RarEntry(name, size, packed, offset, crc, method == 0x30, bool(flags & 0x04), "", head[24] < 29, bool(flags & 0x10))


def _rar4_name(raw: bytes, is_unicode: bool) -> str:
    if not is_unicode:
        return raw.decode("utf-8", "replace") if _is_utf8(raw) else raw.decode("cp437")
    plain, separator, packed = raw.partition(b"\0")
    if not separator:
        return plain.decode("utf-8", "replace")
    return _unpack_name(plain, packed)


def _unpack_name(plain: bytes, packed: bytes) -> str:
    """RAR 4's compressed UTF-16: two bits per step say how the next characters derive from the plain name."""
    high, at = packed[0] << 8, 1
    codes: list[int] = []
    steps: list[int] = []
    while at < len(packed):
        if not steps:
            steps = [packed[at] >> shift & 3 for shift in (6, 4, 2, 0)]
            at += 1
            continue
        step = steps.pop(0)
        if step == 3:
            count, at = packed[at], at + 1
            correction, prefix = 0, 0
            if count & 0x80:
                correction, prefix, at = packed[at], high, at + 1
            for _ in range((count & 0x7F) + 2):
                codes.append((plain[len(codes)] + correction & 0xFF) | prefix)
        elif step == 2:
            codes.append(packed[at] | packed[at + 1] << 8)
            at += 2
        else:
            codes.append(packed[at] | (high if step else 0))
            at += 1
    return struct.pack(f"<{len(codes)}H", *codes).decode("utf-16-le", "replace")


def _rar5(opened: IO[bytes], total: int) -> Iterator[RarEntry]:
    prefix = opened.tell()
    while True:
        start = opened.tell()
        try:
            block = read_block5(opened)
        except IndexError as error:
            raise ItemError("archive_damaged", f"RAR: no header at byte {start}") from error
        if block is None or start > total:
            raise ItemError("archive_damaged", f"RAR: ends inside a file, {start} of {total} bytes")
        if block.kind == 1:
            _refuse(volume=bool(read_vint(block.head, block.fields)[0] & 1))
            prefix = block.end
        elif block.kind == 4:
            _refuse(encrypted=True)
        elif block.kind == 5:
            return
        elif block.kind == 2:
            entry = _rar5_file(block)
            if entry is not None:
                yield replace(entry, start=start, prefix=prefix)
        opened.seek(block.end)


def _rar5_file(block: Block5) -> RarEntry | None:
    head, pos = block.head, block.fields
    flags, pos = read_vint(head, pos)
    size, pos = read_vint(head, pos)
    _, pos = read_vint(head, pos)  # attributes
    pos += 4 if flags & 2 else 0
    crc: int | None = None
    if flags & 4:
        crc, pos = struct.unpack_from("<I", head, pos)[0], pos + 4
    method, pos = read_vint(head, pos)
    _, pos = read_vint(head, pos)  # host system
    length, pos = read_vint(head, pos)
    name = head[pos : pos + length].decode("utf-8", "replace")
    encrypted, redirect, copy_of = _rar5_extra(head, block.extra)
    if flags & 1 or redirect in (1, 2, 3):
        return None
    stored, solid = method >> 7 & 7 == 0, bool(method & 0x40)
    return RarEntry(name, size, block.packed, block.offset, crc, stored, encrypted, copy_of, False, solid)


def _rar5_extra(head: bytes, pos: int) -> tuple[bool, int, str]:
    """From the extra records of a file: encrypted, kind of link (0 none, 4 hard link, 5 copy), name it points to."""
    encrypted, redirect, target = False, 0, ""
    while pos < len(head):
        size, pos = read_vint(head, pos)
        end = pos + size
        kind, at = read_vint(head, pos)
        if kind == 1:
            encrypted = True
        elif kind == 5:
            redirect, at = read_vint(head, at)
            _, at = read_vint(head, at)
            length, at = read_vint(head, at)
            target = head[at : at + length].decode("utf-8", "replace")
        pos = end
    return encrypted, redirect, target


def _refuse(*, volume: bool = False, encrypted: bool = False) -> None:
    if encrypted:
        raise ItemError("archive_encrypted", "RAR with encrypted headers")
    if volume:
        raise ItemError(
            "volume_missing", "one volume of a RAR set, the others are not beside it under the names RAR gives them"
        )


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
