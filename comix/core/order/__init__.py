"""Reading order of panels and texts from their boxes: one file per idea, `panels` puts them together."""

from comix.core.order.direction import FoundDirection, estimate_direction, find_direction
from comix.core.order.model import METHODS, Direction, Method, ReadingOrder
from comix.core.order.panels import order_panels
from comix.core.order.texts import order_in_panel, order_texts

__all__ = [
    "METHODS", "Direction", "FoundDirection", "Method", "ReadingOrder", "estimate_direction", "find_direction",
    "order_in_panel", "order_panels", "order_texts",
]  # fmt: skip
