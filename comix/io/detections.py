"""What was found on one page, the categories there are, and a form of it that travels between processes cheaply."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from comix.core.geometry import Box
from comix.core.page import Detection

CATEGORY_IDS: Mapping[str, int] = {"panel": 1, "character": 2, "balloon": 3, "text": 4, "onomatopoeia": 5, "face": 7}
PANEL_NAMES = frozenset({"panel", "frame", "panel_frame", "panel_border", "comic_panel"})
CATEGORY_NAMES: tuple[str, ...] = tuple(CATEGORY_IDS)
"""Categories by the number that `Packed` uses for them."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {name: name for name in CATEGORY_IDS}
    | dict.fromkeys(PANEL_NAMES, "panel")
    | dict.fromkeys(("body", "person", "human"), "character")
    | dict.fromkeys(("speech_balloon", "speech balloon", "speech_bubble", "bubble"), "balloon")
    | dict.fromkeys(("sfx", "sound_effect"), "onomatopoeia")
)
"""Names (lower case) that other tools give to our categories."""

RECORD = struct.Struct("<5dhi")
"""One packed detection: x, y, w, h, score, category number, order (-1 for none)."""
DIRECTIONS = ("", "ltr", "rtl")


@dataclass(frozen=True, slots=True)
class PageDetections:
    """Everything found on one page.

    Attributes:
        detections: in file order.
        order: reading position from 0 of each detection, None for what has none (not a panel, or not ordered yet).
        is_ordered: whether `order` ran on this page.
        margin: how sure the order is, 0 to 1; None when not ordered.
        order_notes: what is unusual about it, see `comix.core.order.ReadingOrder`; not read back from files.
        direction_from: where the reading direction comes from, see `comix.core.order.FoundDirection`; likewise.
        direction_confidence: how sure it is, 0 to 1; likewise.
    """

    page_id: str
    width: int
    height: int
    detections: tuple[Detection, ...] = ()
    order: tuple[int | None, ...] = ()
    is_ordered: bool = False
    reading_direction: str = ""
    margin: float | None = None
    file_name: str = ""
    order_notes: tuple[str, ...] = ()
    direction_from: str = ""
    direction_confidence: float = 0.0

    def panels(self, min_score: float = 0.0) -> list[Detection]:
        """Panels of at least this score, in reading order where there is one.

        The only place where a score threshold meets a panel list.
        """
        ranks = self.order or (None,) * len(self.detections)
        pairs = [
            (rank if rank is not None else len(ranks) + index, one)
            for index, (rank, one) in enumerate(zip(ranks, self.detections, strict=True))
            if one.category == "panel" and one.score >= min_score
        ]
        return [one for _, one in sorted(pairs, key=lambda pair: pair[0])]


class Packed(NamedTuple):
    """A `PageDetections` as plain values: a few hundred bytes, pickled in a microsecond.

    Attributes:
        records: `RECORD` after `RECORD`.
        points: polygon corners of all detections, float32 x, y after x, y; ``n_points`` says how many each has (int32),
            empty when none has any.
    """

    page_id: str
    file_name: str
    width: int
    height: int
    direction: int
    is_ordered: bool
    margin: float | None
    records: bytes
    n_points: bytes
    points: bytes


def unpack(packed: Packed) -> PageDetections:
    """The page that was packed."""
    detections: list[Detection] = []
    order: list[int | None] = []
    counts = struct.unpack(f"<{len(packed.n_points) // 4}i", packed.n_points)
    numbers = struct.unpack(f"<{len(packed.points) // 4}f", packed.points)
    at = 0
    for index, (x, y, w, h, score, category, rank) in enumerate(RECORD.iter_unpack(packed.records)):
        polygon: tuple[tuple[float, float], ...] = ()
        if counts and counts[index]:
            flat = [round(value, 2) for value in numbers[at : at + 2 * counts[index]]]
            polygon, at = tuple(zip(flat[::2], flat[1::2], strict=True)), at + 2 * counts[index]
        detections.append(Detection(Box(x, y, w, h), score, CATEGORY_NAMES[category], polygon))
        order.append(None if rank < 0 else rank)
    return PageDetections(
        packed.page_id, packed.width, packed.height, tuple(detections), tuple(order), packed.is_ordered,
        DIRECTIONS[packed.direction], packed.margin, packed.file_name,
    )  # fmt: skip
