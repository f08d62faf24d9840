"""Container readers on files made here: every format, every way a file can be broken."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import time
import zipfile
from pathlib import Path

import py7zr
import pymupdf
import pytest
from PIL import Image, ImageDraw

from comix.core.errors import ItemError
from comix.core.reasons import REASONS, hint_for
from comix.io.containers import external, members, rars, sevenzip, zips
from comix.io.containers.archives import write_cbz
from comix.io.containers.charsets import decode_names
from comix.io.containers.container import is_image_name, junk_reason, open_container, sniff
from comix.io.containers.members import Member
from comix.io.containers.rarheaders import list_rar, single_file_rar
from comix.io.containers.store import ContentStore
from comix.io.images import decode_bgr

needs_bsdtar = pytest.mark.skipif(not external.find_bsdtar(), reason="bsdtar is not installed")


def drawn(number: int, kind: str = "PNG", size: tuple[int, int] = (120, 180)) -> bytes:
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((10, 10, size[0] - 10, size[1] // 2), outline="black", width=3, fill=(number * 37 % 255, 90, 160))
    draw.text((20, 20), str(number), fill="black")
    sink = io.BytesIO()
    image.save(sink, kind)
    return sink.getvalue()


def zip_of(path: Path, entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def tar_of(path: Path, entries: list[tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def sevenzip_of(path: Path, entries: list[tuple[str, bytes]], password: str | None = None) -> Path:
    with py7zr.SevenZipFile(path, "w", password=password) as archive:
        for name, content in entries:
            archive.writestr(content, name)
    return path


def reason_of(path: Path, **options: object) -> str:
    """Reason code of whatever fails first: opening, listing pages, reading them."""
    with pytest.raises(ItemError) as caught, open_container(path, **options) as comic:  # type: ignore[arg-type]
        for member in comic.page_order():
            comic.read(member)
    assert caught.value.reason in REASONS
    return caught.value.reason


PAGES = [("a/page10.png", drawn(10)), ("a/page2.png", drawn(2)), ("A/Page1.PNG", drawn(1))]


@pytest.mark.parametrize(
    ("make", "suffix", "kind"),
    [
        (zip_of, ".cbz", "zip"), (tar_of, ".cbt", "tar"), (sevenzip_of, ".cb7", "7z"),
        (lambda path, entries: tar_of(path, entries, "w:gz"), ".tgz", "tar"),
        (lambda path, entries: tar_of(path, entries, "w:xz"), ".cbt", "tar"),
    ],
)  # fmt: skip
def test_archive_keeps_stored_order_and_gives_natural_page_order(tmp_path, make, suffix, kind):
    entries = [*PAGES, ("ComicInfo.xml", b"<ComicInfo/>"), ("notes.txt", b"hello")]
    path = make(tmp_path / f"Ünï & #1{suffix}", entries)
    assert sniff(path) == kind
    with open_container(path) as comic:
        assert comic.kind == kind
        assert [m.name for m in comic.members()] == [name for name, _ in entries]
        assert [m.index for m in comic.members()] == list(range(5))
        assert [m.name for m in comic.page_order()] == ["A/Page1.PNG", "a/page2.png", "a/page10.png"]
        for member, (_, content) in zip(reversed(comic.members()), reversed(entries), strict=True):
            assert comic.read(member) == content
            assert member.size == len(content)
        assert comic.metadata_files() == {"ComicInfo.xml": b"<ComicInfo/>"}


def test_wrong_suffix_is_opened_by_what_it_is(tmp_path):
    path = zip_of(tmp_path / "really a zip.cbr", PAGES)
    with open_container(path) as comic:
        assert comic.kind == "zip"


def test_folder_is_read_in_natural_order_and_links_do_not_lead_out(tmp_path):
    folder, outside = tmp_path / "book", tmp_path / "secret.png"
    (folder / "sub").mkdir(parents=True)
    outside.write_bytes(drawn(99))
    for name, content in [("10.png", drawn(10)), ("9.png", drawn(9)), ("sub/1.png", drawn(1))]:
        (folder / name).write_bytes(content)
    try:
        (folder / "8.png").symlink_to(outside)
        (folder / "loop").symlink_to(folder, target_is_directory=True)
    except OSError:
        pytest.skip("no symbolic links here")
    with open_container(folder) as comic:
        assert [member.name for member in comic.page_order()] == ["8.png", "9.png", "10.png"]
    with open_container(folder, recursive=True) as comic:
        names = [member.name for member in comic.page_order()]
        assert comic.kind == "folder" and "loop/9.png" not in names
        assert names.index("9.png") < names.index("10.png")
        link = next(member for member in comic.members() if member.name == "8.png")
        with pytest.raises(ItemError, match="member_missing"):
            comic.read(link)
        assert comic.read(next(m for m in comic.members() if m.name == "sub/1.png")) == drawn(1)


def test_pdf_gives_original_jpeg_and_renders_the_rest(tmp_path):
    path, jpeg = tmp_path / "comic.pdf", drawn(1, "JPEG", (400, 600))
    with pymupdf.open() as document:
        page = document.new_page(width=200, height=300)
        page.insert_image(page.rect, stream=jpeg)
        page = document.new_page(width=200, height=300)
        page.insert_image(page.rect, stream=drawn(2, "JPEG", (400, 600)))
        page.insert_text((20, 100), "a balloon drawn on top")
        page = document.new_page(width=200, height=300)
        page.insert_image(page.rect, stream=drawn(3, "JPEG", (400, 600)), rotate=90)
        document.new_page(width=100, height=1000)
        document.set_metadata({"title": "T", "author": "A"})
        document.xref_set_key(document.pdf_catalog(), "ViewerPreferences", "<</Direction/R2L>>")
        document.embfile_add("ComicInfo.xml", b"<ComicInfo/>")
        document.save(path)
    with open_container(path, pdf_long_side=900) as comic:
        first, second, turned, strip = comic.page_order()
        assert (comic.kind, comic.reading_direction, first.name) == ("pdf", "rtl", "page-0001")
        assert comic.read(first) == jpeg
        assert comic.read(second)[:4] == b"\x89PNG" and decode_bgr(comic.read(second)).shape == (900, 600, 3)
        assert comic.read(turned)[:4] == b"\x89PNG"
        assert decode_bgr(comic.read(strip)).shape[1] == 324
        info = comic.metadata_files()
        assert json.loads(info["pdf.json"])["title"] == "T" and info["ComicInfo.xml"] == b"<ComicInfo/>"


def test_pdf_with_password_and_cut_pdf(tmp_path):
    locked, cut = tmp_path / "locked.pdf", tmp_path / "cut.pdf"
    with pymupdf.open() as document:
        for number in range(5):
            document.new_page().insert_image((0, 0, 595, 842), stream=drawn(number, "JPEG", (600, 800)))
        document.save(locked, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="x", owner_pw="y")
        whole = document.tobytes()
    cut.write_bytes(whole[: len(whole) // 2])
    assert reason_of(locked) == "pdf_encrypted"
    assert reason_of(cut) == "archive_damaged"


def epub_of(path: Path, extra: list[tuple[str, bytes]] | None = None) -> Path:
    opf = b"""<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><manifest>
        <item id="b" href="p%20b.xhtml" media-type="application/xhtml+xml"/>
        <item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>
        <item id="c" href="img/3.jpg" media-type="image/jpeg"/></manifest>
        <spine page-progression-direction="rtl"><itemref idref="b"/><itemref idref="a"/><itemref idref="c"/></spine>
        </package>"""
    svg = b'<html><body>&nbsp;<svg><image xlink:href="./img/1.jpg"/></svg><img src="http://x.org/y.jpg"/></body></html>'
    return zip_of(
        path,
        [
            ("mimetype", b"application/epub+zip"),
            ("META-INF/container.xml", b'<c><rootfiles><rootfile full-path="O/c.opf"/></rootfiles></c>'),
            ("O/c.opf", opf), ("O/a.xhtml", svg),
            ("O/p b.xhtml", b"<html><body><br><img src='img/2.jpg'/></body></html>"),
            *[(f"O/img/{number}.jpg", drawn(number, "JPEG")) for number in (1, 2, 3, 4)], *(extra or []),
        ],
        zipfile.ZIP_STORED,
    )  # fmt: skip


def test_epub_follows_the_spine(tmp_path):
    with open_container(epub_of(tmp_path / "book.epub")) as comic:
        assert (comic.kind, comic.reading_direction) == ("epub", "rtl")
        assert [m.name for m in comic.page_order()] == ["O/img/2.jpg", "O/img/1.jpg", "O/img/3.jpg"]
        assert comic.metadata_files()["content.opf"].startswith(b"<package")
        assert len(comic.members()) == 9


def test_epub_with_copy_protection_is_refused_and_font_obfuscation_is_not(tmp_path):
    text = '<encryption><EncryptedData><EncryptionMethod Algorithm="{}"/></EncryptedData></encryption>'
    for number, (method, is_drm) in enumerate(
        [("http://www.w3.org/2001/04/xmlenc#aes256-cbc", True), ("http://www.idpf.org/2008/embedding", False)]
    ):
        path = epub_of(tmp_path / f"{number}.epub", [("META-INF/encryption.xml", text.format(method).encode())])
        if is_drm:
            assert reason_of(path) == "drm_protected"
        else:
            with open_container(path) as comic:
                assert len(comic.page_order()) == 3


def patched(path: Path, target: Path, old: bytes, new: bytes) -> Path:
    content = path.read_bytes()
    assert old in content
    target.write_bytes(content.replace(old, new))
    return target


def test_encrypted_zip_whole_and_single_member(tmp_path):
    path = zip_of(tmp_path / "a.cbz", [("1.png", drawn(1)), ("2.png", drawn(2))])
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        second = archive.getinfo("2.png").header_offset
    central = content.rindex(b"PK\x01\x02")
    content[second + 6] |= 1
    content[central + 8] |= 1
    path.write_bytes(content)
    with open_container(path) as comic:
        first, locked = comic.page_order()
        assert comic.read(first) == drawn(1)
        with pytest.raises(ItemError, match="member_encrypted"):
            comic.read(locked)
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert reason_of(path) == "archive_encrypted"


def test_encrypted_7z(tmp_path):
    assert reason_of(sevenzip_of(tmp_path / "a.cb7", PAGES, "secret")) == "archive_encrypted"


@pytest.mark.parametrize("share", [0.1, 0.6, 0.99])
@pytest.mark.parametrize(("make", "suffix"), [(zip_of, ".cbz"), (tar_of, ".cbt"), (sevenzip_of, ".cb7")])
def test_truncated_archives_are_damaged_never_shorter(tmp_path, make, suffix, share):
    entries = [(f"{number}.png", drawn(number, size=(300, 400)) + os.urandom(20_000)) for number in range(9)]
    path = make(tmp_path / f"a{suffix}", entries)
    content = path.read_bytes()
    kept = int(len(content) * share) if suffix != ".cbt" or share < 0.9 else sum(len(c) for _, c in entries)
    path.write_bytes(content[:kept])
    assert reason_of(path) == "archive_damaged"


def test_tar_with_a_broken_header_in_the_middle_is_damaged(tmp_path):
    path = tar_of(tmp_path / "a.cbt", PAGES)
    content = bytearray(path.read_bytes())
    content[content.index(b"a/page2.png") : content.index(b"a/page2.png") + 200] = b"x" * 200
    path.write_bytes(content)
    assert reason_of(path) == "archive_damaged"


def test_member_with_wrong_checksum_is_damaged_and_others_are_read(tmp_path):
    path = zip_of(tmp_path / "a.cbz", [("1.png", drawn(1)), ("2.png", drawn(2))], zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(drawn(1)) + 60] ^= 0xFF
    path.write_bytes(content)
    with open_container(path) as comic:
        first, second = comic.page_order()
        with pytest.raises(ItemError, match="member_damaged"):
            comic.read(first)
        assert comic.read(second) == drawn(2)


def test_names_that_lead_out_are_only_data(tmp_path):
    names = ["../../evil.png", "/abs/evil.png", "C:\\evil.png", "ok/1.png"]
    for make, suffix in ((zip_of, ".cbz"), (tar_of, ".cbt")):
        path = make(tmp_path / f"slip{suffix}", [(n, drawn(1)) for n in names])
        with open_container(path, scratch=tmp_path) as comic:
            assert len(comic.page_order()) == 4
            assert all(comic.read(member) == drawn(1) for member in comic.members())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["slip.cbt", "slip.cbz"]


def test_same_name_twice_is_read_by_position(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        path = zip_of(tmp_path / "a.cbz", [("1.png", drawn(1)), ("1.png", drawn(2))])
    with open_container(path) as comic:
        assert [comic.read(member) for member in comic.page_order()] == [drawn(1), drawn(2)]


def zip_with_raw_names(path: Path, raw: list[bytes]) -> Path:
    zip_of(path, [(f"{'x' * (len(name) - 4)}{index:04d}", drawn(index)) for index, name in enumerate(raw)])
    content = path.read_bytes()
    for index, name in enumerate(raw):
        content = content.replace(f"{'x' * (len(name) - 4)}{index:04d}".encode(), name)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("codec", "names"),
    [
        ("cp949", ["만화/제1화 시작.png", "만화/제2화 끝.png"]), ("cp932", ["漫画/ページ１.png", "漫画/ページ２.png"]),
        ("cp932", ["第一巻_表紙.png", "第二巻.png"]), ("gb18030", ["漫画/第一页.png", "漫画/第二页.png"]),
        ("utf-8", ["café/página.png", "naïve.png"]), ("cp437", ["Übergröße.png", "Amélie.png"]),
    ],
)  # fmt: skip
def test_names_in_legacy_encodings_are_read(tmp_path, codec, names):
    path = zip_with_raw_names(tmp_path / "a.cbz", [name.encode(codec) for name in names])
    with open_container(path) as comic:
        assert [member.name for member in comic.members()] == names
        assert [comic.read(member) for member in comic.members()] == [drawn(0), drawn(1)]


def test_undecodable_names_become_text_that_can_be_stored():
    (name,) = decode_names([b"\xff\xfe\x81.png"])
    assert name.encode("utf-8")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("001.jpg", ""), ("x/001.AVIF", ""), ("../001.jpg", ""), ("__MACOSX/x/._001.jpg", "junk_macos"),
        ("x/._001.jpg", "junk_macos"), (".DS_Store", "junk_macos"), ("x/Thumbs.db", "junk_thumbnail"),
        ("x/@eaDir/001.jpg", "junk_thumbnail"), ("ComicInfo.xml", "metadata_file"),
        ("a/MetronInfo.xml", "metadata_file"), ("jpg", "not_an_image"),
        ("CoMet.xml", "metadata_file"), (".hidden.jpg", "hidden_file"), ("x/.cache/1.jpg", "hidden_file"),
        ("inner.cbz", "nested_container"), ("readme.txt", "not_an_image"), ("noext", "not_an_image"),
    ],
)  # fmt: skip
def test_junk_reasons(name, reason):
    assert junk_reason(name) == reason
    assert not reason or hint_for(reason)


def test_junk_is_listed_but_is_no_page(tmp_path):
    entries = [
        ("1.png", drawn(1)),
        ("__MACOSX/._1.png", b"x"),
        (".DS_Store", b"x"),
        ("Thumbs.db", b"x"),
        ("in.cbz", b"PK"),
    ]
    with open_container(zip_of(tmp_path / "a.cbz", entries)) as comic:
        assert len(comic.members()) == 5
        assert [member.name for member in comic.page_order()] == ["1.png"]
    assert is_image_name("x.WEBP") and not is_image_name("x.txt")


def test_empty_no_images_wrong_and_missing(tmp_path):
    (tmp_path / "empty.cbr").write_bytes(b"")
    (tmp_path / "text.cbz").write_text("<html>404 not found</html>")
    (tmp_path / "t.cba").write_bytes(b"\x00" * 7 + b"**ACE**" + b"\x00" * 600)
    (tmp_path / "folder").mkdir()
    assert reason_of(zip_of(tmp_path / "none.cbz", [])) == "archive_empty"
    assert reason_of(zip_of(tmp_path / "notes.cbz", [("a.txt", b"a")])) == "archive_no_images"
    assert reason_of(tmp_path / "text.cbz") == "wrong_format" and sniff(tmp_path / "text.cbz") == ""
    assert reason_of(tmp_path / "empty.cbr") == "archive_damaged"
    assert reason_of(tmp_path / "t.cba") == "archive_unsupported"
    assert reason_of(tmp_path / "gone.cbz") == "container_missing"
    assert reason_of(tmp_path / "folder") == "archive_empty"


def test_bombs_and_crowds_are_refused(tmp_path, monkeypatch):
    path = zip_of(tmp_path / "bomb.cbz", [("1.png", drawn(1)), ("2.bmp", bytes(80 << 20))])
    with open_container(path) as comic:
        assert comic.read(comic.page_order()[0]) == drawn(1)
        with pytest.raises(ItemError, match="archive_bomb"):
            comic.read(comic.page_order()[1])
    monkeypatch.setattr(members, "MAX_MEMBERS", 2)
    assert reason_of(zip_of(tmp_path / "crowd.cbz", PAGES)) == "too_many_members"
    store = ContentStore(tmp_path, 100)
    with pytest.raises(ItemError, match="archive_bomb"):
        store.add("x", iter([b"x" * 60, b"x" * 60]))
    store.close()


def test_member_of_another_container_is_missing(tmp_path):
    with (
        open_container(zip_of(tmp_path / "a.cbz", PAGES)) as comic,
        pytest.raises(ItemError, match="member_missing"),
    ):
        comic.read(Member("other.png", 0, 1))


def test_7z_leaves_nothing_behind_and_repeats_content(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    path = sevenzip_of(tmp_path / "a.cb7", [*PAGES, ("copy.png", drawn(2)), ("zero.png", b"")])
    with open_container(path, scratch=scratch) as comic:
        by_name = {member.name: comic.read(member) for member in comic.members()}
    assert by_name["copy.png"] == drawn(2) and by_name["zero.png"] == b""
    assert list(scratch.iterdir()) == []


def rar4_of(path: Path, name: str, content: bytes, method: int = 0x30, flags: int = 0, main_flags: int = 0) -> Path:
    """A RAR 4 archive with one member, written after the format note; header checksums are not looked at."""
    import struct
    import zlib

    raw = name.encode()
    head = struct.pack("<HBHH", 0, 0x73, main_flags, 13) + bytes(6)
    size = 32 + len(raw)
    file = struct.pack("<HBHHII", 0, 0x74, 0x8000 | flags, size, len(content), len(content))
    file += struct.pack("<BIIBBHI", 3, zlib.crc32(content), 0, 29, method, len(raw), 0o100644) + raw
    path.write_bytes(b"Rar!\x1a\x07\x00" + head + file + content + struct.pack("<HBHH", 0, 0x7B, 0x4000, 7))
    return path


def test_stored_rar_needs_no_program(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    path = rar4_of(tmp_path / "a.cbr", "b\\1.png", drawn(1))
    with open_container(path) as comic:
        (page,) = comic.page_order()
        assert (comic.kind, page.name, comic.read(page)) == ("rar", "b/1.png", drawn(1))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(drawn(1), drawn(1)[:-1] + b"!"))
    assert reason_of(path) == "member_damaged"
    path.write_bytes(whole[: len(whole) // 2])
    assert reason_of(path) == "archive_damaged"


def test_one_file_cut_out_of_a_rar_is_an_archive_of_its_own(tmp_path):
    one, two = rar4_of(tmp_path / "1.rar", "1.png", drawn(1)), rar4_of(tmp_path / "2.rar", "x/2.png", drawn(2))
    both = tmp_path / "both.cbr"
    both.write_bytes(one.read_bytes()[:-7] + two.read_bytes()[20:])
    _, second = list_rar(both)
    (tmp_path / "cut.rar").write_bytes(single_file_rar(both, second))
    with open_container(tmp_path / "cut.rar") as comic:
        assert [(member.name, comic.read(member)) for member in comic.members()] == [("x/2.png", drawn(2))]


def test_rar_encrypted_volume_and_without_programs(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(rars, "find_bsdtar", lambda: "")
    assert reason_of(rar4_of(tmp_path / "a.cbr", "1.png", drawn(1), flags=4)) == "archive_encrypted"
    assert reason_of(rar4_of(tmp_path / "b.cbr", "1.png", drawn(1), main_flags=0x80)) == "archive_encrypted"
    assert reason_of(rar4_of(tmp_path / "c.cbr", "1.png", drawn(1), main_flags=1)) == "volume_missing"
    packed = rar4_of(tmp_path / "d.cbr", "1.png", drawn(1), method=0x33)
    with pytest.raises(ItemError) as caught, open_container(packed) as comic:
        comic.read(comic.page_order()[0])
    assert caught.value.reason == "archive_unsupported" and "bsdtar" in caught.value.hint
    assert list_rar(packed)[0].stored is False


@needs_bsdtar
def test_bsdtar_fills_the_store_and_reports_trouble(tmp_path):
    path = zip_of(tmp_path / "@a.cbz", PAGES)
    store = ContentStore(tmp_path, 1 << 30)
    assert external.unpack_with_bsdtar(path, store) == ""
    with open_container(path) as comic:
        import zlib

        for member in comic.members():
            content = comic.read(member)
            assert store.find(len(content), zlib.crc32(content)) == content
    store.close()
    path.write_bytes(b"no archive at all")
    store = ContentStore(tmp_path, 1 << 30)
    assert external.unpack_with_bsdtar(path, store)
    store.close()


def test_a_program_that_hangs_is_stopped(tmp_path, monkeypatch):
    if os.name == "nt":
        pytest.skip("shell script")
    program = tmp_path / "bsdtar"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(external, "find_bsdtar", lambda: str(program))
    store, started = ContentStore(tmp_path, 1 << 30), time.monotonic()
    with pytest.raises(ItemError, match="timeout"):
        external.unpack_with_bsdtar(tmp_path / "x.cbr", store, timeout_s=0.3)
    assert time.monotonic() - started < 30
    store.close()


def test_unknown_zip_method_without_bsdtar_names_the_program(tmp_path, monkeypatch):
    path = zip_of(tmp_path / "a.cbz", [("1.png", drawn(1))])
    content = bytearray(path.read_bytes())
    content[8], content[content.index(b"PK\x01\x02") + 10] = 98, 98  # PPMd
    path.write_bytes(content)
    monkeypatch.setattr(zips, "find_bsdtar", lambda: "")
    with pytest.raises(ItemError) as caught, open_container(path) as comic:
        comic.read(comic.page_order()[0])
    assert caught.value.reason == "archive_unsupported" and "bsdtar" in caught.value.hint


def test_7z_that_py7zr_cannot_unpack_falls_back(tmp_path, monkeypatch):
    path = sevenzip_of(tmp_path / "a.cb7", PAGES)
    monkeypatch.setattr(sevenzip.SevenZipContainer, "_through_py7zr", lambda self, store: True)
    if external.find_bsdtar():
        with open_container(path) as comic:
            assert comic.read(comic.page_order()[0]) == drawn(1)
    monkeypatch.setattr(sevenzip, "find_bsdtar", lambda: "")
    monkeypatch.setattr(sevenzip, "unpack_with_extractors", lambda *_, **__: "")
    assert reason_of(path) == "archive_unsupported"


def test_write_cbz_is_deterministic_atomic_and_refuses_bad_names(tmp_path):
    entries = [("001.png", drawn(1)), ("ComicInfo.xml", b"<ComicInfo/>" * 50)]
    write_cbz(tmp_path / "new" / "a.cbz", entries)
    write_cbz(tmp_path / "b.cbz", iter(entries))
    assert (tmp_path / "new" / "a.cbz").read_bytes() == (tmp_path / "b.cbz").read_bytes()
    with zipfile.ZipFile(tmp_path / "b.cbz") as archive:
        kinds = [info.compress_type for info in archive.infolist()]
    assert kinds == [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]
    before = (tmp_path / "b.cbz").read_bytes()
    for names in (["1.png", "1.png"], ["../1.png"], ["/1.png"], [""]):
        with pytest.raises(ValueError, match="name"):
            write_cbz(tmp_path / "b.cbz", [(name, b"x") for name in names])
    assert (tmp_path / "b.cbz").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["b.cbz", "new"]


def test_containers_are_left_as_they_were(tmp_path):
    path = zip_of(tmp_path / "a.cbz", PAGES)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    with open_container(path) as comic:
        for member in comic.members():
            comic.read(member)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
