"""Broken containers and images, made here, each with the outcome it must have.

Used by ``benchmarks/malformed_inputs.py`` (all of them) and ``tests/io/test_malformed.py`` (a few).
"""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import py7zr
import pymupdf
from PIL import Image


@dataclass(frozen=True)
class Case:
    """One input: its file name, content, and what must become of it (``done`` or a reason), and of its pages."""

    name: str
    data: bytes
    outcome: str
    pages: tuple[str, ...] = ()


@functools.cache
def page(number: int, form: str = "PNG", **options: object) -> bytes:
    noise = Image.frombytes("RGB", (90, 120), random.Random(number).randbytes(90 * 120 * 3))
    sink = io.BytesIO()
    noise.save(sink, form, **options)
    return sink.getvalue()


PAGES = [(f"{number}.png", page(number)) for number in range(3)]


def zipped(entries: list[tuple[str, bytes]] = PAGES, method: int = zipfile.ZIP_STORED) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return sink.getvalue()


def tarred(entries: list[tuple[str, bytes]] = PAGES, kind: bytes = tarfile.REGTYPE) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, data in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "../../etc/passwd"
            entry.size = len(data) if kind == tarfile.REGTYPE else 0
            archive.addfile(entry, io.BytesIO(data))
    return sink.getvalue()


def sevened(password: str | None = None, entries: list[tuple[str, bytes]] = PAGES) -> bytes:
    sink = io.BytesIO()
    with py7zr.SevenZipFile(sink, "w", password=password, header_encryption=bool(password)) as archive:
        for name, data in entries:
            archive.writestr(data, name)
    return sink.getvalue()


def rar4(entries: list[tuple[str, bytes]] = PAGES, method: int = 0x30, flags: int = 0, main: int = 0) -> bytes:
    out = b"Rar!\x1a\x07\x00" + _sealed4(struct.pack("<BHH", 0x73, main, 13) + bytes(6))
    for name, data in entries:
        raw = name.encode()
        body = struct.pack("<BHHII", 0x74, 0x8000 | flags, 32 + len(raw), len(data), len(data))
        body += struct.pack("<BIIBBHI", 3, zlib.crc32(data), 0, 29, method, len(raw), 0o100644) + raw
        out += _sealed4(body) + data
    return out + _sealed4(struct.pack("<BHH", 0x7B, 0x4000, 7))


def _sealed4(body: bytes) -> bytes:
    return struct.pack("<H", zlib.crc32(body) & 0xFFFF) + body


def rar5(entries: list[tuple[str, bytes]] = PAGES, method: int = 0, encrypted: bool = False) -> bytes:
    out = b"Rar!\x1a\x07\x01\x00" + _sealed5(b"\x01\x00\x00")
    if encrypted:
        out += _sealed5(b"\x04\x00\x00\x00")
    for name, data in entries:
        size, mode = _vint(len(data)), _vint(0o100644)
        body = b"\x02\x02" + size + b"\x04" + size + mode + struct.pack("<I", zlib.crc32(data))
        out += _sealed5(body + _vint(method << 7) + b"\x01" + _vint(len(name)) + name.encode()) + data
    return out + _sealed5(b"\x05\x00\x00")


def _sealed5(body: bytes) -> bytes:
    sized = _vint(len(body)) + body
    return struct.pack("<I", zlib.crc32(sized)) + sized


def _vint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def pdf(n_pages: int = 3, **options: object) -> bytes:
    with pymupdf.open() as document:
        for number in range(n_pages):
            document.new_page(width=90, height=120).insert_image((0, 0, 90, 120), stream=page(number, "JPEG"))
        return bytes(document.tobytes(**options))


OPF = b"""<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="a" href="0.png" media-type="image/png"/>
<item id="b" href="1.png" media-type="image/png"/></manifest><spine><itemref idref="b"/><itemref idref="a"/></spine>
</package>"""


