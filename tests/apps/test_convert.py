"""``comix convert``: the same pages, byte for byte, in CBZs in the same tree."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd


def test_cbz_pages_equal_the_extracted_ones(
    library: Path, finished: Path, tmp_path: Path, comix: Callable[..., object]
) -> None:
    ran = comix("convert", f"library={library}", f"workspace={tmp_path / 'ws'}")
    assert ran.code == 1
    assert "4 containers = 3 done + 1 failed + 0 skipped" in ran.out
    made = sorted((tmp_path / "ws" / "converted").rglob("*.cbz"))
    assert len(made) == 3
    hashes = set()
    for path in made:
        assert (library / path.relative_to(tmp_path / "ws" / "converted")).parent.is_dir()
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            names = [name for name in archive.namelist() if name != "ComicInfo.xml"]
            assert names == sorted(names)
            hashes |= {hashlib.sha256(archive.read(name)).hexdigest() for name in names}
    assert hashes == set(pd.read_parquet(finished / "pages.parquet")["sha256"])
    assert "0 to do" in comix("convert", f"library={library}", f"workspace={tmp_path / 'ws'}").out


def test_a_deleted_cbz_is_made_again(library: Path, tmp_path: Path, comix: Callable[..., object]) -> None:
    words = ("convert", f"library={library}", f"workspace={tmp_path / 'ws'}", f"output={tmp_path / 'out, here'}", "workers=0")
    comix(*words)
    made = sorted((tmp_path / "out, here").rglob("*.cbz"))
    content = made[0].read_bytes()
    made[0].unlink()
    assert "1 worked on now" in comix(*words).out
    assert made[0].read_bytes() == content
