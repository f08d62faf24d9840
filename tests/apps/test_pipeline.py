"""The whole way on six pages: counts that add up, resume, other comics give other results."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from comix.core.journal import Journal


def members_counted_by_hand(library: Path) -> tuple[int, int]:
    """Containers and members, counted without any code of the project."""
    containers = members = 0
    for path in sorted(library.rglob("*")):
        if path.suffix == ".cbz":
            containers += 1
            if zipfile.is_zipfile(path):
                members += sum(not info.is_dir() for info in zipfile.ZipFile(path).infolist())
        elif path.is_dir() and any(path.glob("*.jpg")):
            containers += 1
            members += sum(one.is_file() for one in path.iterdir())
    return containers, members


def test_every_input_ends_in_one_of_three_states(finished: Path, library: Path) -> None:
    n_containers, n_members = members_counted_by_hand(library)
    with Journal(finished / "journal" / "extract.sqlite", library.name) as journal:
        counts = journal.counts()
    containers = {status: n for (child, status), n in counts.items() if not child}
    members = {status: n for (child, status), n in counts.items() if child}
    assert sum(containers.values()) - containers.get("skipped", 0) == n_containers
    assert containers["failed"] == 1
    assert sum(members.values()) == n_members
    assert members["done"] == 6
    for stage in ("detect", "order", "analyze", "align", "curate"):
        variant = {"detect": "gutter", "order": "gutter", "analyze": "ocr", "align": "gutter+ocr", "curate": ""}[stage]
        with Journal(finished / "journal" / f"{stage}.sqlite", variant) as journal:
            assert sum(journal.counts().values()) == 6, stage


def test_results_lie_where_the_layout_says(finished: Path) -> None:
    pages = pd.read_parquet(finished / "pages.parquet")
    assert len(pages) == 6
    assert pages["page_id"].is_unique
    haruko = pages[pages["container"].str.contains("Haruko")]
    assert set(haruko["reading_direction"]) == {"rtl"}
    for path in pages["image_path"]:
        assert (finished / path).is_file()
    document = json.loads((finished / "detections/gutter/predictions.json").read_text(encoding="utf-8"))
    assert {image["page_id"] for image in document["images"]} == set(pages["page_id"])
    assert all("order" in one and 0 <= one["score"] <= 1 for one in document["annotations"])
    for line in (finished / "lists/training.txt").read_text(encoding="utf-8").splitlines():
        spec = json.loads((finished / "lists" / line).read_text(encoding="utf-8"))
        assert spec["version"] == "0.3"
        assert spec["quality"]["score"] >= 3


def test_the_words_on_the_page_are_in_the_dataspec(finished: Path) -> None:
    pages = pd.read_parquet(finished / "pages.parquet")
    golden = pages[pages["series"].str.contains("Baffling")]["page_id"]
    text = " ".join((finished / "dataspec" / f"{page}.json").read_text(encoding="utf-8").upper() for page in golden)
    assert sum(word in text for word in ("THE", "AND", "THAT", "WITH", "NOT", "YOU")) >= 4


def test_second_run_has_nothing_to_do(finished: Path, library: Path, comix: Callable[..., object]) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*.json")}
    ran = comix("pipeline", f"library={library}", f"workspace={finished}")
    assert ran.out.count("0 to do") == 6
    assert before == {path: path.stat().st_mtime_ns for path in finished.rglob("*.json") if "runs" not in path.parts}


def test_a_lost_analysis_is_made_again(workspace_copy: Path, comix: Callable[..., object]) -> None:
    lost = next((workspace_copy / "analysis" / "ocr").rglob("*.json"))
    content = lost.read_bytes()
    lost.unlink()
    ran = comix("analyze", f"workspace={workspace_copy}", "workers=1")
    assert "1 worked on now" in ran.out
    assert lost.read_bytes() == content


def test_a_gone_image_fails_one_page_and_retry_mends_it(workspace_copy: Path, comix: Callable[..., object]) -> None:
    pages = pd.read_parquet(workspace_copy / "pages.parquet")
    image = workspace_copy / pages["image_path"][0]
    kept = image.rename(image.with_suffix(".gone"))
    ran = comix("detect", f"workspace={workspace_copy}", "detector.tolerance=17")
    assert ran.code == 1
    assert "6 pages = 5 done + 1 failed" in ran.out
    assert "image_missing" in comix("failures", f"workspace={workspace_copy}").out
    kept.rename(image)
    again = ("detect", f"workspace={workspace_copy}", "detector.tolerance=17")
    assert "(0 to do)" in comix(*again).out
    assert "(0 to do)" in comix(*again, "retry=failed:timeout").out
    assert "6 pages = 6 done" in comix(*again, "retry=failed").out


def test_books_added_later_rename_nothing(library: Path, tmp_path: Path, comix: Callable[..., object]) -> None:
    grown, workspace = tmp_path / "grown", tmp_path / "ws"
    shutil.copytree(library, grown)
    comix("extract", f"library={grown}", f"workspace={workspace}")
    before = pd.read_parquet(workspace / "pages.parquet").set_index("page_id")["sha256"].to_dict()
    page = next(grown.rglob("*.jpg"))
    with zipfile.ZipFile(grown / "AAA first.cbz", "w") as archive:
        archive.write(page, "1.jpg")
    book = next(grown.rglob("Pepper&Carrot 01 - Potion of Flight.cbz"))
    shutil.copy(book, book.with_suffix(".zip"))
    comix("extract", f"library={grown}", f"workspace={workspace}")
    after = pd.read_parquet(workspace / "pages.parquet").set_index("page_id")["sha256"].to_dict()
    assert before.items() <= after.items()
    assert "AAA first/0001" in after
    assert any(page_id.endswith("Potion of Flight.zip/0001") for page_id in after)


def test_other_comics_give_other_results(tmp_path: Path, comix: Callable[..., object]) -> None:
    folder = tmp_path / "drawn" / "Two by two"
    folder.mkdir(parents=True)
    page = np.full((1200, 900, 3), 255, np.uint8)
    for row in range(2):
        for column in range(2):
            x, y = 40 + 420 * column, 40 + 570 * row
            cv2.rectangle(page, (x, y), (x + 395, y + 545), (200 - 40 * row, 180, 120 + 50 * column), -1)
            cv2.rectangle(page, (x, y), (x + 395, y + 545), (0, 0, 0), 4)
    cv2.imwrite(str(folder / "1.png"), page)
    workspace = tmp_path / "ws"
    ran = comix("demo", f"library={folder.parent}", f"workspace={workspace}")
    assert ran.code == 0
    document = json.loads((workspace / "detections/gutter/predictions.json").read_text(encoding="utf-8"))
    assert [image["page_id"] for image in document["images"]] == ["Two by two/0001"]
    boxes = sorted(document["annotations"], key=lambda one: one["order"])
    assert [(one["bbox"][0] < 450, one["bbox"][1] < 600) for one in boxes] == [
        (True, True), (False, True), (True, False), (False, False),
    ]  # fmt: skip
    assert "Two by two" in (workspace / "report" / "index.html").read_text(encoding="utf-8")


def test_demo_names_its_credits(comix: Callable[..., object]) -> None:
    ran = comix("demo", "credits=true", "workspace=never-made")
    assert "David Revoy" in ran.out
    assert not Path("never-made").exists()


def test_status_and_failures_of_a_finished_workspace(finished: Path, comix: Callable[..., object]) -> None:
    assert "members" in comix("status", f"workspace={finished}").out
    ran = comix("failures", f"workspace={finished}", "format=json")
    rows = json.loads(ran.out)
    assert [(row["stage"], row["reason"]) for row in rows] == [("extract", "archive_damaged")]
    assert rows[0]["hint"]


@pytest.mark.parametrize("words", [("order", "boxes=missing.json", "output=x.json"), ("order", "boxes=missing.json")])
def test_order_of_a_file_that_is_not_there(words: tuple[str, ...], comix: Callable[..., object], tmp_path: Path) -> None:
    assert comix(*words, f"workspace={tmp_path}").code == 2
