"""Which of the ways to be broken an image is, from its bytes, when no decoder accepts it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType

from comix.core.errors import ItemError

_MAGICS: Mapping[bytes, str] = MappingProxyType(
    {
        b"\xff\xd8": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF",
        b"\0\0\0\x0cjP": "JPEG 2000", b"\xff\x4f\xff\x51": "JPEG 2000", b"\xff\x0a": "JPEG XL", b"P6": "PPM", b"P5": "PGM",
        b"P4": "PBM",
    }
)  # fmt: skip
_BOX_FORMATS = (b"ftypavif", b"ftypheic", b"ftypheix", b"ftypmif1")
_CUT_WORDS = ("truncated", "unexpected end", "end of file", "eof", "no more")


def image_fault(error: Exception, data: bytes) -> ItemError:
    """The decoder's error as a reason, in the same words every time.

    >>> image_fault(OSError("x"), b"").reason, image_fault(OSError("x"), b"<html>").reason
    ('image_empty', 'image_unknown_format')
    """
    from PIL import UnidentifiedImageError

    if not data:
        return ItemError("image_empty", "0 bytes")
    form = _format(data)
    if not form:
        return ItemError("image_unknown_format", f"{len(data)} bytes that begin with {data[:8]!r}")
    words = "" if isinstance(error, UnidentifiedImageError) else f": {error}"
    cut = any(word in str(error).casefold() for word in _CUT_WORDS) or len(data) < 64 or _wants_more(form, data)
    return ItemError(
        "image_truncated" if cut else "image_unreadable", f"{form} of {len(data)} bytes: {type(error).__name__}{words}"
    )


def _format(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:12] in _BOX_FORMATS:
        return data[8:12].decode().upper()
    return next((name for magic, name in _MAGICS.items() if data.startswith(magic)), "")


def _wants_more(form: str, data: bytes) -> bool:
    """Whether the image says of itself that it is longer than it is."""
    if form == "WebP":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    if form == "TIFF":
        return _last_strip(data) > len(data)
    if form == "JPEG 2000" and data[:2] == b"\xff\x4f":
        return not data.endswith(b"\xff\xd9")
    if form in ("JPEG 2000", "AVIF", "HEIC", "HEIX", "MIF1"):
        return _last_box(data) > len(data) or (form == "JPEG 2000" and not data.endswith(b"\xff\xd9"))
    return False


def _last_strip(data: bytes) -> int:
    """Where the last strip or tile of a TIFF's first picture ends; beyond the end when even its directory is cut."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (n_tags,) = struct.unpack_from(order + "H", data, at)
        found: dict[int, tuple[int, ...]] = {}
        for tag, kind, count, value in struct.iter_unpack(order + "HHII", data[at + 2 : at + 2 + 12 * n_tags]):
            if tag in (273, 279, 324, 325) and count <= len(data):
                code = "H" if kind == 3 else "I"
                found[tag] = struct.unpack_from(f"{order}{count}{code}", data, value) if count > 1 else (value,)
    except struct.error:
        return len(data) + 1
    offsets, sizes = found.get(273) or found.get(324) or (), found.get(279) or found.get(325) or ()
    return max((offset + size for offset, size in zip(offsets, sizes, strict=False)), default=0)


def _last_box(data: bytes) -> int:
    """Where the boxes of a file say that it ends."""
    at = 0
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if size == 1 and at + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, at + 8)
        if size < 8:
            break
        at += size
    return at
