"""Pages with boxes drawn on them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box

_COLOURS = ((180, 90, 20), (20, 120, 220), (40, 150, 40), (170, 50, 150), (30, 30, 200), (140, 130, 0))


def draw_boxes(image: NDArray[np.uint8], boxes: Sequence[Box], labels: Sequence[str], long_side: int = 1200) -> bytes:
    """JPEG bytes of a ``(h, w, 3)`` BGR page, scaled to ``long_side`` pixels, with numbered boxes."""
    scale = min(1.0, long_side / max(image.shape[:2]))
    canvas = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    thickness = max(2, round(max(canvas.shape[:2]) / 400))
    for position, (box, label) in enumerate(zip(boxes, labels, strict=True)):
        colour = _COLOURS[position % len(_COLOURS)]
        left, top, right, bottom = (round(value * scale) for value in box.xyxy)
        cv2.rectangle(canvas, (left, top), (right, bottom), colour, thickness)
        _label(canvas, label, (left, top), colour, thickness)
    _, encoded = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return encoded.tobytes()


def _label(canvas: cv2.typing.MatLike, text: str, corner: tuple[int, int], colour: tuple[int, int, int], size: int) -> None:
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.3 * size, max(1, size // 2))
    left, top = corner
    cv2.rectangle(canvas, (left, top), (left + width + 8, top + height + 10), colour, -1)
    origin = (left + 4, top + height + 5)
    cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.3 * size, (255, 255, 255), max(1, size // 2), cv2.LINE_AA)
