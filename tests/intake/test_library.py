"""What counts as a container, and what metadata says."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from comix.core.errors import UsageError
from comix.intake.dialects import from_comicinfo
from comix.intake.filenames import from_file_name
from comix.intake.library import find_containers
from comix.intake.metadata import read_metadata

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
        "Calibre/metadata.opf": "metadata_file",
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
        ("X-Men Annual 3 (1990).cbz", "X-Men", "Annual 3", "", "1990"),
        ("Foo #-1 (2001).cbz", "Foo", "-1", "", "2001"),
        ("Foo 0.5.cbz", "Foo", "0.5", "", ""),
        ("Spider-Man 2.MU.cbz", "Spider-Man", "2.MU", "", ""),
        ("One Piece - c105.cbz", "One Piece", "105", "", ""),
        ("Spawn 12 of 24 (1990-05).cbz", "Spawn", "12", "", "1990"),
        ("Tintin tome 3.part1.rar", "Tintin", "", "3", ""),
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


COMET = b"""<comet xmlns:comet="http://www.denvog.com/comet/"><series>Comet</series><issue>0.5</issue><writer>A</writer><writer>B</writer>
    <date>1950-11-01</date><readingDirection>rtl</readingDirection><rights>CC0</rights></comet>"""
COMICBOOKINFO = b"""{"ComicBookInfo/1.0": {"series": "Cbi", "issue": 12, "publicationYear": 1950, "volume": 2,
    "credits": [{"person": "A", "role": "Writer"}, {"person": "B", "role": "Inker"}]}}"""
METRON = b"""<MetronInfo><Publisher><Name>P</Name></Publisher><Series lang="en"><Name>Metron</Name><Volume>3</Volume></Series>
    <Number>Annual 1</Number><CoverDate>1951-02-01</CoverDate><Stories><Story>X</Story><Story>Y</Story></Stories>
    <Credits><Credit><Creator>A</Creator><Roles><Role>Writer</Role></Roles></Credit></Credits></MetronInfo>"""
CALIBRE = b"""<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>T</dc:title>
    <dc:date>0101-01-01</dc:date><meta name="calibre:series" content="Calibre"/>
    <meta name="calibre:series_index" content="2.0"/>
    </metadata></package>"""
COLLECTION = b"""<package xmlns="http://www.idpf.org/2007/opf"><metadata>
    <meta property="belongs-to-collection" id="c">Set</meta>
    <meta refines="#c" property="group-position">4</meta></metadata></package>"""


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("CoMet.xml", COMET, {"series": "Comet", "issue": "0.5", "writer": "A, B", "year": "1950", "reading_direction": "rtl"}),
        ("ComicBookInfo.json", COMICBOOKINFO, {"series": "Cbi", "issue": "12", "volume": "2", "writer": "A", "year": "1950"}),
        (
            "MetronInfo.xml",
            METRON,
            {"series": "Metron", "issue": "Annual 1", "title": "X; Y", "language": "en", "publisher": "P"},
        ),
        ("metadata.opf", CALIBRE, {"series": "Calibre", "issue": "2", "title": "T", "year": ""}),
        ("content.opf", COLLECTION, {"series": "Set", "issue": "4"}),
    ],
)
def test_each_format_is_read(name: str, data: bytes, wanted: dict[str, str]) -> None:
    meta = read_metadata({name: data}, "")
    assert {key: getattr(meta, key) for key in wanted} == wanted


def test_the_better_source_wins_field_by_field() -> None:
    files = {
        "ComicInfo.xml": b"<ComicInfo><Series>Info</Series></ComicInfo>",
        "MetronInfo.xml": METRON,
        "metadata.opf": CALIBRE,
    }
    meta = read_metadata(files, "File 9 (2001).cbz", "ltr")
    assert (meta.series, meta.issue, meta.title, meta.year) == ("Info", "Annual 1", "X; Y", "1951")
    assert meta.reading_direction == "ltr" and read_metadata({"CoMet.xml": COMET}, "", "ltr").reading_direction == "rtl"


def test_calibres_opf_speaks_of_the_book_beside_it_only(tmp_path: Path) -> None:
    put(tmp_path / "one" / "metadata.opf", CALIBRE)
    put(tmp_path / "many" / "metadata.opf", CALIBRE)
    for name in ("one/a.cbz", "one/a.pdf", "many/a.cbz", "many/b.cbz"):
        put(tmp_path / name)
    found = {one.relative: one.sidecar for one in find_containers(tmp_path) if not one.skip}
    assert {name: path is not None for name, path in found.items()} == {
        "one/a.cbz": True, "one/a.pdf": True, "many/a.cbz": False, "many/b.cbz": False
    }  # fmt: skip


def test_the_library_for_file_names_is_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "comicfn2dict", None)
    with pytest.raises(UsageError, match="not installed"):
        from_file_name("Foo 001.cbz", "comicfn2dict")
    monkeypatch.undo()
    pytest.importorskip("comicfn2dict")
    assert from_file_name("Foo 001 (1990).cbz", "comicfn2dict").issue == "1"
