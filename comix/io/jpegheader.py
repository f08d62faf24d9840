"""The size of a plain JPEG from its header, at a tenth of a decoder's cost for opening it."""

from __future__ import annotations

_FRAMES = frozenset((0xC0, 0xC1, 0xC2))
"""Baseline, extended and progressive frames."""
_PASSED_OVER = frozenset((0xC4, 0xDB, 0xDD, 0xE0, 0xEC, 0xED, 0xEE, 0xFE))
"""Tables, JFIF, Photoshop's and Adobe's marks, comments. Not EXIF (the page may be turned), nor colour profiles and several
pictures (APP2): whoever has those asks the decoder.
"""


def plain_jpeg_size(data: bytes | memoryview) -> tuple[int, int] | None:
    """Width and height of a grey or three-colour JPEG of 8 bits without EXIF; None for everything else.

    >>> plain_jpeg_size(bytes.fromhex("ffd8 ffdb 0003 00 ffc0 000b 08 0030 0020 01 011100"))
    (32, 48)

    Source: ITU-T T.81 (1992), annex B, the marker segments.
    """
    if bytes(data[:2]) != b"\xff\xd8":
        return None
    at, end = 2, len(data) - 9
    while at < end and data[at] == 0xFF:
        marker, length = data[at + 1], data[at + 2] << 8 | data[at + 3]
        if marker in _FRAMES:
            height, width = data[at + 5] << 8 | data[at + 6], data[at + 7] << 8 | data[at + 8]
            is_plain = data[at + 4] == 8 and data[at + 9] in (1, 3) and width and height
            return (width, height) if is_plain else None
        if marker not in _PASSED_OVER or length < 2:
            return None
        at += 2 + length
    return None
