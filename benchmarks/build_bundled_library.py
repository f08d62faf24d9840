"""Build the demo library that ships in the wheel, and the six-page library of the tests, from the open page collection.

    python benchmarks/build_bundled_library.py --data /path/to/data --out comix/bundled --tests tests/data

``--data`` holds ``pages/MANIFEST.csv``; what is taken, how it is packed and its credits are the tables in this file.
The same input gives the same bytes. Pages whose licence is not open are refused.
"""

from __future__ import annotations

import argparse
import csv
import io
import shutil
import sys
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from PIL import Image

OPEN_LICENCES = {
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC BY-SA 4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC BY-SA 3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "Public domain": "https://creativecommons.org/publicdomain/mark/1.0/",
}
STAMP = (2020, 1, 1, 0, 0, 0)
CREDIT_COLUMNS = ["container", "title", "author", "licence", "licence_url", "source", "changes", "style", "n_pages"]


@dataclass(frozen=True)
class Book:
    """One container of the library: what goes in, how it is packed, who made it.

    ``long_side`` 0 keeps the original bytes of every page; else larger pages are scaled down and encoded again.
    """

    path: str
    pages: tuple[str, ...]
    style: str
    author: str
    licence: str
    source: str
    info: dict[str, str]
    packing: str = "cbz"
    long_side: int = 0
    codec: str = "JPEG"
    quality: int = 85
    types: dict[int, str] = field(default_factory=dict)
    note: str = ""


PEPPER = {"Series": "Pepper&Carrot", "Writer": "David Revoy", "Publisher": "David Revoy", "LanguageISO": "en"}
PEPPER_AUTHOR = (
    "David Revoy, www.peppercarrot.com; corrections: Willem Sonke, Moini, Hali, CGand, Alex Gryson; "
    "universe of Hereva: David Revoy with Craig Maloney"
)
PEPPER_SOURCE = "https://www.peppercarrot.com (files from github.com/ollm/OpenComic)"
FROGS = {
    "Series": "Climate Change Explained to Frogs", "Writer": "Camille Bissuel (Nylnook)", "Year": "2015",
    "LanguageISO": "en", "Publisher": "Nylnook",
}  # fmt: skip
FROGS_SOURCE = "https://github.com/nylnook/climate-frogs-comic"
BAFFLING = {
    "Series": "Baffling Mysteries", "Number": "9", "Year": "1952", "Month": "7", "Publisher": "Ace Magazines",
    "Title": "When Black Wings Flap...", "LanguageISO": "en", "Genre": "Horror",
}  # fmt: skip
BAFFLING_SOURCE = "https://digitalcomicmuseum.com (files from github.com/matthewp/comic-reader)"
HARUKO = {
    "Series": "ハルコさんの彼氏", "Title": "ハルコさんの彼氏", "Writer": "倉塚りこ", "LanguageISO": "ja",
    "Manga": "YesAndRightToLeft",
}  # fmt: skip
HARUKO_SOURCE = "https://github.com/IDPF/epub3-samples"


def numbered(pattern: str, first: int, last: int) -> tuple[str, ...]:
    return tuple(pattern.format(number) for number in range(first, last + 1))


