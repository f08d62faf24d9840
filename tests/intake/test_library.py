"""What counts as a container, and what metadata says."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from comix.intake.library import find_containers
from comix.intake.metadata import from_comicinfo, from_file_name, read_metadata

PIXEL = b"\x89PNG\r\n\x1a\n"


def put(path: Path, data: bytes = PIXEL) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_folders_sidecars_and_strangers(tmp_path: Path) -> None:
    put(tmp_path / "loose 1.png")
    put(tmp_path / "Series" / "ch 10" / "1.png")
    put(tmp_path / "Series" / "ch 2" / "1.png")
    put(tmp_path / "Series" / "ch 2" / "notes.txt")
    put(tmp_path / "Calibre" / "cover.jpg")
    put(tmp_path / "Calibre" / "metadata.opf")
    put(tmp_path / "Calibre" / "letter.doc", b"plain")
    with zipfile.ZipFile(tmp_path / "Calibre" / "book.cbz", "w") as archive:
        archive.writestr("1.png", PIXEL)
    put(tmp_path / "__MACOSX" / "1.png")
    (tmp_path / "loop").symlink_to(tmp_path.parent)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere.cbz")
    found = {one.relative: one.skip for one in find_containers(tmp_path)}
    assert found == {
        ".": "",
        "Series/ch 2": "",
        "Series/ch 10": "",
        "Calibre/book.cbz": "",
        "Calibre/cover.jpg": "sidecar_image",
        "Calibre/metadata.opf": "not_a_comic",
        "Calibre/letter.doc": "not_a_comic",
        "__MACOSX": "junk_macos",
        "loop": "symlink_outside",
        "gone": "symlink_broken",
    }
    assert list(found).index("Series/ch 2") < list(found).index("Series/ch 10")


@pytest.mark.parametrize(
    ("name", "series", "issue", "volume", "year"),
    [
        ("Captain Science #001 (1950) The Beginning.cbz", "Captain Science", "1", "", "1950"),
        ("x/Saga v02 (2013) (Digital).cbr", "Saga", "", "2", "2013"),
        ("One Piece ch. 105.cbz", "One Piece", "105", "", ""),
        ("Watchmen.pdf", "Watchmen", "", "", ""),
        ("Batman_012.cbz", "Batman", "12", "", ""),
        ("2000AD 1234.cbz", "2000AD", "1234", "", ""),
    ],
)
def test_file_names(name: str, series: str, issue: str, volume: str, year: str) -> None:
    meta = from_file_name(name)
    assert (meta.series, meta.issue, meta.volume, meta.year) == (series, issue, volume, year)


def test_comicinfo_wins_over_the_file_name_and_broken_xml_does_not() -> None:
    xml = (
        b"<ComicInfo><Series>Haruko</Series><Number>1/2</Number><Manga>YesAndRightToLeft</Manga>"
        b"<Pages><Page Image='0' Type='FrontCover'/><Page Image='1'/></Pages></ComicInfo>"
    )
    meta = read_metadata({"ComicInfo.xml": xml}, "Other 5.cbz")
    assert (meta.series, meta.issue, meta.reading_direction) == ("Haruko", "1/2", "rtl")
    assert meta.page_types == {0: "cover"}
    for broken in (b"<ComicInfo><Ser", b"", b"<!DOCTYPE x [<!ENTITY a 'b'>]><ComicInfo/>"):
        assert read_metadata({"ComicInfo.xml": broken}, "Other 5.cbz").series == "Other"
        assert from_comicinfo(broken).series == ""
