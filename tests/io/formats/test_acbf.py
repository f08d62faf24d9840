"""ACBF: what is written has the structure of version 1.1; what is read keeps what it does not understand."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from comix.io.formats.acbf import book_bytes, lost, read_book
from comix.io.formats.exchange import BookEntry, PageEntry, Region, Words

BOOK = BookEntry(
    title="A <&> B", book_id="漫画/a b", language="ja", reading_direction="rtl",
    pages=[
        PageEntry(label="1", file_name="01 ü.jpg", is_ordered=True, regions=[
            Region(category="panel", bbox=(0, 0, 9.6, 9), order=1), Region(category="face", bbox=(0, 0, 1, 1)),
            Region(category="panel", bbox=(20, 0, 9, 9), order=0, polygon=[(20, 0), (29, 0), (25, 9)]),
        ], words=[Words(text="Hi \x00there", bbox=(1, 1, 3, 3), kind="sfx"), Words(text="no box")]),
        PageEntry(label="2", file_name="02.jpg"),
    ],
)  # fmt: skip


def test_a_new_file_has_the_structure_of_acbf_1_1() -> None:
    grammar = etree.RelaxNG(etree.parse(Path(__file__).with_name("acbf_structure.rng")))
    facts = [{}, {"writer": "A, B", "series": "S", "issue": "3", "publisher": "P", "year": "1952", "licence": "CC0"}]
    for fact in facts:
        document = etree.fromstring(book_bytes(BOOK, fact))
        assert grammar.validate(document), grammar.error_log
    document[1].append(etree.SubElement(document, "{http://www.acbf.info/xml/acbf/1.1}frame"))
    assert not grammar.validate(document)


def test_frames_are_read_in_the_order_they_were_written_in(tmp_path: Path) -> None:
    (tmp_path / "a.acbf").write_bytes(book_bytes(BOOK))
    book = read_book(tmp_path / "a.acbf")
    assert (book.title, book.book_id, book.language) == ("A <&> B", "漫画/a b", "ja")
    first = book.pages[0]
    assert [(one.bbox, one.order) for one in first.regions] == [((20, 0, 9, 9), 0), ((0, 0, 10, 9), 1)]
    assert first.regions[0].polygon == [(20, 0), (29, 0), (25, 9)]
    assert [(one.text, one.kind, one.bbox) for one in first.words] == [("Hi there", "sfx", (1, 1, 3, 3))]
    assert lost(BOOK.pages[0]) == 2
    assert read_book(tmp_path / "a.acbf").model_dump() == book.model_dump()


def test_changed_words_replace_a_kept_layer_and_unchanged_ones_leave_it(tmp_path: Path) -> None:
    (tmp_path / "a.acbf").write_bytes(book_bytes(BOOK).replace(b"Hi there", b"Hi <strong>there</strong>"))
    book = read_book(tmp_path / "a.acbf")
    assert b"<strong>there</strong>" in book_bytes(book)
    page = book.pages[0]
    other = page.model_copy(update={"words": [page.words[0].model_copy(update={"text": "Bye"})]})
    written = book_bytes(book.model_copy(update={"pages": [other, *book.pages[1:]]}))
    assert (b"<strong>" in written, b"<p>Bye</p>" in written, written.count(b"<text-layer lang")) == (False, True, 2)
