"""Boxes from a file instead of a detector: your own annotations, or another tool's COCO output."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comix.core.errors import ItemError
from comix.core.files import digest
from comix.core.geometry import Box
from comix.core.ids import unescape
from comix.core.page import Detection
from comix.io.coco import CATEGORY_IDS, PANEL_NAMES, CocoFile, read_coco


class ReplayDetector:
    """Plays back a COCO file.

    A page gets the boxes of the image whose ``page_id`` is its id, or whose ``file_name`` is its image path in the
    workspace. Nothing is guessed: a page without an entry is a failed row.

    Args:
        path: the COCO file.
        name: folder below ``detections/``.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not COCO.
    """

    def __init__(self, path: str, name: str = "replay") -> None:
        self.name = name
        self._coco: CocoFile = read_coco(Path(path))
        self._by_page = {page_id_of(image): image for image in self._coco.document["images"]}
        self._found: dict[Any, list[dict[str, Any]]] = {}
        for annotation in self._coco.document["annotations"]:
            self._found.setdefault(annotation["image_id"], []).append(annotation)
        self._names = {one["id"]: str(one["name"]).lower() for one in self._coco.document.get("categories", [])}
        self.version = digest(self._coco.document["images"], self._coco.document["annotations"])

    def page_ids(self) -> set[str]:
        """Pages the file speaks of."""
        return set(self._by_page)

    def detect(self, image: NDArray[np.uint8], page_id: str = "") -> list[Detection]:
        """The file's boxes for this page, scaled when the file was made at another size.

        Raises:
            ItemError: ``missing_input`` when the file has no entry for the page.
        """
        entry = self._by_page.get(page_id)
        if entry is None:
            raise ItemError("missing_input", f"the replayed file has no image with page_id {page_id!r}")
        height, width = image.shape[:2]
        scale_x = width / entry["width"] if entry.get("width") else 1.0
        scale_y = height / entry["height"] if entry.get("height") else 1.0
        return [
            Detection(Box.from_xywh(one["bbox"]).scaled(scale_x, scale_y), float(one.get("score", 1.0)), self._category(one))
            for one in self._found.get(entry["id"], [])
            if self._category(one) in CATEGORY_IDS
        ]

    def _category(self, annotation: dict[str, Any]) -> str:
        name = self._names.get(annotation.get("category_id"), "panel")
        return "panel" if name in PANEL_NAMES else name


def page_id_of(image: dict[str, Any]) -> str:
    """The page an entry of ``images`` speaks of: its ``page_id``, else the id its file name was made from.

    >>> page_id_of({"file_name": "pages/What%3F/0003.jpg"})
    'What?/0003'
    """
    if image.get("page_id"):
        return str(image["page_id"])
    path = PurePosixPath(str(image.get("file_name", "")).replace("\\", "/"))
    parts = path.with_suffix("").parts
    return unescape("/".join(parts[1:] if parts[:1] == ("pages",) else parts))
