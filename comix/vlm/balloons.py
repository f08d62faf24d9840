"""Lines to balloons: which lines belong together, what they say, and what kind of text it is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box, bounding_box
from comix.vlm.lines import TextLine
from comix.vlm.paper import Ground, grounds_of

Kind = Literal["dialogue", "thought", "narration", "sfx"]


@dataclass(frozen=True, slots=True)
class Balloon:
    """One balloon, caption or sound effect.

    Attributes:
        text: its lines in reading order, joined.
        box: around the lettering, page pixels.
        kind: a guess from shape and ground.
        confidence: 0 to 1, mean over characters.
    """

    text: str
    box: Box
    kind: Kind
    confidence: float


def balloons_of(image: NDArray[np.uint8], lines: Sequence[TextLine]) -> list[Balloon]:
    """The balloons that the lines of a ``(h, w, 3)`` BGR page make up, in no particular order; every line is in one."""
    grounds = grounds_of(image, lines)
    found = []
    for group in groups_of(lines, grounds, Box(0, 0, image.shape[1], image.shape[0])):
        members = [lines[index] for index in group]
        box = bounding_box(line.box for line in members)
        weights = [len(line.text) for line in members]
        confidence = float(np.average([line.confidence for line in members], weights=weights))
        text = joined(in_line_order(members))
        found.append(Balloon(text, box, "dialogue", round(confidence, 3)))
    return found


def groups_of(lines: Sequence[TextLine], grounds: Sequence[Ground], page: Box) -> list[list[int]]:
    """Indices of the lines of each balloon; each line is in exactly one."""
    parent = list(range(len(lines)))

    def root(one: int) -> int:
        while parent[one] != one:
            one = parent[one]
        return one

    for first in range(len(lines)):
        for second in range(first + 1, len(lines)):
            if belong_together(lines[first], lines[second], grounds[first], grounds[second], page):
                parent[root(second)] = root(first)
    groups: dict[int, list[int]] = {}
    for index in range(len(lines)):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def belong_together(first: TextLine, second: TextLine, ground: Ground, other: Ground, page: Box) -> bool:
    """Whether two lines are neighbours in one balloon, by size, gap, alignment and the ground they stand on."""
    small, large = sorted((first.size, second.size))
    if large > 1.8 * small or abs(first.slant - second.slant) > 15:
        return False
    if first.vertical != second.vertical:
        return False
    if ground.label and other.label and ground.label != other.label:
        return False
    enclosed = bool(ground.label) and ground.label == other.label and ground.box.area < 0.15 * page.area
    a, b = first.box, second.box
    if first.vertical:
        a, b = Box(a.y, a.x, a.h, a.w), Box(b.y, b.x, b.h, b.w)
    gap_y = max(a.y, b.y) - min(a.b, b.b)
    gap_x = max(a.x, b.x) - min(a.r, b.r)
    size = (small + large) / 2
    if gap_y < -0.5 * small:
        return gap_x < (1.2 if enclosed else 0.5) * size
    if a.overlap_x(b) < (0.15 if enclosed else 0.3) * min(a.w, b.w):
        return False
    return gap_y < (0.9 if enclosed else 0.45) * size


def in_line_order(lines: Sequence[TextLine]) -> list[TextLine]:
    """The lines of one balloon as read: rows from the top, pieces of a row from the left; columns from the right."""
    if sum(line.vertical for line in lines) * 2 > len(lines):
        return sorted(lines, key=lambda line: (-line.box.cx, line.box.y))
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda item: item.box.cy):
        if rows and line.box.cy - np.mean([other.box.cy for other in rows[-1]]) < 0.5 * line.size:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda item: item.box.x)]


def joined(lines: Sequence[TextLine]) -> str:
    """The text of ordered lines: joined by spaces, but not within Japanese or Chinese, and line-end hyphens undone."""
    text = ""
    for line in lines:
        text = join_two(text, line.text)
    return text


def join_two(text: str, more: str) -> str:
    """Two lines as one text.

    >>> join_two("DON'T RECOG-", "NIZE GENIUS")
    "DON'T RECOGNIZE GENIUS"
    >>> join_two("THE ZOO --", "AND"), join_two("そんな", "借金なんて")
    ('THE ZOO -- AND', 'そんな借金なんて')
    """
    if not text or not more:
        return text or more
    if _is_wide(text[-1]) and _is_wide(more[0]):
        return text + more
    if re.search(r"[^\W\d_]{2}-$", text) and re.match(r"[^\W\d_]{2}", more):
        return text[:-1] + more
    return f"{text} {more}"


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in ("W", "F")
