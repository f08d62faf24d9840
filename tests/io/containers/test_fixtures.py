"""Real containers, each with the outcome that ``tests/data/containers.csv`` states, and the bytes another reader gives."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pandas as pd
import pymupdf
import pytest

from comix.cli import main
from comix.core.journal import Journal

DATA = Path(os.environ.get("COMIX_TEST_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
FIXTURES = DATA / "containers"
TABLE = Path(__file__).parents[2] / "data" / "containers.csv"

pytestmark = [
    pytest.mark.skipif(not FIXTURES.is_dir(), reason="the container fixtures are not here (COMIX_TEST_DATA)"),
    pytest.mark.skipif(not shutil.which("bsdtar"), reason="bsdtar is not installed"),
]


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("fixtures")
    assert main(["extract", f"library={FIXTURES}", f"workspace={workspace}", "source=fixtures"]) == 1
    return workspace


def expected() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_every_fixture_ends_as_the_table_says(extracted: Path) -> None:
    with Journal(extracted / "journal" / "extract.sqlite", "fixtures", read_only=True) as journal:
        books = {row.key: (row.status, row.reason) for row in journal.rows(parents_only=True)}
        pages = {key: [0, 0] for key in books}
        for row in journal.rows(children_only=True):
            pages[row.parent][0] += row.status == "done"
            pages[row.parent][1] += row.status == "failed"
    assert books.pop("MANIFEST.csv") == ("skipped", "not_a_comic")
    wanted = {one["file"]: (one["outcome"], one["reason"], int(one["pages"]), int(one["failed_pages"])) for one in expected()}
    assert {key: (*state, *pages[key]) for key, state in books.items()} == wanted


def test_the_table_agrees_with_the_manifest() -> None:
    with (FIXTURES / "MANIFEST.csv").open(encoding="utf-8", newline="") as opened:
        manifest = {one["file"]: one for one in csv.DictReader(opened)}
    table = {one["file"]: one for one in expected()}
    assert table.keys() == manifest.keys()
    for name, one in table.items():
        told = manifest[name]
        count = told["n_images"].split(" ")[0]
        closed = one["reason"].endswith("encrypted")
        if count.isdecimal() and not closed:
            assert int(one["pages"]) + int(one["failed_pages"]) == int(count), name
        intact = not any(word in told["odd"] for word in ("encrypted", "password protected", "multi-volume", "no usable pages"))
        if told["real_format"] in ("rar4", "rar5", "7z", "pdf") and intact and "rar3-old" not in name:
            assert one["outcome"] != "failed", name


def test_pages_are_the_bytes_that_another_reader_gives(extracted: Path) -> None:
    table = pd.read_parquet(extracted / "pages.parquet")
    compared = dict.fromkeys(("zip", "tar", "bsdtar", "pdf"), 0)
    for page in table.itertuples():
        data = (extracted / page.image_path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == page.sha256
        how, theirs = independent(FIXTURES / page.container, page.member, data)
        if theirs is not None:
            assert theirs == data, (page.container, page.member)
            compared[how] += 1
    n_pdf = int(table.container.str.endswith(".pdf").sum())
    assert compared["zip"] + compared["tar"] + compared["bsdtar"] == len(table) - n_pdf
    assert compared["pdf"] == 10  # the other PDF pages are no single image, so they had to be rendered
    assert table.groupby("container").member.nunique().sum() == len(table)


def independent(path: Path, member: str, data: bytes) -> tuple[str, bytes | None]:
    """Bytes of a member by a reader that CoMix does not use for it; None for a page that was rendered."""
    with path.open("rb") as opened:
        magic = opened.read(4)
    if magic == b"%PDF":
        with pymupdf.open(path) as document:
            number = int(member.removeprefix("page-")) - 1
            images = [document.extract_image(image[0])["image"] for image in document[number].get_images()]
        return "pdf", next((image for image in images if image == data), None)
    if magic == b"PK\x03\x04":
        try:
            return "zip", zipfile.ZipFile(path).read(member)
        except (NotImplementedError, KeyError):
            pass
    elif magic not in (b"Rar!", b"7z\xbc\xaf"):
        with tarfile.open(path) as archive:
            extracted = archive.extractfile(member)
            assert extracted is not None
            return "tar", extracted.read()
    escaped = "".join(f"\\{char}" if char in "[]*?\\" else char for char in member)
    return "bsdtar", subprocess.run(["bsdtar", "-xOf", path, escaped], capture_output=True, check=True).stdout
