"""What a model is shown: the page as it is, scaled down, with numbered panels, or one panel of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box
from comix.io.images import decode_bgr

_MAGIC = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))
_MAX_BYTES = 5_000_000
"""Larger files are encoded anew: several services refuse more than 5 MB for one image."""
_NEEDS_DECODING = frozenset({"cmyk", "exif_rotated", "transparent", "16_bit", "animated"})


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded image as it is sent.

    Attributes:
        data: JPEG or PNG bytes.
        mime: what they really are.
        width: pixels that the model sees; likewise ``height``.
        part: the part of the page that it shows, page pixels.
    """

    data: bytes
    mime: str
    width: int
    height: int
    part: Box

    @property
    def digest(self) -> str:
        """sha256 of the bytes."""
        return hashlib.sha256(self.data).hexdigest()

    def to_page(self, box: Box) -> Box:
        """A box in pixels of the picture, in pixels of the page."""
        moved = box.scaled(self.part.w / self.width, self.part.h / self.height)
        return Box(moved.x + self.part.x, moved.y + self.part.y, moved.w, moved.h)

    def from_page(self, box: Box) -> Box:
        """A box in page pixels, in pixels of the picture."""
        return Box(box.x - self.part.x, box.y - self.part.y, box.w, box.h).scaled(
            self.width / self.part.w, self.height / self.part.h
        )


def page_picture(data: bytes, width: int, height: int, notes: Sequence[str], max_side: int) -> Picture:
    """The whole page: the file's own bytes where a service takes them, else a JPEG of at most ``max_side`` pixels.

    Args:
        data: bytes of the page image.
        width: of the upright page, pixels; likewise ``height``.
        notes: what is unusual about the image, see `comix.io.images.ImageFacts`.
        max_side: longest side, pixels.

    Raises:
        ItemError: the image cannot be decoded.
    """
    mime = next((name for magic, name in _MAGIC if data.startswith(magic)), "")
    plain = mime and max(width, height) <= max_side and len(data) <= _MAX_BYTES and not _NEEDS_DECODING.intersection(notes)
    if plain:
        return Picture(data, mime, width, height, Box(0, 0, width, height))
    return encoded(decode_bgr(data), max_side)


def encoded(image: NDArray[np.uint8], max_side: int, part: Box | None = None) -> Picture:
    """A ``(h, w, 3)`` BGR image as a JPEG of at most ``max_side`` pixels; ``part`` is what it shows, else the whole page."""
    height, width = image.shape[:2]
    scale = min(1.0, max_side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return Picture(jpeg.tobytes(), "image/jpeg", *size, part or Box(0, 0, width, height))


def numbered_picture(data: bytes, panels: Sequence[Box], max_side: int) -> Picture:
    """The page with each panel outlined and its number, from 1, on a disc in its upper left corner.

    Raises:
        ItemError: the image cannot be decoded.
    """
    image = decode_bgr(data)
    size = max(2, round(max(image.shape[:2]) / 350))
    for number, panel in enumerate(panels, 1):
        left, top, right, bottom = (round(value) for value in panel.xyxy)
        cv2.rectangle(image, (left, top), (right, bottom), (0, 0, 220), size)
        radius = 7 * size
        centre = (left + radius, top + radius)
        cv2.circle(image, centre, radius, (0, 0, 220), -1)
        (wide, high), _ = cv2.getTextSize(str(number), cv2.FONT_HERSHEY_SIMPLEX, size / 3.2, size)
        origin = (centre[0] - wide // 2, centre[1] + high // 2)
        cv2.putText(image, str(number), origin, cv2.FONT_HERSHEY_SIMPLEX, size / 3.2, (255, 255, 255), size, cv2.LINE_AA)
    return encoded(image, max_side)


def panel_pictures(data: bytes, panels: Sequence[Box], max_side: int, margin: float = 0.02) -> list[Picture]:
    """Each panel cut out, with a margin of this part of its sides.

    Raises:
        ItemError: the image cannot be decoded.
    """
    image = decode_bgr(data)
    height, width = image.shape[:2]
    found = []
    for panel in panels:
        room = Box(
            panel.x - panel.w * margin, panel.y - panel.h * margin, panel.w * (1 + 2 * margin), panel.h * (1 + 2 * margin)
        )
        left, top, right, bottom = (round(value) for value in room.clipped(width, height).xyxy)
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        cut = np.ascontiguousarray(image[top:bottom, left:right])
        found.append(encoded(cut, max_side, Box(left, top, right - left, bottom - top)))
    return found