E01 = Book(
    "Pepper&Carrot/Pepper&Carrot 01 - Potion of Flight.cbz", numbered("peppercarrot/e01_en_p{:02d}.webp", 0, 3),
    "painted webcomic", PEPPER_AUTHOR, "CC BY 4.0", PEPPER_SOURCE,
    {**PEPPER, "Number": "1", "Title": "The Potion of Flight", "Year": "2014"}, types={0: "FrontCover"},
)  # fmt: skip
LIBRARY = (
    E01,
    Book(
        "Pepper&Carrot/Pepper&Carrot 02 - Rainbow Potions.pdf", numbered("peppercarrot/e02_en_p{:02d}.webp", 0, 6),
        "painted webcomic", PEPPER_AUTHOR, "CC BY 4.0", PEPPER_SOURCE,
        {**PEPPER, "Number": "2", "Title": "Rainbow Potions", "Year": "2014"}, "pdf", 1800,
    ),
    Book(
        "Baffling Mysteries/Baffling Mysteries #009 (1952).cbz",
        numbered("goldenage/baffling_mysteries_09_{:02d}.jpg", 1, 9), "golden age newsprint",
        "Ace Magazines (1952), artists not credited", "Public domain", BAFFLING_SOURCE, BAFFLING,
        types={0: "FrontCover", 1: "Advertisement"}, note="first 9 pages of the issue",
    ),
    Book(
        "Haruko (RTL)/Haruko-san no Kareshi.epub", numbered("manga_haruko/haruko_{:02d}.jpg", 1, 6), "manga",
        "Riko Kuratsuka (倉塚りこ)", "CC BY-SA 3.0", HARUKO_SOURCE, HARUKO, "epub",
        note="first 6 pages, packed as EPUB",
    ),
    Book(
        "Climate Frogs/Climate Change Explained to Frogs (webtoon)",
        numbered("climate_frogs/webtoon_en_{:02d}.jpg", 1, 12), "webtoon", "Camille Bissuel (Nylnook), nylnook.com",
        "CC BY-SA 4.0", FROGS_SOURCE, {**FROGS, "Title": "Webtoon"}, "folder", types={0: "FrontCover"},
        note="first 12 of 26 slices",
    ),
    Book(
        "Climate Frogs/Climate Frogs - Storyboard.cbz", numbered("climate_frogs/storyboard_p{}.png", 1, 4),
        "pencil storyboard", "Camille Bissuel (Nylnook), nylnook.com", "CC BY-SA 4.0", FROGS_SOURCE,
        {**FROGS, "Title": "Storyboard"}, long_side=1800, codec="PNG", types={0: "FrontCover"},
    ),
    Book(
        "Stick of Celery/Stick of Celery - Selected Strips (2012-2013).cbt",
        ("soupbowl/2012-02-11-1.webp", "soupbowl/2012-02-22.webp", "soupbowl/2012-03-26.webp",
         "soupbowl/2012-11-26.webp", "soupbowl/2013-01-04-2.webp", "soupbowl/2013-08-05.webp"),
        "stick figure strip", "soup-bowl (Stick of Celery, Spiritshadowx)", "CC BY-SA 4.0",
        "https://github.com/soup-bowl/comics",
        {"Series": "Stick of Celery", "Title": "Selected Strips", "Writer": "soup-bowl", "LanguageISO": "en"},
        "cbt", 2500, "WEBP",
    ),
)  # fmt: skip
DAMAGED = "Pepper&Carrot/Pepper&Carrot 01 - Potion of Flight (interrupted download).cbz"

