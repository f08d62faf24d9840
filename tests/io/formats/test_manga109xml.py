"""Manga109's dialect: ids stay text, indices make paths, new ids differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from comix.core.errors import FileFormatError
from comix.io.formats.exchange import BookEntry, CastMember, PageEntry, Region, Words
from comix.io.formats.manga109xml import book_bytes, id_block, lost, read_book

SPREAD = """<book title="Aisazu"><characters><character id="00000abc" name="_Other"/></characters><pages>
<page index="7" width="1654" height="1170"><frame id="00000001" xmin="827" ymin="3" xmax="1600" ymax="40"/>
<body id="0000000f" xmin="3" ymin="3" xmax="50" ymax="90" character="00000abc"/></page></pages></book>"""


def test_a_spread_is_one_page_with_the_path_of_the_data_set(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(SPREAD, encoding="utf-8")
    page = read_book(tmp_path / "a.xml").pages[0]
    assert (page.file_name, page.index, page.width, page.reading_direction) == ("images/Aisazu/007.jpg", "7", 1654, "rtl")
    assert [(one.category, one.id, one.bbox) for one in page.regions] == [
        ("panel", "00000001", (827, 3, 773, 37)),
        ("character", "0000000f", (3, 3, 47, 87)),
    ]
    assert page.regions[1].attributes == {"character": "00000abc"}
    assert not page.is_ordered


def test_new_ids_are_eight_digits_and_avoid_those_that_are_there(tmp_path: Path) -> None:
    regions = [
        Region(category="panel", bbox=(0, 0, 9.4, 9), order=0, id="00003000"),
        Region(category="face", bbox=(1, 1, 2, 2)),
        Region(category="balloon", bbox=(1, 1, 2, 2)),
    ]
    page = PageEntry(
        label="1", index="1", width=10, height=10, regions=regions, words=[Words(text="a", panel=0)], is_ordered=True
    )
    book = BookEntry(title="T", pages=[page], cast=[CastMember(id="c1", name="N")])
    (tmp_path / "a.xml").write_bytes(book_bytes(book, id_block(3)))
    read = read_book(tmp_path / "a.xml")
    assert [one.id for one in read.pages[0].regions] == ["00003000", "00003001"]
    assert (read.pages[0].words[0].id, read.pages[0].words[0].panel, read.pages[0].words[0].bbox) == ("00003003", 0, None)
    assert read.cast[0].id == "00003fff"
    assert (lost(page), read.pages[0].is_ordered, read.pages[0].regions[0].bbox) == (1, True, (0, 0, 9, 9))


def test_a_page_with_too_many_elements_is_refused() -> None:
    regions = [Region(category="face", bbox=(0, 0, 1, 1))] * 3100
    with pytest.raises(FileFormatError, match="more than 3072 elements"):
        book_bytes(BookEntry(title="T", pages=[PageEntry(label="1", index="1", width=9, height=9, regions=regions)]))
