"""A workspace of drawn books with every kind of region and text, and the same pages in a workspace with nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from comix.cli import main

WIDTH, HEIGHT = 300, 420
BOOKS = {"Don't = a test, #1/Vol. 1 [x]": 3, "漫画/一巻": 2, "plain": 1}
PANELS = [[10, 10, 130.5, 180.25], [150, 10, 140, 180], [10, 200, 280, 210]]


def draw_library(folder: Path) -> None:
    """Folders of images; equal file names in all of them."""
    for number, (book, n_pages) in enumerate(BOOKS.items()):
        for page in range(1, n_pages + 1):
            image = Image.new("RGB", (WIDTH, HEIGHT), "white")
            pen = ImageDraw.Draw(image)
            for x, y, w, h in PANELS:
                pen.rectangle((x, y, x + w, y + h), outline="black", width=3)
            pen.text((20 + page, 20), f"{number} {page}", fill="black")
            (folder / book).mkdir(parents=True, exist_ok=True)
            image.save(folder / book / f"{page:03d}.png")


def annotation(number: int, image: int, category: int, bbox: list[float], **more: Any) -> dict[str, Any]:
    return {"id": number, "image_id": image, "category_id": category, "bbox": bbox, "score": 0.5, **more}


def annotations_coco() -> dict[str, Any]:
    """Ordered panels (one with five corners), other regions, texts in, across and outside panels; a page without panels."""
    images, found, texts = [], [], []
    for book, n_pages in BOOKS.items():
        for page in range(1, n_pages + 1):
            image = len(images) + 1
            images.append({"id": image, "file_name": f"{book}/{page:03d}.png", "width": WIDTH, "height": HEIGHT,
                           "reading_direction": "rtl" if "漫" in book else "ltr", "order_margin": 0.75})  # fmt: skip
            if book == "plain":
                continue
            start = len(found) + 1
            five = [10, 200, 290, 200, 290, 410, 100, 410, 10, 300]
            found += [
                annotation(start, image, 1, PANELS[0], order=1, characters=["Anda", "L; u [x]"], description="a room"),
                annotation(start + 1, image, 1, PANELS[1], order=0),
                annotation(start + 2, image, 1, PANELS[2], order=2, segmentation=[five]),
                annotation(start + 3, image, 4, [20, 20, 60, 30.5]), annotation(start + 4, image, 3, [18, 18, 70, 40]),
                annotation(start + 5, image, 2, [30, 60, 40, 100]), annotation(start + 6, image, 7, [35, 62, 20, 20]),
                annotation(start + 7, image, 5, [200, 100, 50, 40]),
            ]  # fmt: skip
            texts += [
                {"image_id": image, "kind": "dialogue", "text": f"Hi <&> \"{page}\"", "bbox": [20, 20, 60, 30.5],
                 "panel_id": start, "annotation_id": start + 3, "speaker": "Anda", "confidence": 0.25},
                {"image_id": image, "kind": "thought", "text": "やあ、元気？", "bbox": [160, 30, 50, 40.75],
                 "panel_id": start + 1},
                {"image_id": image, "kind": "narration", "text": "Later …", "bbox": [20, 205, 80, 20], "panel_id": start + 2},
                {"image_id": image, "kind": "sfx", "text": "BOOM", "bbox": [200, 100, 50, 40], "panel_id": start + 1},
                {"image_id": image, "kind": "narration", "text": "page 3", "bbox": [140, 412, 20, 6], "is_outside": True},
            ]  # fmt: skip
    categories = [{"id": number, "name": name} for number, name in
                  ((1, "panel"), (2, "character"), (3, "balloon"), (4, "text"), (5, "onomatopoeia"), (7, "face"))]  # fmt: skip
    return {"images": images, "annotations": found, "texts": texts, "categories": categories}


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with pages only; read only."""
    folder = tmp_path_factory.mktemp("interop")
    draw_library(folder / "library, 1")
    workspace = folder / "bare"
    assert main(["extract", f"library={folder / 'library, 1'}", f"workspace={workspace}", "workers=0"]) == 0
    return workspace


@pytest.fixture(scope="session")
def annotated(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with detections ``theirs`` and DataSpecs; read only."""
    folder = tmp_path_factory.mktemp("annotated")
    workspace = folder / "ws"
    shutil.copytree(bare, workspace)
    (folder / "theirs.json").write_text(json.dumps(annotations_coco()), encoding="utf-8")
    given = [f"input={folder / 'theirs.json'}", "name=theirs", f"workspace={workspace}"]
    assert main(["ingest", "format=coco", *given]) == 0
    assert main(["align", "detections=theirs", "reader=theirs", f"workspace={workspace}", "workers=0"]) == 0
    return workspace


@pytest.fixture
def fresh(bare: Path, tmp_path: Path) -> Path:
    """A workspace with pages only, to change at will."""
    shutil.copytree(bare, tmp_path / "fresh")
    return tmp_path / "fresh"


@pytest.fixture
def source(annotated: Path, tmp_path: Path) -> Path:
    """A workspace with detections ``theirs`` and DataSpecs, to change at will."""
    shutil.copytree(annotated, tmp_path / "source")
    return tmp_path / "source"
