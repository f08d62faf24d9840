"""What kind of text a balloon is: a guess from its outline, its ground and its lettering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from comix.core.geometry import Box
from comix.vlm.lines import TextLine
from comix.vlm.paper import Ground

Kind = Literal["dialogue", "thought", "narration", "sfx"]


@dataclass(frozen=True, slots=True)
class PageStyle:
    """What is usual on a page, to judge one text against.

    Attributes:
        size: median size of its lines, pixels.
        paper: median blue, green, red of the ground in its round balloons; None when it has none.
    """

    size: float
    paper: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Setting:
    """How one text is set.

    Attributes:
        enclosed: whether it stands in a patch of ground of its own, at most 12 times its box.
        fill: share of the patch's box inside the patch's outline: 1 for a caption box, 0.79 for an ellipse.
        room: area of the patch's box over that of the text's.
        tint: largest difference of a colour channel, 0 to 255, from the page's balloons.
        ragged: spread of the left edges in line sizes, 0 for one line; ``off_centre`` likewise of the centres.
        size: of its lines over the page's usual.
        slant: mean, degrees.
        n_letters: letters and digits.
        n_lines: lines.
        confidence: mean, 0 to 1.
    """

    enclosed: bool
    fill: float
    room: float
    tint: float
    ragged: float
    off_centre: float
    size: float
    slant: float
    n_letters: int
    n_lines: int
    confidence: float


def style_of(lines: Sequence[TextLine], grounds: Sequence[Ground]) -> PageStyle:
    """What is usual among all lines of a page."""
    if not lines:
        return PageStyle(1.0, None)
    round_ones = [ground.colour for ground in grounds if ground.label and 0.4 < ground.fill < 0.85]
    paper = tuple(float(value) for value in np.median(round_ones, axis=0)) if round_ones else None
    size = float(np.median([line.size for line in lines]))
    return PageStyle(size, (paper[0], paper[1], paper[2]) if paper else None)


def setting_of(lines: Sequence[TextLine], grounds: Sequence[Ground], box: Box, style: PageStyle) -> Setting:
    """How the text made of these lines is set; ``box`` is around them."""
    known = [ground for ground in grounds if ground.label]
    patch = max(known, key=lambda ground: ground.box.area, default=None)
    room = patch.box.area / max(1.0, box.area) if patch else 0.0
    colour = np.median([ground.colour for ground in grounds], axis=0)
    starts = [line.box.y if line.vertical else line.box.x for line in lines]
    middles = [line.box.cy if line.vertical else line.box.cx for line in lines]
    return Setting(
        enclosed=patch is not None and room <= 12,
        fill=patch.fill if patch else 0.0,
        room=room,
        tint=float(np.abs(colour - np.array(style.paper)).max()) if style.paper else 0.0,
        ragged=float(np.std(starts)) / style.size,
        off_centre=float(np.std(middles)) / style.size,
        size=float(np.mean([line.size for line in lines])) / style.size,
        slant=float(np.mean([line.slant for line in lines])),
        n_letters=sum(character.isalnum() for line in lines for character in line.text),
        n_lines=len(lines),
        confidence=float(np.mean([line.confidence for line in lines])),
    )


def kind_of(setting: Setting) -> Kind:
    """The kind of text set like this; thoughts are not told from speech.

    Sound effects are few letters on open ground, large, slanted or hard to read. Captions stand in boxes: a patch that
    fills its rectangle, another colour than the balloons, lines that start flush left.

    >>> kind_of(Setting(True, 0.97, 1.3, 60.0, 0.04, 0.5, 1.0, 0.0, 40, 3, 0.99))
    'narration'
    >>> kind_of(Setting(True, 0.75, 1.6, 0.0, 0.6, 0.04, 1.0, 0.0, 40, 3, 0.99))
    'dialogue'
    >>> kind_of(Setting(False, 0.0, 0.0, 0.0, 0.0, 0.0, 2.4, 12.0, 4, 1, 0.9))
    'sfx'
    """
    odd = setting.size > 1.6 or setting.slant > 8 or setting.confidence < 0.8
    if not setting.enclosed and odd and setting.n_letters <= 14 and setting.n_lines <= 2:
        return "sfx"
    if setting.size > 2.5 and setting.n_letters > 14:
        return "narration"
    return "narration" if _caption_evidence(setting) >= 2 else "dialogue"


def _caption_evidence(setting: Setting) -> float:
    """Points for a caption box; 2 are enough."""
    points = 0.0
    tinted = setting.tint > 45
    if setting.enclosed and setting.room <= (2.5 if tinted else 1.6):
        points += 2.0 if setting.fill >= 0.93 else 1.0 if setting.fill >= 0.86 else 0.0
        points += 2.0 if tinted else 0.0
    if setting.n_lines >= 2 and setting.ragged < 0.12:
        points += 1.0 if setting.n_lines >= 3 else 0.5
    if setting.n_lines >= 2 and setting.ragged > 0.25 and setting.off_centre < 0.1:
        points -= 1.0
    return points
