"""Workspaces with small drawn pages, made in milliseconds."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comix.core.geometry import Box
from comix.core.page import Detection, PageRecord
from comix.core.workspace import Workspace
from comix.io.coco import write_predictions
from comix.io.detections import PageDetections
from comix.io.tables import read_pages, write_pages

PANELS = [Box(2, 2, 28, 59), Box(33, 2, 28, 59)]


def page_bytes(number: int, size: int = 64) -> bytes:
    """A PNG page with two panels; its number is in its pixels."""
    image = np.full((size, size, 3), 255, np.uint8)
    cv2.rectangle(image, (2, 2), (size // 2 - 2, size - 3), (0, 0, 0), 1)
    cv2.rectangle(image, (size // 2 + 1, 2), (size - 3, size - 3), (0, 0, 0), 1)
    for bit in range(20):
        image[4 + bit // 10, 4 + bit % 10] = 0 if number >> bit & 1 else 255
    return cv2.imencode(".png", image)[1].tobytes()


def record(number: int, data: bytes, size: int = 64, book: str = "book") -> PageRecord:
    values: dict[str, Any] = {one.name: "" if one.type == "str" else 0 for one in fields(PageRecord)}
    page_id = f"{book}/{number:04}"
    facts = {"page_id": page_id, "book_id": book, "page_num": number, "image_path": f"pages/{page_id}.png"}
    return PageRecord(**(values | facts | {"width": size, "height": size, "sha256": hashlib.sha256(data).hexdigest()}))


def drawn_workspace(root: Path, n_pages: int, same: dict[int, int] | None = None) -> tuple[Workspace, list[str]]:
    """A workspace of so many pages, and the sha256 of each; ``same`` says which page looks like which other."""
    workspace = Workspace(root).create()
    rows = []
    for number in range(1, n_pages + 1):
        data = page_bytes((same or {}).get(number, number))
        rows.append(record(number, data))
        path = root / rows[-1].image_path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    write_pages(workspace.pages_table, rows)
    return workspace, [row.sha256 for row in rows]


def with_panels(workspace: Workspace) -> Workspace:
    """The workspace with the two panels of every page detected and ordered."""
    pages = read_pages(workspace.pages_table)
    found = [
        PageDetections(
            page.page_id, page.width, page.height, tuple(Detection(box, 0.9) for box in PANELS), (0, 1), is_ordered=True
        )
        for page in pages
    ]
    write_predictions(workspace.predictions("gutter"), zip(pages, found, strict=True), {})
    return workspace
