"""Page images: decode any format a comic holds, upright, as 8-bit BGR."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from comix.core.errors import ItemError
from comix.io.containers.inplace import has_member, read_member
from comix.io.imagefaults import image_fault
from comix.io.jpegheader import plain_jpeg_size

BgrImage = NDArray[np.uint8]

_MAX_PIXELS = 178_956_970
"""Largest page accepted: 13,377 x 13,377, far above any scan; above it an image is a decompression bomb to Pillow too."""


def decode_bgr(data: bytes) -> BgrImage:
    """Pixels of an encoded image as ``(h, w, 3)`` uint8, blue-green-red, EXIF rotation applied, transparency on white.

    Raises:
        ItemError: ``image_unreadable`` and the other reasons of `inspect_image` when no decoder accepts the bytes.
    """
    image: Any = None
    if data and not _has_alpha_header(data):
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    elif _is_plain_rgba(data):
        image = _composed(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))
    if image is None:
        image = _decode_with_pillow(data)
    return np.ascontiguousarray(image)


def decode_reduced(data: bytes, short_side: int) -> tuple[BgrImage, tuple[int, int]]:
    """An image no smaller than needed, and the width and height it has in full, both upright.

    A JPEG is decoded at the smallest of 1/1, 1/2, 1/4, 1/8 that leaves ``short_side`` pixels on its shorter side, which
    skips most of the work; other formats are decoded in full.

    Raises:
        ItemError: see `decode_bgr`.
    """
    width, height = _jpeg_size(data) if data[:2] == b"\xff\xd8" else (0, 0)
    for step, flag in _REDUCED:
        if min(width, height) >= step * short_side:
            image: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
            if image is not None:
                return image, (width, height)
    full = decode_bgr(data)
    return full, (int(full.shape[1]), int(full.shape[0]))


_REDUCED = (
    (8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2),
)  # fmt: skip


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Upright width and height, from the header; zeros when it cannot be read."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            turned = image.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
            return (image.height, image.width) if turned else image.size
    except (*_DECODER_ERRORS, Image.DecompressionBombError):
        return 0, 0


def read_bgr(path: Path) -> BgrImage:
    """Pixels of a page image, see `decode_bgr` and `read_image_bytes`.

    Raises:
        ItemError: ``image_missing``, ``image_unreadable``, or what its archive says.
    """
    return decode_bgr(read_image_bytes(path))


def read_image_bytes(path: Path) -> bytes:
    """Encoded bytes of a page image: a file, or a member of an archive.

    ``book.cbz!/p01.jpg`` is such a member, see `comix.io.containers.inplace`.

    Raises:
        ItemError: ``image_missing``, ``permission_denied``; ``member_damaged`` and others for a member.
    """
    try:
        return path.read_bytes()
    except PermissionError:
        raise ItemError("permission_denied", str(path)) from None
    except OSError as error:  # no such file: an address inside an archive, or really not there
        data = read_member(path)
        if data is None and isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
            raise ItemError("image_missing", str(path)) from None
        if data is None:
            raise ItemError("image_unreadable", f"{path}: {error.strerror}") from error
    return data


def image_exists(path: Path) -> bool:
    """Whether `read_image_bytes` has something to read."""
    return path.is_file() or has_member(path)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What one decode tells of a page image.

    Attributes:
        suffix: file suffix of the true format, without dot.
        width: pixels, EXIF rotation applied; likewise ``height``.
        phash: 16 hex digits, see `inspect_image`; "" when the image was not decoded.
        n_frames: more than 1 for animations and multi-page TIFF; the first one is the page.
        notes: what is unusual: ``animated``, ``multi_page``, ``cmyk``, ``16_bit``, ``exif_rotated``, ``transparent``.
    """

    suffix: str
    width: int
    height: int
    phash: str
    n_frames: int
    notes: tuple[str, ...] = ()


_SUFFIX = {"JPEG": "jpg", "MPO": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}
_HASH_SIDE = 128
"""Least short side, pixels, that a JPEG is decoded to for its hash: four times the 32 x 32 that are hashed."""


def inspect_image(data: bytes | memoryview, *, decode: bool = True) -> ImageFacts:
    """Format, upright size and perceptual hash of an encoded image, from one decode that also proves that it can be read.

    The hash is that of ``imagehash.phash``: the upright page in grey, transparency on white, 16 bits cut to 8, scaled to
    32 x 32 (Lanczos), DCT, the 8 x 8 lowest frequencies against their median. A JPEG is decoded in grey at the smallest of
    1/1, 1/2, 1/4, 1/8 that leaves 128 pixels on the short side; every byte of it is still read. Pages of all sizes end at
    32 x 32, so their hashes compare (``benchmarks/inspect_speed.py``: at 0.35 to 1.5 times the size, also as poor JPEG, 95 % of
    50 pages differ in 2 of 64 bits or fewer, at most in 6; different pages in 20 or more).

    Args:
        data: the encoded image.
        decode: False reads the header only: no hash, and no proof.

    Raises:
        ItemError: ``image_empty``, ``image_unknown_format``, ``image_truncated``, ``image_unreadable``, ``image_too_large``.
    """
    if not decode and (size := plain_jpeg_size(data)) and size[0] * size[1] <= _MAX_PIXELS:
        return ImageFacts("jpg", *size, "", 1)
    return _inspected(data, decode)


