"""Drawn art: no file is read."""

from __future__ import annotations

import cv2
import numpy as np

from comix.synth.art import Art, Drawing


def drawn_art() -> Art:
    """Two books of four drawings: scribbles on colour, and ink on white."""
    random = np.random.default_rng(5)
    books = {}
    for book in ("ink", "paint"):
        drawings = []
        for number in range(4):
            back = (255, 255, 255) if book == "ink" else tuple(int(v) for v in random.integers(60, 220, 3))
            image = np.full((300, 240 + 40 * number, 3), back, np.uint8)
            for _ in range(25):
                (x, y), radius = random.integers(0, 300, 2).tolist(), int(random.integers(5, 50))
                cv2.circle(image, (x, y), radius, tuple(int(v) for v in random.integers(0, 120, 3)), 3)
            drawings.append(Drawing(image, book, f"{book}/{number // 2:04d}", number % 2, book == "ink"))
        books[book] = tuple(drawings)
    return Art(books)
