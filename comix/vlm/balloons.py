"""Lines to balloons: which lines belong together, what they say, and what kind of text it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box, bounding_box
from comix.vlm.kinds import Kind, kind_of, setting_of, style_of
from comix.vlm.lettering import in_line_order, joined, words_between_spaces
from comix.vlm.lines import TextLine
from comix.vlm.paper import Ground, grounds_of


@dataclass(frozen=True, slots=True)
class Balloon:
    """One balloon, caption or sound effect.

    Attributes:
        text: its lines in reading order, joined.
        box: around the lettering, page pixels.
        kind: a guess from shape and ground.
        confidence: 0 to 1, mean over characters.
        outline: around the balloon itself, where it is a patch of ground of its own.
    """

    text: str
    box: Box
    kind: Kind
    confidence: float
    outline: Box | None = None


def balloons_of(image: NDArray[np.uint8], lines: Sequence[TextLine]) -> list[Balloon]:
    """The balloons that the lines of a ``(h, w, 3)`` BGR page make up, in no particular order.

    Every line is in one, but for punctuation by itself that stands in no small patch of ground: marks in the drawing.
    """
    grounds = grounds_of(image, lines)
    style = style_of(lines, grounds)
    known = words_between_spaces(lines)
    found = []
    for group in groups_of(lines, grounds, Box(0, 0, image.shape[1], image.shape[0])):
        members = [lines[index] for index in group]
        box = bounding_box(line.box for line in members)
        weights = [len(line.text) for line in members]
        confidence = float(np.average([line.confidence for line in members], weights=weights))
        ground = [grounds[index] for index in group]
        if not _worth(members, ground, image.shape[0] * image.shape[1]):
            continue
        kind = kind_of(setting_of(members, ground, box, style))
        text = joined(in_line_order(members), known)
        found.append(Balloon(text, box, kind, round(confidence, 3), outline_of(ground, box)))
    return found


def _worth(lines: Sequence[TextLine], grounds: Sequence[Ground], page_area: float) -> bool:
    if any(character.isalnum() for line in lines for character in line.text):
        return True
    return any(ground.label and ground.box.area < 0.05 * page_area for ground in grounds)


def outline_of(grounds: Sequence[Ground], box: Box, room: float = 6.0) -> Box | None:
    """The box of the patch around a text, None when it has none of its own: at most ``room`` times the text's area."""
    boxes = [ground.box for ground in grounds if ground.label and ground.box.area <= room * box.area]
    return max(boxes, key=lambda one: one.area).union(box) if boxes else None


def groups_of(lines: Sequence[TextLine], grounds: Sequence[Ground], page: Box) -> list[list[int]]:
    """Indices of the lines of each balloon; each line is in exactly one."""
    leading = usual_gap(lines, grounds)
    parent = list(range(len(lines)))

    def root(one: int) -> int:
        while parent[one] != one:
            one = parent[one]
        return one

    for first in range(len(lines)):
        for second in range(first + 1, len(lines)):
            if belong_together(lines[first], lines[second], grounds[first], grounds[second], page, leading):
                parent[root(second)] = root(first)
    groups: dict[int, list[int]] = {}
    for index in range(len(lines)):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def usual_gap(lines: Sequence[TextLine], grounds: Sequence[Ground]) -> float:
    """The page's leading: how far a line lies below the one before it, in line sizes between their boxes.

    The lower quartile over each line's next neighbour, so that the wider gaps between balloons do not count; 0 with
    fewer than three neighbours.
    """
    gaps = []
    for one, ground in zip(lines, grounds, strict=True):
        below = [
            gap
            for other, its_ground in zip(lines, grounds, strict=True)
            if other is not one
            and alike(one, other)
            and same_ground(ground, its_ground) is not False
            and (gap := gaps_between(one, other)).shared > 0.3
            and gap.below
            and gap.across < 1.0
        ]
        if below:
            gaps.append(min(gap.across for gap in below))
    return float(np.percentile(gaps, 25)) if len(gaps) >= 3 else 0.0


@dataclass(frozen=True, slots=True)
class Gap:
    """How two lines lie to each other, as if both ran from left to right; lengths in line sizes.

    Attributes:
        across: from the bottom of the upper to the top of the lower one; negative when their boxes overlap.
        along: from the end of one to the start of the other; negative when one lies over the other.
        shared: part of the shorter one that the other covers along the line, 0 to 1.
        below: whether the second line comes after the first: under it, or left of it for columns.
    """

    across: float
    along: float
    shared: float
    below: bool


def gaps_between(first: TextLine, second: TextLine) -> Gap:
    """How two lines of the same writing direction lie to each other."""
    a, b = first.box, second.box
    if first.vertical:
        a, b = Box(a.y, -a.r, a.h, a.w), Box(b.y, -b.r, b.h, b.w)
    size = (first.size + second.size) / 2
    across = (max(a.y, b.y) - min(a.b, b.b)) / size
    along = (max(a.x, b.x) - min(a.r, b.r)) / size
    return Gap(across, along, a.overlap_x(b) / max(1e-9, min(a.w, b.w)), b.cy > a.cy)


def alike(first: TextLine, second: TextLine) -> bool:
    """Whether two lines are lettered alike: direction, size within 1.8 times, slant within 15 degrees."""
    small, large = sorted((first.size, second.size))
    return first.vertical == second.vertical and large <= 1.8 * small and abs(first.slant - second.slant) <= 15


def same_ground(ground: Ground, other: Ground) -> bool | None:
    """Whether two lines stand on one connected patch of ground; None when that cannot be told."""
    return ground.label == other.label if ground.label and other.label else None


def belong_together(first: TextLine, second: TextLine, ground: Ground, other: Ground, page: Box, leading: float) -> bool:
    """Whether two lines are neighbours in one balloon, by size, gap, alignment and the ground they stand on.

    An outline between them decides against it. Inside one small enclosed patch gaps may be wide; on open ground they
    must be near the page's ``leading`` (line sizes).
    """
    same = same_ground(ground, other)
    if same is False or not alike(first, second):
        return False
    enclosed = same is True and ground.box.area < 0.15 * page.area
    gap = gaps_between(first, second)
    if gap.across < -0.5 and gap.shared < 0.3:
        return gap.along < (1.2 if enclosed else 0.5)
    if gap.shared < (0.15 if enclosed else 0.3):
        return False
    if enclosed:
        return gap.across < (0.45 if first.vertical else 0.9)
    return gap.across < min(0.7, leading + 0.2)