def epub(opf: bytes = OPF, extra: list[tuple[str, bytes]] | None = None, container: bytes | None = None) -> bytes:
    where = container if container is not None else b'<c><rootfile full-path="c.opf"/></c>'
    start = [("mimetype", b"application/epub+zip"), ("META-INF/container.xml", where), ("c.opf", opf)]
    return zipped([*start, *PAGES, *(extra or [])])


def encryption(method: str) -> list[tuple[str, bytes]]:
    text = f'<e><EncryptedData><EncryptionMethod Algorithm="{method}"/></EncryptedData></e>'
    return [("META-INF/encryption.xml", text.encode())]


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


SHARES = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
OK, DAMAGED = "done", "archive_damaged"


def archives(heavy: bool = False) -> Iterator[Case]:
    """Broken containers; ``heavy`` adds those that take seconds to make."""
    for part in (_zips, _tars, _sevens, _rars, _pdfs, _epubs, _strangers):
        yield from part()
    if heavy:
        yield Case("crowd.cbz", zipped([(f"{number}.png", b"") for number in range(100_001)]), "too_many_members")


def _zips() -> Iterator[Case]:
    stored, packed = zipped(), zipped(method=zipfile.ZIP_DEFLATED)
    for share in SHARES:
        yield Case(f"cut {share}.cbz", cut(stored, share), DAMAGED)
        yield Case(f"cut packed {share}.zip", cut(packed, share), DAMAGED)
    central, end = stored.index(b"PK\x01\x02"), stored.rindex(b"PK\x05\x06")
    second = stored.index(b"PK\x03\x04", 10)
    yield Case("no end record.cbz", stored[:end], DAMAGED)
    yield Case("end record flipped.cbz", flipped(stored, end + 1), DAMAGED)
    yield Case("directory flipped.cbz", flipped(stored, central + 1), DAMAGED)
    yield Case("directory misplaced.cbz", patched(stored, end + 16, struct.pack("<I", 0x7FFFFFFF)), DAMAGED)
    yield Case("directory oversized.cbz", patched(stored, end + 12, struct.pack("<I", 0x7FFFFFFF)), DAMAGED)
    yield Case("page flipped.cbz", flipped(stored, 60), OK, ("member_damaged",))
    yield Case("packed page flipped.cbz", flipped(packed, 3000), OK, ("member_damaged",))
    yield Case("checksum flipped.cbz", flipped(stored, central + 16), OK, ("member_damaged",))
    yield Case("local header flipped.cbz", flipped(stored, second), OK, ("member_damaged",))
    yield Case("packed size too large.cbz", patched(stored, central + 20, b"\xff\xff\xff\x7f"), OK, ("member_damaged",))
    yield Case("size too small.cbz", patched(stored, central + 24, b"\x05\0\0\0"), OK, ("member_damaged",))
    yield Case("claims 600 MB.cbz", patched(stored, central + 24, struct.pack("<I", 600 << 20)), OK, ("member_too_large",))
    yield Case("place beyond the end.cbz", patched(stored, central + 42, b"\xf0\xff\xff\x7f"), OK, ("member_damaged",))
    locked = stored
    at = central
    for _ in PAGES:
        locked = patched(locked, at + 8, b"\x01")
        at = locked.find(b"PK\x01\x02", at + 4)
    yield Case("password.cbz", locked, "archive_encrypted")
    yield Case("password on one.cbz", patched(stored, central + 8, b"\x01"), OK, ("member_encrypted",))
    yield Case("AES on one.cbz", patched(stored, central + 10, b"\x63"), OK, ("member_encrypted",))
    yield Case("unknown method.cbz", patched(patched(stored, 8, b"\x4d"), central + 10, b"\x4d"), OK, ("member_damaged",))
    yield Case("last of a set.zip", patched(stored, end + 4, b"\x02"), "volume_missing")
    zeros = zipped([("1.png", page(1)), ("2.bmp", bytes(70 << 20))], zipfile.ZIP_DEFLATED)
    yield Case("bomb.cbz", zeros, OK, ("archive_bomb",))
    many, at = zipped([(f"{number}.png", b"x") for number in range(40)]), 0
    while (at := many.find(b"PK\x01\x02", at + 1)) > 0:
        many = patched(many, at + 24, struct.pack("<I", 60 << 20))
    yield Case("bomb of many.cbz", many, "archive_bomb")
    yield Case("empty.cbz", zipped([]), "archive_empty")
    yield Case("folders only.cbz", zipped([("a/", b""), ("b/", b"")]), "archive_empty")
    yield Case("text only.cbz", zipped([("a.txt", b"a")]), "archive_no_images")
    yield Case("junk only.cbz", zipped([("__MACOSX/._1.png", b"a"), (".DS_Store", b"b")]), "archive_no_images")
    yield Case("nested.cbz", zipped([("in.cbz", stored)]), "nested_container")
    yield Case("behind junk.cbz", b"MZ" + bytes(500) + stored, OK)
    yield Case("before junk.cbz", stored + bytes(300), OK)
    for name in ("../../evil.png", "/evil.png", "C:\\evil.png", "a/../../evil.png", "nul.png", "x" * 300 + ".png"):
        yield Case(f"name {len(name)} {zlib.crc32(name.encode()):08x}.cbz", zipped([(name, page(1))]), OK)
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(link, "../../../../etc/passwd")
        archive.writestr("1.png", page(1))
    yield Case("link.cbz", sink.getvalue(), OK, ("image_unknown_format",))
    yield Case("all pages empty.cbz", zipped([("1.png", b""), ("2.png", b"")]), "image_empty", ("image_empty",) * 2)
    yield Case("all pages text.cbz", zipped([("1.png", b"no image")]), "image_unknown_format", ("image_unknown_format",))
    yield Case("broken metadata.cbz", zipped([*PAGES, ("ComicInfo.xml", b"<ComicInfo><Ser")]), OK)
    yield Case("entity bomb.cbz", zipped([*PAGES, ("ComicInfo.xml", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>")]), OK)
    yield Case("deep metadata.cbz", zipped([*PAGES, ("ComicInfo.xml", b"<a>" * 50_000)]), OK)


def _tars() -> Iterator[Case]:
    plain = tarred()
    for share in SHARES[1:-1]:
        yield Case(f"cut {share}.cbt", cut(plain, share), DAMAGED)
    whole = len(plain)
    for name, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        packed: bytes = pack(plain)
        yield Case(f"whole {name}.cbt", packed, OK)
        for share in (0.1, 0.5, 0.9):
            yield Case(f"cut {name} {share}.cbt", cut(packed, share), DAMAGED)
        yield Case(f"flipped {name}.cbt", flipped(packed, len(packed) // 2), DAMAGED)
    second = plain.index(b"1.png")
    yield Case("header flipped.cbt", flipped(plain, second + 150), DAMAGED)
    yield Case("first header flipped.cbt", patched(plain, 148, b"9999999"), DAMAGED)
    yield Case("links only.cbt", tarred(kind=tarfile.SYMTYPE), "archive_empty")
    yield Case("hard links only.cbt", tarred(kind=tarfile.LNKTYPE), "archive_empty")
    yield Case("devices only.cbt", tarred(kind=tarfile.CHRTYPE), "archive_empty")
    yield Case("no pages.cbt", tarred([("a.txt", b"a")]), "archive_no_images")
    yield Case("slip.cbt", tarred([("../../evil.png", page(1)), ("/evil.png", page(2))]), OK)
    yield Case("twice.cbt", tarred([("1.png", page(1)), ("1.png", page(2))]), OK)
    yield Case("zeros.cbt", bytes(whole), "wrong_format")


def _sevens() -> Iterator[Case]:
    whole = sevened()
    for share in SHARES:
        yield Case(f"cut {share}.cb7", cut(whole, share), DAMAGED)
    yield Case("password.cb7", sevened("secret"), "archive_encrypted")
    yield Case("start header flipped.cb7", flipped(whole, 14), DAMAGED)
    yield Case("header flipped.cb7", flipped(whole, len(whole) - 20), DAMAGED)
    yield Case("content flipped.cb7", flipped(whole, 2000), OK, ("member_damaged",))
    yield Case("no pages.cb7", sevened(entries=[("a.txt", b"a")]), "archive_no_images")
    yield Case("slip.cb7", sevened(entries=[("a/b.png", page(1))]), OK)


def _rars() -> Iterator[Case]:
    for version, make in (("4", rar4), ("5", rar5)):
        whole = make()
        yield Case(f"whole {version}.cbr", whole, OK)
        for share in SHARES[:-1]:
            yield Case(f"cut {version} {share}.cbr", cut(whole, share), DAMAGED)
        yield Case(f"page flipped {version}.cbr", flipped(whole, 400), OK, ("member_damaged",))
        yield Case(f"not packed as said {version}.cbr", make(method=0x33 if version == "4" else 3), "member_damaged", _BAD)
        yield Case(f"no pages {version}.cbr", make([("a.txt", b"a")]), "archive_no_images")
        yield Case(f"slip {version}.cbr", make([("../../evil.png", page(1))]), OK)
        yield Case(f"empty {version}.cbr", make([]), "archive_empty")
    yield Case("password.cbr", rar4(flags=0x04), "archive_encrypted")
    yield Case("password on names.cbr", rar4(main=0x80), "archive_encrypted")
    yield Case("password on names 5.cbr", rar5(encrypted=True), "archive_encrypted")
    yield Case("volume.cbr", rar4(main=0x01), "volume_missing")
    yield Case("lonely.part2.rar", rar4(main=0x11), "volume_missing")
    yield Case("header broken.cbr", patched(rar4(), 22, b"\x00"), DAMAGED)


_BAD = ("member_damaged",) * 3


def _pdfs() -> Iterator[Case]:
    whole = pdf()
    for share in (0.1, 0.5, 0.9):
        yield Case(f"cut {share}.pdf", cut(whole, share), DAMAGED)
    yield Case("whole named otherwise.cbr", whole, OK)
    yield Case("password.pdf", pdf(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="x", owner_pw="y"), "pdf_encrypted")
    yield Case("head only.pdf", b"%PDF-1.7\n", DAMAGED)
    yield Case("junk.pdf", b"%PDF-1.7\n" + random.Random(1).randbytes(4000), DAMAGED)


def _epubs() -> Iterator[Case]:
    aes, font = "http://www.w3.org/2001/04/xmlenc#aes256-cbc", "http://www.idpf.org/2008/embedding"
    yield Case("whole.epub", epub(), OK)
    yield Case("copy protection.epub", epub(extra=encryption(aes)), "drm_protected")
    yield Case("copy protection of a shop.epub", epub(extra=[("META-INF/sinf.xml", b"<sinf/>")]), "drm_protected")
    yield Case("hidden fonts.epub", epub(extra=encryption(font)), OK)
    yield Case("broken protection.epub", epub(extra=[("META-INF/encryption.xml", b"<e><")]), DAMAGED)
    yield Case("broken package.epub", epub(b"<package><manif"), DAMAGED)
    yield Case("broken container.epub", epub(container=b"<c"), DAMAGED)
    yield Case("entities.epub", epub(b"<!DOCTYPE p [<!ENTITY a 'b'>]>" + OPF), DAMAGED)
    yield Case("package elsewhere.epub", epub(container=b'<c><rootfile full-path="none.opf"/></c>'), OK)
    yield Case("spine to nothing.epub", epub(OPF.replace(b'href="', b'href="none/')), OK)
    yield Case("spine out of it.epub", epub(OPF.replace(b'href="', b'href="../../')), OK)
    yield Case("no spine.epub", epub(b"<package/>"), OK)
    yield Case("cut.epub", cut(epub(), 0.6), DAMAGED)
    yield Case("deep package.epub", epub(b"<a>" * 50_000), DAMAGED)


def _strangers() -> Iterator[Case]:
    for suffix in ("cbz", "cbr", "cb7", "cbt", "pdf", "epub"):
        yield Case(f"nothing.{suffix}", b"", DAMAGED)
        yield Case(f"page of a shop.{suffix}", b"<!DOCTYPE html><html>404 not found</html>", "wrong_format")
    yield Case("an image.cbz", page(1), "wrong_format")
    yield Case("noise.cbr", random.Random(2).randbytes(5000), "wrong_format")
    yield Case("program.cb7", b"\x7fELF" + bytes(600), "wrong_format")
    yield Case("ace.cba", bytes(7) + b"**ACE**" + bytes(600), "archive_unsupported")


def images() -> Iterator[Case]:
    """Broken and odd page images."""
    makers: dict[str, Callable[[], bytes]] = {
        "jpg": lambda: page(1, "JPEG"), "progressive.jpg": lambda: page(2, "JPEG", progressive=True),
        "png": lambda: page(1), "gif": lambda: page(1, "GIF"), "webp": lambda: page(1, "WEBP"),
        "lossless.webp": lambda: page(1, "WEBP", lossless=True), "tif": lambda: page(1, "TIFF"),
        "lzw.tif": lambda: page(1, "TIFF", compression="tiff_lzw"), "bmp": lambda: page(1, "BMP"),
        "ppm": lambda: page(1, "PPM"), "jp2": lambda: page(1, "JPEG2000"),
    }  # fmt: skip
    for suffix, make in makers.items():
        whole = make()
        yield Case(f"whole.{suffix}", whole, OK)
        yield Case(f"empty.{suffix}", b"", "image_empty")
        yield Case(f"half.{suffix}", cut(whole, 0.5), "image_truncated")
        yield Case(f"magic only.{suffix}", whole[:12], "image_truncated")
        yield Case(f"text.{suffix}", b"<html>404 not found</html>" * 9, "image_unknown_format")
        yield Case(f"zeros.{suffix}", bytes(500), "image_unknown_format")
    png = page(1)
    head = png.index(b"IHDR")

    def sized(width: int, height: int) -> bytes:
        body = b"IHDR" + struct.pack(">II", width, height) + png[head + 12 : head + 17]
        return png[:head] + body + struct.pack(">I", zlib.crc32(body)) + png[head + 21 :]

    yield Case("pixel bomb.png", sized(60_000, 60_000), "image_too_large")
    yield Case("wide bomb.png", sized(400_000, 900), "image_too_large")
    yield Case("no width.png", sized(0, 100), "image_unreadable")
    yield Case("first chunk only.png", png[: head + 21], "image_truncated")
    yield Case("checksum.png", flipped(png, head + 18), "image_unreadable")
    yield Case("chunk name.png", png.replace(b"IDAT", b"IDAX"), "image_unreadable")
    yield Case("no pixels.jpg", page(1, "JPEG")[:300], "image_truncated")
    yield Case("cut tail.jpg", page(1, "JPEG")[:-200], "image_truncated")
    yield Case("archive.jpg", zipped(), "image_unknown_format")
    yield Case("noise.png", random.Random(3).randbytes(3000), "image_unknown_format")
    yield Case("movie.jpg", b"\0\0\0\x18ftypmp42" + bytes(400), "image_unknown_format")
    yield Case("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image_unknown_format")
    yield Case("wrong suffix.jpg", page(1), OK)
    yield Case("after junk.png", page(1) + b"junk" * 50, OK)
