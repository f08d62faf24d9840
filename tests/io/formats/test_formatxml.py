"""The CoMix benchmark's XML: several books, polygons, two meanings of a tag, and what it does not know."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comix.io.formats.exchange import BookEntry, CastMember, Document, PageEntry, Region, Words
from comix.io.formats.formatxml import document_bytes, read_document

DOCUMENT = """<annotations xmlns:q="urn:q" version="2"><note>n</note>
<book title="One"><pages><page id="7" width="100" height="200"><panel id="a" points="0,0 50,0 50.5,100 0,100"/></page></pages>
<characters q:by="me"><character id="c" name="N"/></characters></book><!-- between --><book title="Two"><pages/></book>
</annotations>"""


def test_two_books_and_what_stands_between_them(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(DOCUMENT, encoding="utf-8")
    document = read_document(path)
    assert [book.title for book in document.books] == ["One", "Two"]
    assert document.books[0].pages[0].regions[0].polygon == [(0, 0), (50, 0), (50.5, 100), (0, 100)]
    path.write_bytes(document_bytes(document))
    assert read_document(path) == document
    written = path.read_text(encoding="utf-8")
    assert written.index("between") < written.index("Two")
    assert 'q:by="me"' in written


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=12)
NAMES = TEXTS.map(lambda text: " ".join(text.split())).filter(bool)
SIDES = st.integers(0, 40_000).map(lambda value: value / 100)
BOXES = st.tuples(SIDES, SIDES, SIDES.map(lambda side: side + 1), SIDES.map(lambda side: side + 1)).map(
    lambda box: tuple(round(side, 2) for side in box)
)


@st.composite
def pages(draw: st.DrawFn) -> PageEntry:
    n_panels = draw(st.integers(0, 4))
    ranks = draw(st.permutations(range(n_panels)))
    is_ordered = n_panels > 0 and draw(st.booleans())
    regions = [
        Region(category="panel", bbox=draw(BOXES), order=rank if is_ordered else None, id=f"p{index}",
               characters=draw(st.lists(NAMES, max_size=2)), description=draw(NAMES | st.just("")),
               score=draw(st.sampled_from([1.0, 0.25])), position=index)
        for index, rank in enumerate(ranks)
    ]  # fmt: skip
    regions += [Region(category="face", bbox=draw(BOXES), position=n_panels)] * draw(st.integers(0, 1))
    words = [
        Words(text=draw(TEXTS.filter(lambda text: text == text.strip() and text)), bbox=draw(BOXES | st.none()),
              kind=draw(st.sampled_from(["dialogue", "thought", "narration", "sfx"])), speaker=draw(NAMES | st.none()),
              panel=draw(st.integers(0, n_panels - 1)) if n_panels else None, position=len(regions) + number)
        for number in range(draw(st.integers(0, 3)))
    ]  # fmt: skip
    return PageEntry(
        label="1", index="1", width=500, height=400, regions=regions, words=words, is_ordered=is_ordered,
        page_id=draw(NAMES), file_name=draw(NAMES),
    )  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(page=pages(), title=NAMES)
def test_whatever_is_written_is_read_the_same(page: PageEntry, title: str, tmp_path: Path) -> None:
    members = [CastMember(id="c1", name=title)]
    book = BookEntry(title=title, pages=[page], cast=members, has_cast=True, position=0, cast_position=0, pages_position=1)
    path = tmp_path / "a.xml"
    path.write_bytes(document_bytes(Document(books=[book])))
    assert read_document(path) == Document(books=[book])
