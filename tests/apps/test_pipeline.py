"""The whole way on six pages: counts that add up, resume, other comics give other results."""

from __future__ import annotations

import json
import os
import pty
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from comix.core.journal import Journal
from comix.core.work import stage_lock


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
        variant = {"detect": "ensemble", "order": "ensemble", "analyze": "ocr", "align": "ensemble+ocr", "curate": ""}[stage]
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
    document = json.loads((finished / "detections/ensemble/predictions.json").read_text(encoding="utf-8"))
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
    ran = comix("pipeline", f"library={library}", f"workspace={finished}", "until=curate")
    assert ran.out.count("0 to do") == 7  # six stages, and the groups of similar pages that curate looks at
    assert before == {path: path.stat().st_mtime_ns for path in finished.rglob("*.json") if "runs" not in path.parts}


def test_a_lost_analysis_is_made_again(workspace_copy: Path, comix: Callable[..., object]) -> None:
    lost = next((workspace_copy / "analysis" / "ocr").rglob("*.json"))
    content = lost.read_bytes()
    lost.unlink()
    ran = comix("analyze", f"workspace={workspace_copy}")
    assert "1 worked on now" in ran.out
    assert lost.read_bytes() == content


def test_a_gone_image_fails_one_page_until_it_is_back(workspace_copy: Path, comix: Callable[..., object]) -> None:
    pages = pd.read_parquet(workspace_copy / "pages.parquet")
    image = workspace_copy / pages["image_path"][0]
    kept = image.rename(image.with_suffix(".gone"))
    ran = comix("detect", f"workspace={workspace_copy}", "detector.min_score=0.51")
    assert ran.code == 1
    assert "6 pages = 5 done + 1 failed" in ran.out
    assert "image_missing" in comix("failures", f"workspace={workspace_copy}").out
    kept.rename(image)
    assert "6 pages = 6 done" in comix("detect", f"workspace={workspace_copy}", "detector.min_score=0.51").out


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
    ran = comix("demo", f"library={folder.parent}", f"workspace={workspace}", "until=curate")
    assert ran.code == 0
    document = json.loads((workspace / "detections/ensemble/predictions.json").read_text(encoding="utf-8"))
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


def test_another_library_of_the_same_name_is_not_taken_for_the_first(tmp_path: Path, comix: Callable[..., object]) -> None:
    page = next((Path(__file__).parents[1] / "data" / "library").rglob("*.jpg"))
    for place in ("A", "B"):
        (tmp_path / place / "comics").mkdir(parents=True)
        with zipfile.ZipFile(tmp_path / place / "comics" / "one.cbz", "w") as archive:
            archive.write(page, f"{place}.jpg")
    workspace = f"workspace={tmp_path / 'ws'}"
    assert comix("extract", f"library={tmp_path / 'A' / 'comics'}", workspace).code == 0
    ran = comix("extract", f"library={tmp_path / 'B' / 'comics'}", workspace)
    assert (ran.code, "source=NAME" in ran.err) == (2, True)
    assert comix("extract", f"library={tmp_path / 'B' / 'comics'}", workspace, "source=second").code == 0
    table = pd.read_parquet(tmp_path / "ws" / "pages.parquet")
    assert list(table["source"]) == ["comics", "second"]
    assert table["page_id"].is_unique


def test_a_workspace_inside_the_library_is_not_a_comic(tmp_path: Path, comix: Callable[..., object]) -> None:
    page = next((Path(__file__).parents[1] / "data" / "library").rglob("*.jpg"))
    shutil.copy(page, tmp_path / "1.jpg")
    for _ in range(2):
        ran = comix("extract", f"library={tmp_path}", f"workspace={tmp_path / 'workspace'}")
        assert "page table: 1 pages" in ran.out
    ran = comix("extract", f"library={tmp_path / 'workspace' / 'pages'}", f"workspace={tmp_path / 'workspace'}")
    assert (ran.code, "where CoMix writes" in ran.err) == (2, True)


