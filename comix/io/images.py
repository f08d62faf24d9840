"""Page images: decode any format a comic holds, upright, as 8-bit BGR."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from comix.core.errors import ItemError

BgrImage = NDArray[np.uint8]

_MAX_PIXELS = 400_000_000
"""Largest page accepted: 20,000 x 20,000, far above any scan; above it an image is treated as a decompression bomb."""


def decode_bgr(data: bytes) -> BgrImage:
    """Pixels of an encoded image as ``(h, w, 3)`` uint8, blue-green-red, EXIF rotation applied, transparency on white.

    Raises:
        ItemError: ``image_unreadable`` when no decoder accepts the bytes.
    """
    image: Any = None
    if data and not _has_alpha_header(data):
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        image = _decode_with_pillow(data)
    return np.ascontiguousarray(image)


def read_bgr(path: Path) -> BgrImage:
    """Pixels of an image file, see `decode_bgr`.

    Raises:
        ItemError: ``image_missing`` or ``image_unreadable``.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ItemError("image_missing", str(path)) from None
    return decode_bgr(data)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What one decode tells of a page image.

    Attributes:
        suffix: file suffix of the true format, without dot.
        width: pixels, EXIF rotation applied; likewise ``height``.
        phash: 16 hex digits, perceptual hash (DCT) of the upright grey page.
        n_frames: more than 1 for animations and multi-page TIFF; the first one is the page.
    """

    suffix: str
    width: int
    height: int
    phash: str
    n_frames: int


_SUFFIX = {"JPEG": "jpg", "MPO": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}


def inspect_image(data: bytes) -> ImageFacts:
    """Format, upright size and perceptual hash of an encoded image, which is decoded once to prove that it can be.

    Raises:
        ItemError: ``image_unreadable`` (also for truncated data), ``image_too_large``.
    """
    import imagehash

    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            if width * height > _MAX_PIXELS:
                raise ItemError("image_too_large", f"{width} x {height} pixels")
            form = image.format or ""
            n_frames = int(getattr(image, "n_frames", 1))
            turned = image.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
            image.draft("L", (256, 256))  # JPEG: decode at an eighth of the size, still reading every byte
            grey = (ImageOps.exif_transpose(image) or image).convert("L")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ItemError("image_unreadable", _why(error, data)) from error
    return ImageFacts(
        suffix=_SUFFIX.get(form, form.lower()),
        width=height if turned else width,
        height=width if turned else height,
        phash=str(imagehash.phash(grey)),
        n_frames=n_frames,
    )


def _why(error: Exception, data: bytes) -> str:
    """What is wrong with the bytes, the same words every time."""
    if isinstance(error, UnidentifiedImageError):
        return f"{len(data)} bytes in no image format that is known here" if data else "0 bytes"
    return f"{type(error).__name__}: {error}"


_EXIF_ORIENTATION = 0x0112


def _has_alpha_header(data: bytes) -> bool:
    """PNG, WebP and GIF may be transparent: OpenCV would show the hidden colour, Pillow lets us put them on white."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return data[25:26] in (b"\x04", b"\x06") or b"tRNS" in data[:2048]
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return data[12:16] == b"VP8L" or (data[12:16] == b"VP8X" and bool(data[20] & 0x10))
    return data[:4] == b"GIF8"


def _decode_with_pillow(data: bytes) -> BgrImage:
    try:
        with Image.open(io.BytesIO(data)) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                raise ItemError("image_too_large", f"{opened.width} x {opened.height} pixels")
            image = ImageOps.exif_transpose(opened) or opened
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                image = image.convert("RGBA")
                white = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(white, image)
            elif image.mode.startswith("I;16") or image.mode in ("I", "F"):
                array = np.asarray(image, dtype=np.float64)
                peak = 65535.0 if array.max(initial=0) > 255 else 255.0
                image = Image.fromarray(np.clip(array * 255 / peak, 0, 255).astype(np.uint8))
            rgb = np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ItemError("image_unreadable", _why(error, data)) from error
    return np.ascontiguousarray(rgb[:, :, ::-1])
