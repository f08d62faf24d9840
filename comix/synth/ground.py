"""What shows between the panels."""

from __future__ import annotations

import cv2
import numpy as np

from comix.core.geometry import bounding_box
from comix.synth.art import Drawing, Image
from comix.synth.layout import Layout
from comix.synth.look import Look


def laid_ground(random: np.random.Generator, page: Layout, look: Look, drawing: Drawing) -> Image:
    """A page without panels: plain, graded, or with a pale or dark picture; perhaps a sheet of another colour on it.

    Args:
        random: see `Look`.
        page: its size and where the panels will be.
        look: what ground.
        drawing: for pictures as ground.
    """
    ground = np.full((page.height, page.width, 3), look.colour, np.uint8)
    if look.ground == "texture":
        ground = _texture(random, page, look, drawing)
    elif look.ground == "gradient":
        ends = np.clip(np.array([look.colour, look.colour]) + random.integers(-70, 70, (2, 3)), 0, 255)
        t = np.linspace(0, 1, page.height if random.random() < 0.6 else page.width)[:, None]
        ramp = (ends[0] * (1 - t) + ends[1] * t).astype(np.uint8)
        ground = np.ascontiguousarray(np.broadcast_to(ramp[:, None] if len(ramp) == page.height else ramp[None], ground.shape))
    if look.inner_sheet is not None and page.cells:
        pad = page.gap + 2
        around = bounding_box(page.boxes)
        cv2.rectangle(
            ground, (int(around.x - pad), int(around.y - pad)), (int(around.r + pad), int(around.b + pad)), look.inner_sheet, -1
        )
    return ground


def _texture(random: np.random.Generator, page: Layout, look: Look, drawing: Drawing) -> Image:
    """A soft, low-contrast picture, or grain."""
    if random.random() < 0.5:
        small = cv2.GaussianBlur(drawing.image, (0, 0), 3)
        large = cv2.resize(small, (page.width, page.height), interpolation=cv2.INTER_LINEAR)
        flat = np.full_like(large, look.colour)
        return np.asarray(cv2.addWeighted(large, 0.3, flat, 0.7, 0), np.uint8)
    cell = int(random.integers(2, 9))
    grain = random.integers(-16, 17, (page.height // cell + 1, page.width // cell + 1, 1))
    coarse = np.clip(np.array(look.colour) + grain, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (page.width, page.height), interpolation=cv2.INTER_LINEAR), np.uint8)