TEST_LIBRARY = (
    Book(
        "Pepper&Carrot/Pepper&Carrot 01 - Potion of Flight.cbz", numbered("peppercarrot/e01_en_p{:02d}.webp", 1, 2),
        "painted webcomic", PEPPER_AUTHOR, "CC BY 4.0", PEPPER_SOURCE, E01.info, long_side=900, quality=80,
    ),
    Book(
        "Baffling Mysteries/Baffling Mysteries #009 (1952)",
        numbered("goldenage/baffling_mysteries_09_{:02d}.jpg", 3, 4), "golden age newsprint",
        "Ace Magazines (1952), artists not credited", "Public domain", BAFFLING_SOURCE, BAFFLING, "folder", 900,
        quality=75,
    ),
    Book(
        "Haruko (RTL)/Haruko-san no Kareshi.cbz", numbered("manga_haruko/haruko_{:02d}.jpg", 2, 3), "manga",
        "Riko Kuratsuka (倉塚りこ)", "CC BY-SA 3.0", HARUKO_SOURCE, HARUKO, long_side=800, quality=80,
    ),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="folder with pages/MANIFEST.csv")
    parser.add_argument("--out", type=Path, help="folder that gets library/ and CREDITS.csv, e.g. comix/bundled")
    parser.add_argument("--tests", type=Path, help="folder that gets the small library/ and README.md, e.g. tests/data")
    args = parser.parse_args()
    with (args.data / "pages" / "MANIFEST.csv").open(encoding="utf-8", newline="") as opened:
        licences = {row["file"]: row["licence"] for row in csv.DictReader(opened)}
    if args.out:
        credits = build(LIBRARY, args.data, args.out / "library", licences, damaged=E01)
        with (args.out / "CREDITS.csv").open("w", encoding="utf-8", newline="") as opened:
            writer = csv.DictWriter(opened, CREDIT_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(credits)
    if args.tests:
        credits = build(TEST_LIBRARY, args.data, args.tests / "library", licences, damaged=TEST_LIBRARY[0])
        (args.tests / "README.md").write_text(readme(credits), encoding="utf-8")
    for folder in filter(None, (args.out, args.tests)):
        size = sum(file.stat().st_size for file in (folder / "library").rglob("*") if file.is_file())
        print(f"{folder / 'library'}: {size / 1e6:.2f} MB")
    return 0


def build(books: tuple[Book, ...], data: Path, out: Path, licences: dict[str, str], damaged: Book) -> list[dict[str, str]]:
    """Write the books and a cut copy of one of them; gives the credits."""
    shutil.rmtree(out, ignore_errors=True)
    credits = []
    for book in books:
        pages, changes = load(book, data, licences)
        target = out / book.path
        target.parent.mkdir(parents=True, exist_ok=True)
        {"cbz": pack_cbz, "cbt": pack_cbt, "folder": pack_folder, "pdf": pack_pdf, "epub": pack_epub}[book.packing](
            book, pages, target
        )
        credits.append(credit(book, book.path, changes, len(pages)))
    whole = (out / damaged.path).read_bytes()
    (out / DAMAGED).write_bytes(whole[: len(whole) * 3 // 5])
    credits.append(credit(damaged, DAMAGED, "cut off after 60 % of its bytes on purpose, to show a failed file", 0))
    return credits


def load(book: Book, data: Path, licences: dict[str, str]) -> tuple[list[tuple[str, bytes]], str]:
    """Name and bytes of each page, and what was changed, in words.

    Raises:
        ValueError: a page is not openly licensed, or differently from what the book says.
    """
    pages, n_changed = [], 0
    for number, name in enumerate(book.pages):
        licence = licences[f"pages/{name}"]
        if name.startswith("nc_") or not licence.startswith(book.licence) or "NC" in licence:
            raise ValueError(f"{name}: licence {licence!r}, the book says {book.licence!r}")
        original = (data / "pages" / name).read_bytes()
        content, suffix = encoded(book, original, Path(name).suffix)
        n_changed += content != original
        pages.append((f"{number + 1:03d}{suffix}", content))
    redone = f"{n_changed} of {len(pages)} pages scaled down or encoded again"
    kept = "image bytes as they were, file names changed"
    return pages, "; ".join(filter(None, (redone if n_changed else kept, book.note)))


def encoded(book: Book, original: bytes, suffix: str) -> tuple[bytes, str]:
    """The page as it goes in: the original bytes where they fit, else scaled down on white."""
    image = Image.open(io.BytesIO(original))
    fits = not book.long_side or max(image.size) <= book.long_side
    if fits and (book.packing != "pdf" or image.format == "JPEG"):
        return original, suffix
    if "A" in image.getbands():
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    image = image.convert("L" if book.codec == "PNG" else "RGB")
    image.thumbnail((book.long_side, book.long_side), Image.Resampling.LANCZOS)
    if book.codec == "PNG":
        image = image.point([round(value / 17) * 17 for value in range(256)])  # 16 greys are plenty for a pencil sketch
    sink = io.BytesIO()
    image.save(sink, book.codec, quality=book.quality, optimize=True)
    return sink.getvalue(), {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}[book.codec]


def credit(book: Book, container: str, changes: str, n_pages: int) -> dict[str, str]:
    title = " ".join(filter(None, (book.info.get("Series", ""), book.info.get("Number", ""))))
    row = (
        container, title, book.author, book.licence, OPEN_LICENCES[book.licence], book.source, changes, book.style,
        str(n_pages),
    )  # fmt: skip
    return dict(zip(CREDIT_COLUMNS, row, strict=True))


def comic_info(book: Book, pages: list[tuple[str, bytes]]) -> bytes:
    """ComicInfo.xml, version 2.0. Source: github.com/anansi-project/comicinfo."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<ComicInfo>"]
    lines += [f"  <{key}>{escape(value)}</{key}>" for key, value in book.info.items()]
    lines += [
        f"  <PageCount>{len(pages)}</PageCount>",
        f"  <Notes>{escape(book.licence)}: {escape(book.author)}</Notes>",
    ]
    lines.append("  <Pages>")
    for index, (_, content) in enumerate(pages):
        width, height = Image.open(io.BytesIO(content)).size
        kind = book.types.get(index, "Story")
        lines.append(f'    <Page Image="{index}" Type="{kind}" ImageWidth="{width}" ImageHeight="{height}"/>')
    return "\n".join([*lines, "  </Pages>", "</ComicInfo>", ""]).encode()


def pack_cbz(book: Book, pages: list[tuple[str, bytes]], target: Path) -> None:
    write_zip(target, [*pages, ("ComicInfo.xml", comic_info(book, pages))])


def pack_folder(book: Book, pages: list[tuple[str, bytes]], target: Path) -> None:
    target.mkdir(parents=True)
    for name, content in [*pages, ("ComicInfo.xml", comic_info(book, pages))]:
        (target / name).write_bytes(content)


def pack_cbt(book: Book, pages: list[tuple[str, bytes]], target: Path) -> None:
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in [*pages, ("ComicInfo.xml", comic_info(book, pages))]:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), 1577836800
            archive.addfile(entry, io.BytesIO(content))


def pack_pdf(book: Book, pages: list[tuple[str, bytes]], target: Path) -> None:
    import pymupdf

    with pymupdf.open() as document:
        for _, content in pages:
            width, height = Image.open(io.BytesIO(content)).size
            page = document.new_page(width=width * 0.36, height=height * 0.36)  # 200 dots per inch
            page.insert_image(page.rect, stream=content)
        date = "D:20200101000000Z"
        title = f"{book.info['Series']} {book.info['Number']}: {book.info['Title']}"
        document.set_metadata(
            {
                "title": title,
                "author": book.info["Writer"],
                "keywords": book.licence,
                "creationDate": date,
                "modDate": date,
            }
        )
        document.save(target, no_new_id=True)


def pack_epub(book: Book, pages: list[tuple[str, bytes]], target: Path) -> None:
    """A fixed-layout EPUB 3, one XHTML document per page. Source: EPUB 3.3, W3C Recommendation."""
    direction = "rtl" if book.info.get("Manga") == "YesAndRightToLeft" else "ltr"
    items, spine, files = [], [], []
    for number, (name, content) in enumerate(pages, 1):
        width, height = Image.open(io.BytesIO(content)).size
        items.append(f'<item id="i{number}" href="images/{name}" media-type="image/jpeg"/>')
        items.append(f'<item id="p{number}" href="page{number}.xhtml" media-type="application/xhtml+xml"/>')
        spine.append(f'<itemref idref="p{number}"/>')
        files += [(f"OPS/page{number}.xhtml", xhtml(name, width, height)), (f"OPS/images/{name}", content)]
    title, author, language = (quoteattr(book.info[key])[1:-1] for key in ("Title", "Writer", "LanguageISO"))
    package = f"""<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="{language}">
  <metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
    <dc:identifier id="id">urn:comix:bundled:haruko</dc:identifier>
    <dc:title>{title}</dc:title><dc:creator>{author}</dc:creator><dc:language>{language}</dc:language>
    <dc:rights>{book.licence}</dc:rights>
    <meta property="dcterms:modified">2020-01-01T00:00:00Z</meta>
    <meta property="rendition:layout">pre-paginated</meta>
  </metadata>
  <manifest>
    <item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
    {"".join(items)}
  </manifest>
  <spine page-progression-direction="{direction}">{"".join(spine)}</spine>
</package>
"""
    nav = (
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>Contents'
        '</title></head><body><nav epub:type="toc"><ol><li><a href="page1.xhtml">1</a></li></ol></nav></body></html>'
    )
    container = (
        '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    head = [("mimetype", b"application/epub+zip"), ("META-INF/container.xml", container.encode())]
    write_zip(target, [*head, ("OPS/content.opf", package.encode()), ("OPS/nav.xhtml", nav.encode()), *files])


def xhtml(image: str, width: int, height: int) -> bytes:
    return (
        f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{image}</title>'
        f'<meta name="viewport" content="width={width}, height={height}"/></head>'
        f'<body><img src="images/{image}" alt="" width="{width}" height="{height}"/></body></html>'
    ).encode()


def write_zip(target: Path, entries: list[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name, STAMP)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)


def readme(credits: list[dict[str, str]]) -> str:
    lines = [
        "# Test library", "",
        "Six pages in three books and one broken file, made by `benchmarks/build_bundled_library.py --tests`.", "",
        "| container | author | licence | source | changes |", "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    lines += [
        f"| {row['container']} | {row['author']} | [{row['licence']}]({row['licence_url']}) | {row['source']} "
        f"| {row['changes']} |"
        for row in credits
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
