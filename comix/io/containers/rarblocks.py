"""The blocks a RAR 5 archive is made of, and the marks that open and end both kinds of RAR.

Source: the RAR 5.0 archive format note and the RAR 4 ``technote.txt`` of RARLAB.
"""

from __future__ import annotations

from typing import IO, Final, NamedTuple

RAR4: Final = b"Rar!\x1a\x07\x00"
RAR5: Final = b"Rar!\x1a\x07\x01\x00"
RAR4_END: Final = bytes.fromhex("c43d7b00400700")
RAR5_END: Final = bytes.fromhex("1d77565103050400")
MAX_HEADER: Final = 2 << 20


class Block5(NamedTuple):
    """One block of a RAR 5 archive.

    Attributes:
        kind: 1 archive, 2 file, 3 service, 4 encryption, 5 end.
        flags: of the block.
        head: its header; the fields of its kind begin at ``fields`` and end at ``extra``, where the extra records begin.
        packed: bytes of content, which begin at ``offset`` in the archive.
        start: where the block begins in the archive.
    """

    kind: int
    flags: int
    head: bytes
    fields: int
    extra: int
    packed: int
    offset: int
    start: int

    @property
    def end(self) -> int:
        """Where the next block begins."""
        return self.offset + self.packed


def read_block5(opened: IO[bytes]) -> Block5 | None:
    """The block at the file's position, which is left anywhere; None at the end of the file.

    Raises:
        IndexError: the file ends inside the header, or the header is none.
    """
    start = opened.tell()
    lead = opened.read(16)
    if not lead:
        return None
    size, at = read_vint(lead, 4)
    if not 0 < size <= MAX_HEADER:
        raise IndexError(f"a header of {size} bytes")
    opened.seek(start + at)
    head = opened.read(size)
    kind, flags, fields, extra, packed = split_head5(head)
    return Block5(kind, flags, head, fields, len(head) - extra, packed, start + at + size, start)


def split_head5(head: bytes) -> tuple[int, int, int, int, int]:
    """Kind, flags, where the fields of its kind begin, size of the extra records, bytes of content."""
    kind, pos = read_vint(head, 0)
    flags, pos = read_vint(head, pos)
    extra, pos = read_vint(head, pos) if flags & 1 else (0, pos)
    packed, pos = read_vint(head, pos) if flags & 2 else (0, pos)
    return kind, flags, pos, extra, packed


def read_vint(data: bytes, pos: int) -> tuple[int, int]:
    """A variable-length number at ``pos`` and the position behind it.

    >>> read_vint(b"\\xac\\x02", 0)
    (300, 2)

    Raises:
        IndexError: the data end inside it.
    """
    value = shift = 0
    while True:
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, pos


def write_vint(value: int) -> bytes:
    """The bytes of a variable-length number.

    >>> write_vint(300)
    b'\\xac\\x02'
    """
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