def test_convert_and_order_never_write_over_their_input(tmp_path: Path, comix: Callable[..., object], library: Path) -> None:
    copy = tmp_path / "library"
    shutil.copytree(library, copy)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    for output in (copy, copy / "cbz", tmp_path):
        ran = comix("convert", f"library={copy}", f"output={output}", f"workspace={tmp_path / 'ws'}")
        assert (ran.code, "only ever read" in ran.err) == (2, True)
    assert before == {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    boxes = tmp_path / "boxes.json"
    boxes.write_text('{"a": [[0, 0, 1, 1]]}')
    assert comix("order", f"boxes={boxes}", f"output={boxes}").code == 2
    assert boxes.read_text() == '{"a": [[0, 0, 1, 1]]}'


def test_edited_boxes_are_never_thrown_away_in_silence(workspace_copy: Path, comix: Callable[..., object]) -> None:
    path = workspace_copy / "detections/ensemble/predictions.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["annotations"][0]["bbox"][2] -= 5
    path.write_text(json.dumps(document), encoding="utf-8")
    edited = path.read_bytes()
    ran = comix("order", f"workspace={workspace_copy}")
    assert (ran.code, "detector=replay" in ran.err) == (2, True)
    assert path.read_bytes() == edited
    comix("detect", f"workspace={workspace_copy}")
    assert comix("order", f"workspace={workspace_copy}").code == 0


def test_new_settings_on_a_few_pages_do_not_mix_with_old_results(workspace_copy: Path, comix: Callable[..., object]) -> None:
    comix("detect", f"workspace={workspace_copy}", "conf_threshold=1", "limit=2", "workers=0")
    document = json.loads((workspace_copy / "detections/ensemble/predictions.json").read_text(encoding="utf-8"))
    assert len(document["images"]) == 2
    assert "4 skipped" in comix("order", f"workspace={workspace_copy}").out


def test_panels_that_were_never_ordered_are_not_aligned(workspace_copy: Path, comix: Callable[..., object]) -> None:
    for path in (workspace_copy / "journal").glob("order.sqlite*"):
        path.unlink()
    comix("detect", f"workspace={workspace_copy}")
    for stage in ("analyze", "align"):
        ran = comix(stage, f"workspace={workspace_copy}")
        assert (ran.code, "comix order detections=ensemble" in ran.err) == (2, True)


def test_a_damaged_journal_is_one_line(workspace_copy: Path, comix: Callable[..., object]) -> None:
    journal = workspace_copy / "journal" / "detect.sqlite"
    for extra in journal.parent.glob("detect.sqlite-*"):
        extra.unlink()
    journal.write_bytes(journal.read_bytes()[:100] + b"\xff" * 8192)
    for stage in ("detect", "order", "status", "failures", "report"):
        ran = comix(stage, f"workspace={workspace_copy}")
        assert ran.code == 2
        assert "detect.sqlite" in ran.err
        assert "Traceback" not in ran.err


def test_two_runs_of_one_stage_do_not_work_at_once(workspace_copy: Path, comix: Callable[..., object]) -> None:
    with stage_lock(workspace_copy / "journal" / "detect.sqlite", "ensemble"):
        ran = comix("detect", f"workspace={workspace_copy}")
    assert (ran.code, "another process is working on it" in ran.err) == (2, True)


def test_a_terminal_shows_names_with_brackets(tmp_path: Path) -> None:
    page = next((Path(__file__).parents[1] / "data" / "library").rglob("*.jpg"))
    (tmp_path / "lib [/b]" / "x [/b] c").mkdir(parents=True)
    shutil.copy(page, tmp_path / "lib [/b]" / "x [/b] c" / "1.jpg")
    words = [sys.executable, "-m", "comix", "extract", f"library={tmp_path / 'lib [/b]'}", f"workspace={tmp_path / 'ws'}"]
    assert pty.spawn(words, lambda descriptor: os.read(descriptor, 1024)) == 0
    assert pty.spawn([*words[:3], "status", words[-1]], lambda descriptor: os.read(descriptor, 1024)) == 0
