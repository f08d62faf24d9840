"""Small files by folder: whole or not at all, whatever is there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from comix.core.errors import WorkspaceError
from comix.io.smallfiles import SmallFiles, clear_staging, remove_staging


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_folder_appears_at_once_and_an_old_one_gains_files(tmp_path: Path) -> None:
    out, staging = tmp_path / "out", tmp_path / "out" / ".part-x"
    files = SmallFiles(staging)
    for name in ("a/b/1.json", "a/b/2.json", "a/1.json", "a/2.json"):
        files.add(f"{out}/{name}", name.encode())
    assert not out.exists()
    files.settle()
    before = (out / "a/b/1.json").stat().st_mtime_ns
    files.add(f"{out}/a/b/1.json", b"a/b/1.json")
    files.add(f"{out}/a/b/3.json", b"new")
    files.settle()
    remove_staging(staging)
    assert contents(out) == {**{f"a/{n}.json": f"a/{n}.json".encode() for n in ("1", "2", "b/1", "b/2")}, "a/b/3.json": b"new"}
    assert (out / "a/b/1.json").stat().st_mtime_ns == before
    assert sorted(path.name for path in out.iterdir()) == ["a"]


def test_two_workers_fill_one_folder(tmp_path: Path) -> None:
    one, other = (SmallFiles(tmp_path / f".part-{name}") for name in "ab")
    for number in range(4):
        (one if number < 2 else other).add(f"{tmp_path}/book/{number}", b"x")
    other._write_folder(f"{tmp_path}/book", [("2", b"x"), ("3", b"x")])
    one._write_folder(f"{tmp_path}/book", [("0", b"x"), ("1", b"x")])
    assert sorted(contents(tmp_path / "book")) == ["0", "1", "2", "3"]


def test_what_a_killed_run_left_is_cleared_and_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / ".part-x" / "7-1").mkdir(parents=True)
    (tmp_path / ".part-x" / "7-1" / "half").touch()
    clear_staging(tmp_path / ".part-x")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "book").touch()
    files = SmallFiles(tmp_path / ".part-x")
    files.add(f"{tmp_path}/book/1.json", b"x")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        files.settle()
