"""``comix fixture``: everything about a page in one place, and a test made of it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comix.io.tables import read_pages


def test_a_page_becomes_a_folder_that_evaluate_reads(workspace_copy: Path, comix: Callable[..., Any], tmp_path: Path) -> None:
    page = next(one for one in read_pages(workspace_copy / "pages.parquet") if one.page_num == 2)
    ran = comix(
        "fixture", f"page={page.page_id}", "note=the second panel is cut, isn't it?", f"output={tmp_path / 'out'}",
        f"workspace={workspace_copy}",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "its licence: " in ran.out
    [folder] = list((tmp_path / "out").iterdir())
    facts = json.loads((folder / "fixture.json").read_text())
    assert facts["page"]["page_id"] == page.page_id
    assert facts["note"] == "the second panel is cut, isn't it?"
    assert {"comix", "numpy", "opencv-python-headless"} <= set(facts["versions"])
    assert facts["order"]["is_ordered"]
    assert (folder / facts["image"]).read_bytes() == (workspace_copy / page.image_path).read_bytes()
    assert str(workspace_copy) not in "".join(path.read_text() for path in folder.rglob("*.json"))
    assert "NOT YOURS TO PUBLISH" in (folder / "README.txt").read_text()
    for target in ("detection", "order"):
        ran = comix(
            "evaluate", f"target={target}", f"truth={folder / 'expected.json'}", f"images={folder}",
            f"predictions={folder / 'detections/ensemble.json'}", f"workspace={tmp_path / 'ws'}",
        )  # fmt: skip
        assert ran.code == 0 or "no page with two panels" in ran.err, ran.err


def test_the_publishers_panels_and_a_zip(workspace_copy: Path, comix: Callable[..., Any], tmp_path: Path) -> None:
    page = read_pages(workspace_copy / "pages.parquet")[0]
    words = ("fixture", f"page={page.page_id}", "zip=true", f"output={tmp_path}", f"workspace={workspace_copy}")
    assert comix(*words).code == 0
    [path] = list(tmp_path.glob("*.zip"))
    first = path.read_bytes()
    comix(*words)
    assert path.read_bytes() == first
    with zipfile.ZipFile(path) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
    assert {"README.txt", "fixture.json", "expected.json", "drawn.jpg", "detections/ensemble.json"} <= names


def test_a_page_that_is_not_there(workspace_copy: Path, comix: Callable[..., Any]) -> None:
    page = read_pages(workspace_copy / "pages.parquet")[0]
    ran = comix("fixture", f"page={page.page_id}x", f"workspace={workspace_copy}")
    assert (ran.code, page.page_id in ran.err) == (2, True)
    ran = comix("fixture", f"page={page.page_id}", "detections=theirs", f"workspace={workspace_copy}")
    assert (ran.code, "no detections by theirs" in ran.err) == (2, True)
