"""``comix check`` finds what was planted, says where and how to mend it, and mending by that command helps."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Comix = Callable[..., Any]


def page_images(workspace: Path) -> list[Path]:
    return sorted((workspace / "pages").rglob("*.jpg"))


def findings(comix: Comix, workspace: Path, *words: str) -> dict[str, dict[str, str]]:
    ran = comix("check", f"workspace={workspace}", "format=json", *words)
    found = json.loads(ran.out)
    assert ran.code == int(bool(found))
    return {one["where"]: one for one in found}


@pytest.mark.parametrize("deep", ["deep=false", "deep=true"])
def test_a_finished_workspace_is_well_and_left_alone(finished: Path, comix: Comix, deep: str) -> None:
    def files() -> dict[Path, int]:
        found = (path for path in finished.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal")))
        return {path: path.stat().st_mtime_ns for path in found}  # SQLite makes those two, empty, for whoever looks

    before = files()
    ran = comix("check", f"workspace={finished}", deep)
    assert ran.code == 0, ran.out
    assert "pages: 6 pages, all well" in ran.out
    assert "dataspec: 6 files, all well" in ran.out
    assert "All is well" in ran.out
    assert files() == before


def test_a_gone_page_is_found_and_mended(workspace_copy: Path, library: Path, comix: Comix) -> None:
    page_images(workspace_copy)[0].unlink()
    (found,) = findings(comix, workspace_copy).values()
    assert found["found"].endswith("is gone")
    assert "comix extract" in found["mend"]
    comix("extract", f"library={library}", f"workspace={workspace_copy}")
    assert findings(comix, workspace_copy) == {}


def test_a_changed_byte_is_found_by_a_deep_look(workspace_copy: Path, comix: Comix) -> None:
    image = page_images(workspace_copy)[1]
    data = bytearray(image.read_bytes())
    data[len(data) // 2] ^= 1
    image.write_bytes(data)
    assert findings(comix, workspace_copy) == {}
    (found,) = findings(comix, workspace_copy, "deep=true").values()
    assert "sha256 differs" in found["found"]


def _damage(workspace: Path, kind: str) -> str:
    """Plant one trouble; a part of what must be said of it."""
    predictions = workspace / "detections" / "ensemble" / "predictions.json"
    document = json.loads(predictions.read_text())
    if kind == "box":
        document["annotations"][0]["bbox"][2] = 99999
    if kind == "order":
        document["annotations"][0]["order"] = 77
    if kind == "page":
        document["images"][0]["page_id"] = "some/other/0001"
    if kind in ("box", "order", "page"):
        predictions.write_text(json.dumps(document))
        return {"box": "is not on the page", "order": "has gaps or doubles", "page": "not in the page table"}[kind]
    analysis = sorted((workspace / "analysis" / "ocr").rglob("*.json"))
    if kind == "analysis":
        analysis[0].write_text("{")
        return "not valid JSON"
    if kind == "swapped":
        shutil.copy(analysis[0], analysis[1])
        return "speaks of page"
    if kind == "list":
        (workspace / "lists" / "training.txt").write_text("../dataspec/gone.json\n")
        return "is not there"
    if kind == "leftover":
        (workspace / "dataspec" / ".part-abc").write_bytes(b"half")
        return "when a run was killed"
    journal = workspace / "journal" / "align.sqlite"
    journal.write_bytes(journal.read_bytes()[:4096] + b"\0" * 8192)
    return "malformed"


@pytest.mark.parametrize("kind", ["box", "order", "page", "analysis", "swapped", "list", "leftover", "journal"])
def test_each_trouble_is_one_clear_line(workspace_copy: Path, comix: Comix, kind: str) -> None:
    with sqlite3.connect(workspace_copy / "journal" / "align.sqlite") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    said = _damage(workspace_copy, kind)
    found = list(findings(comix, workspace_copy).values())
    assert len(found) == 1, found
    assert said in found[0]["found"] or kind == "journal"
    assert found[0]["mend"]
