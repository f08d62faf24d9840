"""Two drawn books and a broken one, taken through all stages by the library functions; the reader is a hand-written one."""

from __future__ import annotations

import shutil
import zipfile
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from comix.align.stage import AlignSettings, run_align
from comix.core.journal import Journal, Row
from comix.core.work import RunOptions
from comix.core.workspace import Workspace
from comix.curate.stage import run_curate
from comix.curate.training import derive_training
from comix.detect.gutter import GutterDetector
from comix.detect.ordering import OrderRule, run_order
from comix.detect.stage import PageDetector, run_detect
from comix.intake.extract import run_extract
from comix.io.analysis import Analysis, PanelReading, ReaderInfo, TextItem, UnassignedText, analysis_path, write_analysis
from comix.io.coco import read_predictions

EVIL = "</span><script>alert(1)</script>\"'&"
LINE = "Nobody told me that the lighthouse keeper sings"
OPTIONS = RunOptions(workers=0)


def drawn_page(n_rows: int, seed: int) -> bytes:
    image = np.full((900, 600, 3), 255, np.uint8)
    height = (900 - 40) // n_rows
    rng = np.random.default_rng(seed)
    for row in range(n_rows):
        for column in range(2):
            left, top = 20 + column * 285, 20 + row * height
            cv2.rectangle(image, (left, top), (left + 265, top + height - 20), rng.integers(60, 200, 3).tolist(), -1)
            cv2.rectangle(image, (left, top), (left + 265, top + height - 20), (0, 0, 0), 4)
    return cv2.imencode(".png", image)[1].tobytes()


def write_book(path: Path, pages: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as book:
        for name, data in pages.items():
            book.writestr(name, data)


def extract(root: Path) -> Workspace:
    library = root / "library"
    library.mkdir()
    pages = {f"{number}.png": drawn_page(number, number) for number in (1, 2, 3)}
    write_book(library / "plain.cbz", {**pages, "Thumbs.db": b"x", "broken.png": b"\x89PNG\r\n\x1a\n"})
    write_book(library / "<script>alert('name')<.cbz", {"a.png": drawn_page(2, 7), "b.png": pages["3.png"]})
    (library / "cut.cbz").write_bytes(b"PK\x03\x04 not a whole archive")
    workspace = Workspace(root / "ws").create()
    run_extract(workspace, library, "drawn", 1200, OPTIONS)
    return workspace


def detect(workspace: Workspace) -> None:
    detector = GutterDetector()
    run_detect(workspace, partial(PageDetector, detector, 0.0), detector, {}, 0, OPTIONS)


def read_by_hand(workspace: Workspace) -> None:
    """Analyses of all pages but one, with words that would break careless HTML."""
    folder, rows = workspace.analysis_dir("hand"), []
    for page_id, found in read_predictions(workspace.predictions("gutter")).items():
        if page_id == "plain/0003":
            rows.append(Row(page_id, "failed", reason="timeout", detail="60 s", hint="wait longer"))
            continue
        panels = [
            PanelReading(
                panel_number=number, box=list(one.box.xywh),
                dialogue=[TextItem(text=f"Hello {number} {EVIL}"), TextItem(text=LINE)],
                sfx=[TextItem(text="BANG", bbox=[30, 30, 50, 20])] if number == 1 else [],
            )
            for number, one in enumerate(found.panels(), start=1)
        ]  # fmt: skip
        write_analysis(
            analysis_path(folder, page_id),
            Analysis(
                page_id=page_id, reader=ReaderInfo(name="hand"), panel_source="given", panels=panels,
                unassigned=[UnassignedText(text="page number")] if page_id == "plain/0002" else [],
            ),
        )  # fmt: skip
        rows.append(Row(page_id, "done", result={"n_panels": len(panels), "n_texts": len(panels) + 1, "n_unassigned": 0}))
    rows.append(Row("gone/0001", "failed", reason="timeout"))  # a page that is no longer in the table counts nowhere
    with Journal(workspace.journal("analyze"), "hand") as journal:
        journal.record((row, ()) for row in rows)


@pytest.fixture(scope="session")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Only `extract` has run."""
    return extract(tmp_path_factory.mktemp("extracted"))


@pytest.fixture
def detected(extracted: Workspace, tmp_path: Path) -> Workspace:
    """`extract` and `detect` have run, `order` has not."""
    workspace = Workspace(Path(shutil.copytree(extracted.root, tmp_path / "ws")))
    detect(workspace)
    return workspace


@pytest.fixture(scope="session")
def aligned(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """All stages have run, detector ``gutter``, reader ``hand``."""
    workspace = extract(tmp_path_factory.mktemp("aligned"))
    detect(workspace)
    run_order(workspace, "gutter", OrderRule(), OPTIONS)
    read_by_hand(workspace)
    run_align(workspace, AlignSettings("gutter", "hand"), OPTIONS)
    run_curate(workspace, "gutter", ["interior", "splash"], 12, OPTIONS)
    derive_training(workspace)
    return workspace
