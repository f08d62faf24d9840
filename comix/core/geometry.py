"""Boxes on a page. Pixels, origin top left, y down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Box(NamedTuple):
    """An axis-aligned box in pixels: left edge ``x``, top edge ``y``, width ``w``, height ``h``.

    >>> Box(0, 0, 10, 10).iou(Box(5, 0, 10, 10))
    0.3333333333333333
    """

    x: float
    y: float
    w: float
    h: float

    @classmethod
    def from_xyxy(cls, left: float, top: float, right: float, bottom: float) -> Box:
        """The box between two corners.

        >>> Box.from_xyxy(1, 2, 4, 6)
        Box(x=1, y=2, w=3, h=4)
        """
        return cls(left, top, right - left, bottom - top)

    @classmethod
    def from_xywh(cls, xywh: Sequence[float]) -> Box:
        """The box of a COCO ``[x, y, w, h]`` list.

        Raises:
            ValueError: not four numbers.
        """
        if len(xywh) != 4:
            raise ValueError(f"a box is [x, y, w, h]; got {len(xywh)} numbers: {list(xywh)}")
        x, y, w, h = (float(value) for value in xywh)
        return cls(x, y, w, h)

    @property
    def r(self) -> float:
        """Right edge."""
        return self.x + self.w

    @property
    def b(self) -> float:
        """Bottom edge."""
        return self.y + self.h

    @property
    def cx(self) -> float:
        """Centre, horizontal."""
        return self.x + self.w / 2

    @property
    def cy(self) -> float:
        """Centre, vertical."""
        return self.y + self.h / 2

    @property
    def area(self) -> float:
        """Area in square pixels; 0 for a box without extent."""
        return max(0.0, self.w) * max(0.0, self.h)

    @property
    def xywh(self) -> list[float]:
        """COCO form ``[x, y, w, h]``."""
        return [self.x, self.y, self.w, self.h]

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """Corner form ``(left, top, right, bottom)``."""
        return (self.x, self.y, self.r, self.b)

    def overlap_x(self, other: Box) -> float:
        """Length shared on the x axis, 0 if none."""
        return max(0.0, min(self.r, other.r) - max(self.x, other.x))

    def overlap_y(self, other: Box) -> float:
        """Length shared on the y axis, 0 if none."""
        return max(0.0, min(self.b, other.b) - max(self.y, other.y))

    def intersection(self, other: Box) -> float:
        """Shared area in square pixels."""
        return self.overlap_x(other) * self.overlap_y(other)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0 to 1; 0 when both are empty."""
        shared = self.intersection(other)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0

    def union(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box.from_xyxy(min(self.x, other.x), min(self.y, other.y), max(self.r, other.r), max(self.b, other.b))

    def distance(self, other: Box) -> float:
        """Gap between the nearest edges in pixels; 0 when they touch or overlap.

        >>> Box(0, 0, 1, 1).distance(Box(4, 5, 1, 1))
        5.0
        """
        dx = max(self.x - other.r, other.x - self.r, 0.0)
        dy = max(self.y - other.b, other.y - self.b, 0.0)
        return float((dx * dx + dy * dy) ** 0.5)

    def scaled(self, factor_x: float, factor_y: float | None = None) -> Box:
        """The box on an image resized by these factors."""
        factor_y = factor_x if factor_y is None else factor_y
        return Box(self.x * factor_x, self.y * factor_y, self.w * factor_x, self.h * factor_y)

    def clipped(self, width: float, height: float) -> Box:
        """The part inside a ``width`` x ``height`` page; may be empty (``w`` or ``h`` 0)."""
        left, top = min(max(self.x, 0.0), width), min(max(self.y, 0.0), height)
        right, bottom = min(max(self.r, 0.0), width), min(max(self.b, 0.0), height)
        return Box.from_xyxy(left, top, max(left, right), max(top, bottom))


def bounding_box(boxes: Iterable[Box]) -> Box:
    """The smallest box around all of them.

    Raises:
        ValueError: no boxes.
    """
    items = list(boxes)
    if not items:
        raise ValueError("no boxes to bound")
    return Box.from_xyxy(
        min(box.x for box in items),
        min(box.y for box in items),
        max(box.r for box in items),
        max(box.b for box in items),
    )
