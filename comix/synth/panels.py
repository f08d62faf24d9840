"""Panels drawn on a page, and the box that each then has."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box
from comix.synth.art import Drawing, Image
from comix.synth.layout import Cell
from comix.synth.look import Colour, Look
from comix.synth.outline import outline
from comix.synth.shapes import Polygon, box_of, is_upright, within
from comix.synth.treat import Piece, cut_piece

_ROOM = 0.012
"""Gap between panels, as a share of the page's longer side, at which a drawing without a frame is told by its surroundings."""
_VIGNETTES = 0.4
"""Share of such drawings that fade into the ground."""
_UNLIKE = 40
"""Least difference of a channel, of 255, at which a pixel is not the ground's."""


@dataclass(frozen=True, slots=True)
class DrawnPanel:
    """A panel on a page.

    Attributes:
        box: with its frame line; of the drawing where there is none; on the page.
        polygon: corners ``(n, 2)``, clockwise; a rectangle when the panel is one.
        outer: points of the outer edge, frame line included.
        framed: whether a line was drawn around it.
        drawing: what fills it.
        piece: how that was cut.
    """

    box: Box
    polygon: Polygon
    outer: Polygon
    framed: bool
    drawing: Drawing
    piece: Piece


def draw_panel(random: np.random.Generator, page: Image, cell: Cell, drawing: Drawing, look: Look, gap: float) -> DrawnPanel:
    """Fill a cell of the layout with a drawing and put a frame around it.

    A panel without a frame whose drawing ends in the ground's colour gets the box of what can be seen; where that is little, or
    nothing keeps two such panels apart, it gets a frame after all.

    Args:
        random: see `Look`.
        page: changed in place.
        cell: where.
        drawing: what.
        look: how.
        gap: between the panels, pixels.
    """
    height, width = page.shape[:2]
    line = within(outline(random, np.array(cell.polygon), look.wobble, look.rounded), Box(0, 0, width, height))
    left, top = np.floor(line.min(axis=0)).clip(0).astype(int).tolist()
    right, bottom = np.ceil(line.max(axis=0)).clip(max=(width, height)).astype(int).tolist()
    piece = cut_piece(random, drawing, max(8, right - left), max(8, bottom - top), look)
    mask = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(mask, [np.round((line - (left + 0.5, top + 0.5)) * 16).astype(np.int32)], 255, cv2.LINE_8, 4)
    area = page[top:bottom, left:right]
    ground = area.copy()
    fill = piece.image[: bottom - top, : right - left]
    is_loose = not cell.framed and gap > _ROOM * max(width, height)
    if is_loose and random.random() < _VIGNETTES:
        fill = _faded(random, fill, ground)
    frame = look.frame * max(width, height) / 1000 if cell.framed or gap < 3 else 0.0
    seen = _seen(mask, fill, ground)
    if frame == 0 and not _stands_alone(mask, fill, ground, seen, is_loose):
        frame = 2.0
    cv2.copyTo(fill, mask, area)
    polygon = np.array(cell.polygon)
    if frame == 0:
        box = Box(left + seen.x, top + seen.y, seen.w, seen.h)
        polygon = _corners(box) if is_upright(polygon) else polygon
        return DrawnPanel(box, polygon, _corners(box) if is_upright(polygon) else line, False, drawing, piece)
    _frame(page, line, frame, look.frame_colour, ground)
    if look.double and frame > 1:
        cv2.polylines(page, [_shrunk(line, 3 * frame + 3)], True, look.frame_colour, 1, cv2.LINE_AA)
    outer = _grown(line, max(1.0, frame) / 2)
    return DrawnPanel(box_of(outer).clipped(width, height), polygon, outer, True, drawing, piece)


def _grown(line: Polygon, by: float) -> Polygon:
    """Points moved away from the middle, along both axes."""
    return np.asarray(line + np.sign(line - line.mean(axis=0)) * by)


def _seen(mask: NDArray[np.uint8], fill: Image, ground: Image) -> Box:
    """Box of the pixels of a cell that differ from the ground, specks left out."""
    unlike = cv2.bitwise_and(_differs(fill, ground), mask)
    unlike = cv2.morphologyEx(unlike, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    x, y, w, h = cv2.boundingRect(unlike)
    return Box(float(x), float(y), float(w), float(h))


def _differs(fill: Image, ground: Image) -> NDArray[np.uint8]:
    apart = cv2.absdiff(fill, ground)
    most = cv2.max(cv2.max(apart[..., 0], apart[..., 1]), apart[..., 2])
    return np.asarray(cv2.threshold(most, _UNLIKE, 255, cv2.THRESH_BINARY)[1], np.uint8)


def _stands_alone(mask: NDArray[np.uint8], fill: Image, ground: Image, seen: Box, is_loose: bool) -> bool:
    """Whether a drawing without a frame can be told from the ground: its edge for the most part, or as one large picture.

    With much room around it (``is_loose``), a line drawing on the ground's colour will do.
    """
    height, width = mask.shape
    rim = cv2.bitwise_and(mask, cv2.bitwise_not(cv2.erode(mask, np.ones((5, 5), np.uint8), borderValue=0)))
    apart = _differs(fill, ground)
    pale = 1 - cv2.countNonZero(cv2.bitwise_and(apart, rim)) / max(1, cv2.countNonZero(rim))
    inside = cv2.countNonZero(cv2.bitwise_and(apart, mask)) / max(1, cv2.countNonZero(mask))
    least, covered = (0.04, 0.4) if is_loose else (0.25, 0.6)
    return pale < 0.3 or (inside > least and seen.area > covered * width * height)


def _faded(random: np.random.Generator, fill: Image, ground: Image) -> Image:
    """The drawing with soft, ragged edges."""
    height, width = fill.shape[:2]
    grid = random.uniform(0.1, 1.0, (9, 9))
    grid[2:-2, 2:-2] = 1.5
    grid[[0, -1]], grid[:, [0, -1]] = 0.0, 0.0
    alpha = cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    soft = np.clip((alpha - 0.35) * float(random.uniform(1.5, 12)) + 0.5, 0, 1)[..., None]
    return np.asarray(fill * soft + ground * (1 - soft), np.uint8)


def _frame(page: Image, line: Polygon, thickness: float, colour: Colour, ground: Image) -> None:
    """The line; one thinner than a pixel is paler."""
    if thickness < 1:
        base = np.median(ground.reshape(-1, 3)[::31], axis=0)
        red = [int(c * 0.55 + g * 0.45) for c, g in zip(colour, base.tolist(), strict=True)]
        colour = (red[0], red[1], red[2])
    points = np.round((line - 0.5) * 16).astype(np.int32)  # OpenCV counts from the middle of a pixel
    cv2.polylines(page, [points], True, colour, max(1, round(thickness)), cv2.LINE_AA, 4)


def _shrunk(line: Polygon, by: float) -> NDArray[np.int32]:
    centre, half = line.mean(axis=0), np.ptp(line, axis=0) / 2
    return np.asarray(np.round((line - centre) * (1 - by / np.maximum(half, by * 2)) + centre), np.int32)


def _corners(box: Box) -> Polygon:
    return np.array([(box.x, box.y), (box.r, box.y), (box.r, box.b), (box.x, box.b)])