def _inspected(data: bytes | memoryview, decode: bool) -> ImageFacts:
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            return _facts(image, decode)
    except ItemError:
        raise
    except Image.DecompressionBombError as error:
        raise ItemError("image_too_large", str(error)) from error
    except _DECODER_ERRORS as error:
        raise image_fault(error, bytes(data)) from error


_DECODER_ERRORS = (
    UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError, KeyError, TypeError,
    OverflowError, ZeroDivisionError, RuntimeError,
)  # fmt: skip
"""What Pillow's decoders raise on bytes that are no image of their format."""


def _facts(image: Image.Image, decode: bool) -> ImageFacts:
    width, height = image.size
    if width * height > _MAX_PIXELS:
        raise ItemError("image_too_large", f"{width} x {height} pixels")
    form, orientation = image.format or "", image.getexif().get(_EXIF_ORIENTATION, 1)
    n_frames = int(getattr(image, "n_frames", 1)) if form not in ("JPEG", "MPO") else 1
    notes = _notes(image, form, n_frames, orientation)
    phash = _phash(image, orientation) if decode else ""
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return ImageFacts(_SUFFIX.get(form, form.lower()), width, height, phash, n_frames, notes)


def _notes(image: Image.Image, form: str, n_frames: int, orientation: int) -> tuple[str, ...]:
    found = {
        "multi_page": n_frames > 1 and form == "TIFF",
        "animated": n_frames > 1 and form != "TIFF",
        "cmyk": image.mode == "CMYK",
        "16_bit": image.mode.startswith("I;16") or image.mode in ("I", "F"),
        "exif_rotated": orientation in range(2, 9),
        "transparent": image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info,
    }
    return tuple(note for note, holds in found.items() if holds)


def _phash(image: Image.Image, orientation: int) -> str:
    import imagehash

    image.draft("L", (_HASH_SIDE, _HASH_SIDE))
    grey = _on_white(image) if image.mode != "L" else image
    if orientation in range(2, 9):
        grey = ImageOps.exif_transpose(grey)
    return str(imagehash.phash(grey.convert("L")))


def _on_white(image: Image.Image) -> Image.Image:
    """An image of any mode in 8 bits a channel, transparency on white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        array = np.asarray(image, dtype=np.float64)
        peak = 65535.0 if array.max(initial=0) > 255 else 255.0
        return Image.fromarray(np.clip(array * 255 / peak, 0, 255).astype(np.uint8))
    return image


_EXIF_ORIENTATION = 0x0112


def _has_alpha_header(data: bytes) -> bool:
    """PNG, WebP and GIF may be transparent: OpenCV would show the hidden colour, Pillow lets us put them on white."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return data[25:26] in (b"\x04", b"\x06") or b"tRNS" in data[:2048]
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return data[12:16] == b"VP8L" or (data[12:16] == b"VP8X" and bool(data[20] & 0x10))
    return data[:4] == b"GIF8"


def _is_plain_rgba(data: bytes) -> bool:
    """An 8-bit PNG with an alpha channel that nothing in it turns: OpenCV decodes it twice as fast as Pillow."""
    return data[:8] == b"\x89PNG\r\n\x1a\n" and data[24:26] == b"\x08\x06" and b"eXIf" not in data and b"acTL" not in data


def _composed(image: Any) -> BgrImage | None:
    """``(h, w, 4)`` on white; None when it is not that."""
    if image is None or image.ndim != 3 or image.shape[2] != 4 or image.dtype != np.uint8:
        return None
    colour, alpha = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR), cv2.extractChannel(image, 3)
    colour = cv2.bitwise_or(colour, np.full_like(colour, 255), dst=colour, mask=cv2.inRange(alpha, (0.0,), (0.0,)))
    partly = np.nonzero(cv2.inRange(alpha, (1.0,), (254.0,)))
    seen = alpha[partly].astype(np.float32)[:, None] / 255
    colour[partly] = np.round(colour[partly] * seen + 255 * (1 - seen)).astype(np.uint8)
    return np.asarray(colour, np.uint8)


def _decode_with_pillow(data: bytes) -> BgrImage:
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                raise ItemError("image_too_large", f"{opened.width} x {opened.height} pixels")
            upright = ImageOps.exif_transpose(opened) or opened
            rgb = np.asarray(_on_white(upright).convert("RGB"))
    except Image.DecompressionBombError as error:
        raise ItemError("image_too_large", str(error)) from error
    except ItemError:
        raise
    except _DECODER_ERRORS as error:
        raise image_fault(error, data) from error
    return np.ascontiguousarray(rgb[:, :, ::-1])
