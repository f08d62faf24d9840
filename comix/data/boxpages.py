"""Labelled pages to learn boxes from: COCO files with the folders their images lie in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from comix.core.errors import FileFormatError, MissingInputError
from comix.io.coco import PANEL_NAMES, checked_box, read_coco


@dataclass(frozen=True, slots=True)
class BoxSource:
    """Where pages come from.

    Attributes:
        coco: file with boxes; ``images``: folder its file names are relative to.
        pages: file names that are taken, or how they start; or ``FILE.yaml#KEY``, such a list in a YAML file; or a text
            file of them, one a line; empty for all.
        weight: how often its pages are shown, relative to the other sources; all its pages together.
    """

    coco: str
    images: str
    pages: Sequence[str] | str = ()
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class BoxPage:
    """One labelled page.

    Attributes:
        path: of its image.
        name: file name in the COCO file.
        source: position of its source.
        width: pixels, likewise ``height``.
        boxes: ``(k, 4)`` float32 xyxy, pixels of the page; k may be 0.
        labels: ``(k,)`` int64, from 1, positions in the list of classes.
    """

    path: Path
    name: str
    source: int
    width: int
    height: int
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]


def read_box_pages(sources: Sequence[BoxSource], classes: Sequence[str]) -> list[BoxPage]:
    """Pages of all sources, in the order of their files.

    Args:
        sources: at least one.
        classes: category names that are learned, ``panel`` first; boxes of others are left out.

    Raises:
        MissingInputError: a file, folder or image is absent, no source, or no page is left.
        FileFormatError: not COCO, a box that is none, or a listed page that the file does not know.
    """
    if not sources:
        raise MissingInputError("no labelled pages: name at least one source {coco: FILE, images: FOLDER}")
    pages = [page for number, source in enumerate(sources) for page in _of_source(number, source, classes)]
    absent = [page.path for page in pages if not page.path.is_file()]
    if absent:
        raise MissingInputError(
            f"{absent[0]}: image not found ({len(absent)} of {len(pages)} are not there); images= must be the folder that "
            "the file names of the COCO file are relative to"
        )
    return pages


def _of_source(number: int, source: BoxSource, classes: Sequence[str]) -> list[BoxPage]:
    path, root = Path(source.coco).expanduser(), Path(source.images).expanduser()
    document = read_coco(path).document
    wanted = _wanted(source)
    known = [str(image.get("file_name", "")) for image in document["images"]]
    if wanted and not any(name.startswith(wanted) for name in known):
        raise FileFormatError(f"{path}: none of its {len(known)} images is listed, which start with {', '.join(wanted[:5])}")
    names = {one["id"]: str(one.get("name", "")).lower() for one in document.get("categories", [])}
    labels = {key: _label(name, classes) for key, name in names.items()}
    found: dict[Any, list[tuple[NDArray[np.float32], int]]] = {}
    for position, one in enumerate(document["annotations"]):
        box = checked_box(f"{path}: annotations[{position}]", one["bbox"])
        label = labels.get(one.get("category_id"), 0 if labels else 1)
        if label and box.area > 0:
            found.setdefault(one["image_id"], []).append((np.array(box.xyxy, np.float32), label))
    chosen = [image for image in document["images"] if not wanted or str(image.get("file_name", "")).startswith(wanted)]
    if not chosen:
        raise MissingInputError(f"{path}: it has no images, so there is nothing to learn from")
    return [_page(path, root, number, image, found.get(image["id"], [])) for image in chosen]


def _page(
    path: Path, root: Path, number: int, image: Mapping[str, Any], found: Sequence[tuple[NDArray[np.float32], int]]
) -> BoxPage:
    if not (image.get("width") and image.get("height")):
        raise FileFormatError(f"{path}: image {image.get('file_name')!r} has no width and height")
    boxes = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
    labels = np.array([label for _, label in found], np.int64)
    name = str(image["file_name"])
    return BoxPage(root / name, name, number, int(image["width"]), int(image["height"]), boxes, labels)


def _wanted(source: BoxSource) -> tuple[str, ...]:
    if not isinstance(source.pages, str):
        return tuple(source.pages)
    name, _, key = source.pages.partition("#")
    path = Path(name).expanduser()
    if not path.is_file():
        raise MissingInputError(f"{path}: no such list of pages")
    text = path.read_text(encoding="utf-8")
    listed = yaml.safe_load(text).get(key) if key else [line.strip() for line in text.splitlines() if line.strip()]
    if not listed:
        raise MissingInputError(f"{source.pages}: the list of pages is empty")
    return tuple(str(one) for one in listed)


def _label(name: str, classes: Sequence[str]) -> int:
    name = "panel" if name in PANEL_NAMES else name
    return classes.index(name) + 1 if name in classes else 0


def pages_digest(pages: Sequence[BoxPage]) -> str:
    """A hash of which pages have which boxes; images by path, size and time, so that nothing has to be decoded."""
    whole = hashlib.sha256()
    for page in pages:
        state = page.path.stat()
        whole.update(f"{page.path}\n{page.source}\n{state.st_size}\n{state.st_mtime_ns}\n".encode())
        whole.update(page.boxes.tobytes() + page.labels.tobytes())
    return whole.hexdigest()[:16]
