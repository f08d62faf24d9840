"""``comix extract``: pages left in place, order and types that metadata gives, odd images, and what is never touched."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from comix.core.journal import Journal
from comix.io.containers.inplace import member_addresses
from comix.io.containers.members import Member
from comix.io.images import image_exists, read_bgr, read_image_bytes


def drawn(number: int, form: str = "PNG", **options: object) -> bytes:
    sink = io.BytesIO()
    noise = np.random.default_rng(number).integers(0, 256, (180, 120, 3), np.uint8)
    image = Image.fromarray(noise)
    image.paste((number * 40 % 255, 90, 160), (10, 10, 60 + number, 90))
    image.save(sink, form, **options)
    return sink.getvalue()


def cbz(path: Path, entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, method)
        archive.comment = comment
    return path


def pages_of(workspace: Path) -> pd.DataFrame:
    return pd.read_parquet(workspace / "pages.parquet")


def children(workspace: Path, source: str, status: str) -> list[tuple[str, str]]:
    with Journal(workspace / "journal" / "extract.sqlite", source, read_only=True) as journal:
        return [(row.key.split("!/")[-1], row.reason) for row in journal.rows(status, children_only=True)]  # type: ignore[arg-type]


def test_in_place_gives_the_same_pages_panels_and_dataspecs(
    library: Path, finished: Path, tmp_path: Path, comix: Callable[..., object]
) -> None:
    workspace = f"workspace={tmp_path / 'ws, in place'}"
    ran = comix("extract", f"library={library}", workspace, "mode=inplace")
    assert "in place: 4 pages in ZIP archives, 2 in folders; 0 copied" in ran.out
    assert not (tmp_path / "ws, in place" / "pages").exists()
    comix("detect", workspace, "save_vis=0")
    comix("order", workspace)
    replayed = ("vlm=replay", "vlm.name=ocr", f"vlm.path={finished / 'analysis' / 'ocr'}")  # OCR is slow, and sees pixels only
    assert comix("analyze", workspace, *replayed).code == 0
    assert comix("align", workspace).code == 0
    assert comix("curate", workspace).code == 0
    ours, theirs = pages_of(tmp_path / "ws, in place"), pages_of(finished)
    assert ours.drop(columns="image_path").equals(theirs.drop(columns="image_path"))
    assert ours.image_path.str.contains("!/").sum() == 4
    for mine, copied in zip(ours.image_path, theirs.image_path, strict=True):
        assert image_exists(tmp_path / "ws, in place" / mine)
        assert (read_bgr(tmp_path / "ws, in place" / mine) == read_bgr(finished / copied)).all()

    def boxes(root: Path) -> list[dict[str, object]]:
        return json.loads((root / "detections" / "ensemble" / "predictions.json").read_text())["annotations"]

    def specs(root: Path) -> dict[str, object]:
        found = {
            path.relative_to(root).as_posix(): json.loads(path.read_text()) for path in (root / "dataspec").rglob("*.json")
        }
        return {name: [spec["panels"], spec["unassigned_text"], spec["page_size"]] for name, spec in found.items()}

    assert boxes(tmp_path / "ws, in place") == boxes(finished)
    assert specs(tmp_path / "ws, in place") == specs(finished)
    training = Path("lists", "training.txt")
    assert (tmp_path / "ws, in place" / training).read_text() == (finished / training).read_text() != ""
    assert "0 to do" in comix("extract", f"library={library}", workspace, "mode=inplace").out
    assert comix("report", workspace).code == 0
    comix("extract", f"library={library}", workspace)  # back to copies
    assert len(list((tmp_path / "ws, in place" / "pages").rglob("*.jpg"))) == 6
    comix("extract", f"library={library}", workspace, "mode=inplace")
    assert not list((tmp_path / "ws, in place" / "pages").rglob("*.jpg"))


def test_in_place_tells_equal_and_odd_names_apart(tmp_path: Path, comix: Callable[..., object]) -> None:
    names = ["p.png", "p.png", "./q.png", "a//q.png", "/abs.png", "../up.png", "#1.png", "back\\slash.png", "ok/1.png"]
    with pytest.warns(UserWarning, match="Duplicate"):
        cbz(tmp_path / "lib!" / "odd!" / "a.cbz", [(name, drawn(number)) for number, name in enumerate(names)])
    cbz(tmp_path / "lib!" / "deflated.cbz", [("1.png", drawn(1))], zipfile.ZIP_DEFLATED)
    comix("extract", f"library={tmp_path / 'lib!'}", f"workspace={tmp_path / 'ws'}", "mode=inplace", "workers=0")
    table = pages_of(tmp_path / "ws")
    assert len(table) == len(names) + 1 and table.image_path.is_unique
    read = {read_image_bytes(tmp_path / "ws" / path) for path in table.image_path}
    assert read == {drawn(number) for number in range(len(names))}
    assert not image_exists(tmp_path / "lib!" / "odd!" / "a.cbz!" / "none.png")
    (address,) = member_addresses("a.cbz", [Member("x\0y.png", 3, 1)]).values()
    assert address == "a.cbz!/#00003/xy.png"


def test_pages_in_place_follow_a_library_that_moves(tmp_path: Path, comix: Callable[..., object]) -> None:
    cbz(tmp_path / "lib" / "a.cbz", [("1.png", drawn(1))])
    words = (f"workspace={tmp_path / 'ws'}", "source=mine", "mode=inplace", "workers=0")
    comix("extract", f"library={tmp_path / 'lib'}", *words)
    (tmp_path / "lib").rename(tmp_path / "moved")
    assert not image_exists(tmp_path / "ws" / pages_of(tmp_path / "ws").image_path[0])
    assert comix("extract", f"library={tmp_path / 'moved'}", *words).code == 0
    assert read_image_bytes(tmp_path / "ws" / pages_of(tmp_path / "ws").image_path[0]) == drawn(1)


def test_what_is_no_zip_is_copied_in_place_mode(tmp_path: Path, comix: Callable[..., object]) -> None:
    import tarfile

    (tmp_path / "lib").mkdir()
    with tarfile.open(tmp_path / "lib" / "a.cbt", "w") as archive:
        entry = tarfile.TarInfo("1.png")
        entry.size = len(drawn(1))
        archive.addfile(entry, io.BytesIO(drawn(1)))
    ran = comix("extract", f"library={tmp_path / 'lib'}", f"workspace={tmp_path / 'ws'}", "mode=inplace", "workers=0")
    assert "in place: 0 pages in ZIP archives, 0 in folders; 1 copied" in ran.out
    assert (tmp_path / "ws" / pages_of(tmp_path / "ws").image_path[0]).read_bytes() == drawn(1)


def test_header_check_reads_sizes_only(tmp_path: Path, comix: Callable[..., object]) -> None:
    cbz(tmp_path / "lib" / "a.cbz", [("1.png", drawn(1)), ("2.jpg", drawn(2, "JPEG")[:-400])])
    words = ("extract", f"library={tmp_path / 'lib'}", f"workspace={tmp_path / 'ws'}", "workers=0")
    assert comix(*words, "check=header").code == 0
    table = pages_of(tmp_path / "ws")
    assert (table.width == 120).all() and (table.phash == "").all() and table.sha256.str.len().eq(64).all()
    comix(*words)
    assert children(tmp_path / "ws", "lib", "failed") == [("00001/2.jpg", "image_truncated")]
    assert comix(*words, "check=headers").code == 2


COMICINFO = """<ComicInfo><Series>S</Series><Number>½</Number><Pages>
    <Page Image="2" Type="FrontCover"/><Page Image="0"/><Page Image="1" Type="Deleted"/><Page Image="3" Type="BackCover"/>
    </Pages></ComicInfo>"""


def test_comicinfo_pages_give_order_and_types(tmp_path: Path, comix: Callable[..., object]) -> None:
    entries = [(f"{number}.png", drawn(number)) for number in range(4)]
    cbz(tmp_path / "lib" / "a.cbz", [*entries, ("comicinfo.xml", COMICINFO.encode())])
    cbz(tmp_path / "lib" / "b.cbz", [*entries[:3], ("ComicInfo.xml", COMICINFO.encode())])  # lists a page that is not there
    comix("extract", f"library={tmp_path / 'lib'}", f"workspace={tmp_path / 'ws'}", "workers=0")
    table = pages_of(tmp_path / "ws").set_index("page_id")
    assert list(table.loc[["a/0001", "a/0002", "a/0003"], "member"]) == ["2.png", "0.png", "3.png"]
    assert list(table.loc[["a/0001", "a/0002", "a/0003"], "page_type"]) == ["cover", "", "back_cover"]
    assert list(table.loc[["b/0001", "b/0002"], "member"]) == ["0.png", "2.png"]  # natural order then, still no deleted page
    assert ("00001/1.png", "marked_deleted") in children(tmp_path / "ws", "lib", "skipped")
    assert (table.issue == "½").all() and (table.issue_sort == "0 1000000000.5000").all()
    comix("convert", f"library={tmp_path / 'lib'}", f"workspace={tmp_path / 'ws'}", "workers=0")
    with zipfile.ZipFile(tmp_path / "ws" / "converted" / "a.cbz") as made:
        assert made.read("0001.png") == drawn(2)
        assert re.findall(r'Image="(\d)"', made.read("ComicInfo.xml").decode()) == ["0", "1", "2"]


def test_books_of_a_series_lie_in_the_order_of_their_numbers(tmp_path: Path, comix: Callable[..., object]) -> None:
    numbers = ["10", "2", "-1", "0.5", "Annual 3", "1"]
    for at, number in enumerate(numbers):
        info = f"<ComicInfo><Series>S</Series><Number>{number}</Number></ComicInfo>".encode()
        cbz(tmp_path / "lib" / f"{at}.cbz", [("1.png", drawn(at)), ("ComicInfo.xml", info)])
    comix("extract", f"library={tmp_path / 'lib'}", f"workspace={tmp_path / 'ws'}", "workers=0")
    assert list(pages_of(tmp_path / "ws").issue) == ["-1", "0.5", "1", "2", "10", "Annual 3"]


def test_epub_regions_are_kept(tmp_path: Path, comix: Callable[..., object]) -> None:
    navigation = """<html xmlns="http://www.w3.org/1999/xhtml" xmlns:e="http://www.idpf.org/2007/ops"><body>
        <nav e:type="region-based"><ol><li e:type="panel"><a href="p.xhtml#xywh=percent:0,0,50,100"/><ol>
        <li e:type="balloon"><a href="p.xhtml#xyn=percent:10,10,20,10,15,20"/></li></ol></li>
        <li e:type="panel"><a href="p.xhtml#xywh=percent:50,0,80,100"/></li></ol></nav></body></html>"""
    opf = """<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="p" href="p.xhtml"/>
        <item id="n" href="n.xhtml" properties="data-nav"/></manifest><spine><itemref idref="p"/></spine></package>"""
    cbz(
        tmp_path / "lib" / "a.epub",
        [
            ("mimetype", b"application/epub+zip"), ("c.opf", opf.encode()), ("n.xhtml", navigation.encode()),
            ("META-INF/container.xml", b'<c><rootfile full-path="c.opf"/></c>'),
            ("p.xhtml", b"<html><img src='1.png'/></html>"), ("1.png", drawn(1)),
        ],
    )  # fmt: skip
    comix("extract", f"library={tmp_path / 'lib'}", f"workspace={tmp_path / 'ws'}", "workers=0", "mode=inplace")
    page = pages_of(tmp_path / "ws").iloc[0]
    assert json.loads(page.regions) == [
        {"kind": "panel", "box": [0, 0, 60, 180], "parent": -1},
        {"kind": "balloon", "box": [12, 18, 12, 18], "parent": 0, "polygon": [[12, 18], [24, 18], [18, 36]]},
        {"kind": "panel", "box": [60, 0, 60, 180], "parent": -1},
    ]
    assert read_image_bytes(tmp_path / "ws" / page.image_path) == drawn(1)


def test_odd_images_have_a_stated_outcome(tmp_path: Path, comix: Callable[..., object]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.new("L", (50, 60), shade) for shade in (0, 128, 255)]
    stack, moving, deep = io.BytesIO(), io.BytesIO(), io.BytesIO()
    frames[0].save(stack, "TIFF", save_all=True, append_images=frames[1:])
    frames[0].save(moving, "GIF", save_all=True, append_images=frames[1:])
    Image.new("I;16", (50, 60), 40_000).save(deep, "PNG")
    cmyk = io.BytesIO()
    Image.new("CMYK", (50, 60), (0, 200, 200, 0)).save(cmyk, "JPEG")
    entries = {
        "1.tif": stack.getvalue(), "2.gif": moving.getvalue(), "3.png": deep.getvalue(), "4.jpg": cmyk.getvalue(),
        "5.jpg": drawn(5, "JPEG", exif=exif), "6.jpg": b"", "7.jpg": drawn(7, "JPEG")[:900], "8.jpg": b"<html>404</html>",
        "9.png": drawn(9).replace(b"IDAT", b"IDAX"),
    }  # fmt: skip
    cbz(tmp_path / "lib" / "a.cbz", list(entries.items()))
    comix("extract", f"library={tmp_path / 'lib'}", f"workspace={tmp_path / 'ws'}", "workers=0")
    table = pages_of(tmp_path / "ws").set_index("member")
    assert table.image_notes.to_dict() == {
        "1.tif": "multi_page", "2.gif": "animated", "3.png": "16_bit", "4.jpg": "cmyk", "5.jpg": "exif_rotated"
    }  # fmt: skip
    assert (table.width["5.jpg"], table.height["5.jpg"]) == (180, 120)
    assert children(tmp_path / "ws", "lib", "skipped") == [
        ("00000/1.tif#2", "further_frames"),
        ("00001/2.gif#2", "further_frames"),
    ]
    assert [reason for _, reason in children(tmp_path / "ws", "lib", "failed")] == [
        "image_empty", "image_truncated", "image_unknown_format", "image_unreadable"
    ]  # fmt: skip


def test_a_library_that_may_only_be_read_is_read_and_left_as_it_was(tmp_path: Path, comix: Callable[..., object]) -> None:
    library = tmp_path / "lib"
    cbz(library / "a" / "a.cbz", [("1.png", drawn(1))])
    (library / "folder").mkdir()
    (library / "folder" / "1.png").write_bytes(drawn(2))
    paths = sorted(library.rglob("*"), reverse=True)
    for path in [*paths, library]:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.stat().st_size) for path in [library, *paths]}
    try:
        for mode in ("copy", "inplace"):
            assert comix("extract", f"library={library}", f"workspace={tmp_path / mode}", f"mode={mode}", "workers=0").code == 0
        comix("convert", f"library={library}", f"workspace={tmp_path / 'copy'}", "workers=0")
        after = {path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.stat().st_size) for path in before}
        assert after == before and sorted(library.rglob("*"), reverse=True) == paths
    finally:
        for path in [library, *paths[::-1]]:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


def test_what_a_killed_run_left_is_cleared(tmp_path: Path, comix: Callable[..., object]) -> None:
    cbz(tmp_path / "lib" / "a.cbz", [("1.png", drawn(1)), ("2.png", drawn(2))])
    words = ("extract", f"library={tmp_path / 'lib'}", f"workspace={tmp_path / 'ws'}", "workers=0")
    comix(*words)
    pages = tmp_path / "ws" / "pages"
    whole = sorted((path.relative_to(pages), path.read_bytes()) for path in pages.rglob("*.png"))
    (pages / "a" / "0002.png").unlink()  # as if killed while the folder was renamed file by file
    from comix.intake.publish import PageFolder

    half = PageFolder(pages / "a")
    half.add("0001.png", b"half a pa")  # and once while it was written
    comix(*words)
    assert sorted((path.relative_to(pages), path.read_bytes()) for path in pages.rglob("*.png")) == whole
    assert sorted(path.name for path in pages.iterdir()) == ["a"]


def test_a_book_below_another_keeps_its_pages(tmp_path: Path, comix: Callable[..., object]) -> None:
    (tmp_path / "lib" / "A").mkdir(parents=True)
    for name in ("1.png", "2.png"):
        (tmp_path / "lib" / "A" / name).write_bytes(drawn(1))
    cbz(tmp_path / "lib" / "A" / "b.cbz", [("1.png", drawn(3))])
    words = ("extract", f"library={tmp_path / 'lib'}", f"workspace={tmp_path / 'ws'}", "workers=0")
    comix(*words)
    (tmp_path / "lib" / "A" / "2.png").unlink()
    comix(*words)
    pages = tmp_path / "ws" / "pages"
    assert sorted(path.relative_to(pages).as_posix() for path in pages.rglob("*.png")) == ["A/0001.png", "A/b/0001.png"]


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="file names are text here")
def test_file_names_that_are_no_text_are_read_and_never_merged(tmp_path: Path, comix: Callable[..., object]) -> None:
    names = [b"caf\xe9.cbz", b"caf\\xe9.cbz", "caf\u00e9.cbz".encode(), "cafe\u0301.cbz".encode()]
    for number, name in enumerate(names):
        cbz(tmp_path / "lib" / os.fsdecode(name), [("1.png", drawn(number))])
    folder = tmp_path / "lib" / os.fsdecode(b"f\xff")
    folder.mkdir()
    (folder / os.fsdecode(b"p\xff.png")).write_bytes(drawn(9))
    for mode in ("copy", "inplace"):
        ran = comix("extract", f"library={tmp_path / 'lib'}", f"workspace={tmp_path / mode}", f"mode={mode}", "workers=0")
        assert ran.code == 0, ran.err
        table = pages_of(tmp_path / mode)
        assert len(table) == 5 and table.page_id.is_unique
        assert {read_image_bytes(tmp_path / mode / path) for path in table.image_path} == {drawn(n) for n in (0, 1, 2, 3, 9)}


def test_names_that_differ_by_case_or_lead_out_stay_apart_and_inside(tmp_path: Path, comix: Callable[..., object]) -> None:
    names = ["a.png", "A.png", "../../evil.png", "/abs/evil.png", "C:\\evil.png", "x/../../evil.png"]
    cbz(tmp_path / "lib" / "Case.cbz", [(name, drawn(number)) for number, name in enumerate(names)])
    cbz(tmp_path / "lib" / "case.cbz", [("1.png", drawn(8))])
    before = set(tmp_path.rglob("*"))
    comix("extract", f"library={tmp_path / 'lib'}", f"workspace={tmp_path / 'ws'}", "workers=0")
    table = pages_of(tmp_path / "ws")
    assert {(tmp_path / "ws" / path).read_bytes() for path in table.image_path} == {drawn(n) for n in (0, 1, 2, 3, 4, 5, 8)}
    assert table.image_path.str.casefold().is_unique
    assert all(path.is_relative_to(tmp_path / "ws") for path in set(tmp_path.rglob("*")) - before)
