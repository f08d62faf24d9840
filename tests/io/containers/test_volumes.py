"""Archives in several files: one book when all are there, one failed row when not, never two books merged."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from comix.core.errors import ItemError
from comix.io.containers.container import open_container
from comix.io.containers.rarblocks import write_vint
from comix.io.containers.volumes import volume_sets


def drawn(number: int) -> bytes:
    sink = io.BytesIO()
    Image.effect_noise((120, 160), 20 + number).save(sink, "PNG")
    return sink.getvalue()


PAGES = [(f"{number:02d}.png", drawn(number)) for number in range(4)]


def rar4_set(size: int) -> list[bytes]:
    """A stored RAR 4 archive cut into volumes of ``size`` packed bytes, after the format note."""
    volumes: list[list[bytes]] = [[]]
    room = size
    for name, content in PAGES:
        at = 0
        while at < len(content):
            chunk = content[at : at + room]
            flags = 0x8000 | (1 if at else 0) | (2 if at + len(chunk) < len(content) else 0)
            checksum = zlib.crc32(chunk if flags & 2 else content)
            raw = name.encode()
            body = struct.pack("<BHHII", 0x74, flags, 32 + len(raw), len(chunk), len(content))
            body += struct.pack("<BIIBBHI", 3, checksum, 0, 29, 0x30, len(raw), 0o100644) + raw
            volumes[-1] += [sealed4(body), chunk]
            at, room = at + len(chunk), room - len(chunk)
            if room == 0:
                volumes.append([])
                room = size
    main = sealed4(struct.pack("<BHH", 0x73, 0x0011, 13) + bytes(6))
    ends = [sealed4(struct.pack("<BHH", 0x7B, 0x4000 | int(more), 7)) for more in [True] * (len(volumes) - 1) + [False]]
    return [b"Rar!\x1a\x07\x00" + main + b"".join(parts) + end for parts, end in zip(volumes, ends, strict=True)]


def sealed4(body: bytes) -> bytes:
    return struct.pack("<H", zlib.crc32(body) & 0xFFFF) + body


def rar5_set() -> list[bytes]:
    """A stored RAR 5 archive of one page in two volumes."""
    name, content = PAGES[0]
    cut = len(content) // 2
    volumes = []
    for number, chunk in enumerate((content[:cut], content[cut:])):
        flags = 2 | (8 if number else 16)
        checksum = zlib.crc32(content if number else chunk)
        file = write_vint(4) + write_vint(len(content)) + write_vint(0o100644) + struct.pack("<I", checksum)
        file += write_vint(0) + write_vint(1) + write_vint(len(name)) + name.encode()
        main = sealed5(write_vint(1) + write_vint(0) + write_vint(3 if number else 1) + (write_vint(1) if number else b""))
        head = sealed5(write_vint(2) + write_vint(flags) + write_vint(len(chunk)) + file)
        end = sealed5(write_vint(5) + write_vint(0) + write_vint(0 if number else 1))
        volumes.append(b"Rar!\x1a\x07\x01\x00" + main + head + chunk + end)
    return volumes


def sealed5(body: bytes) -> bytes:
    sized = write_vint(len(body)) + body
    return struct.pack("<I", zlib.crc32(sized)) + sized


def zip_bytes() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in PAGES:
            archive.writestr(name, content)
    return sink.getvalue()


def spanned_zip() -> list[bytes]:
    """The ZIP in three volumes: places in the directory and its end say which volume they count in (APPNOTE 8.5)."""
    whole = bytearray(b"PK\x07\x08" + zip_bytes())
    end = whole.rindex(b"PK\x05\x06")
    starts = [0, end // 3, 2 * end // 3]
    n_entries, _, central = struct.unpack_from("<HII", whole, end + 10)
    at = central + 4
    for _ in range(n_entries):
        name, extra, comment = struct.unpack_from("<HHH", whole, at + 28)
        position = struct.unpack_from("<I", whole, at + 42)[0] + 4
        disk = max(number for number, start in enumerate(starts) if start <= position)
        struct.pack_into("<H", whole, at + 34, disk)
        struct.pack_into("<I", whole, at + 42, position - starts[disk])
        at += 46 + name + extra + comment
    disk = max(number for number, start in enumerate(starts) if start <= central + 4)
    struct.pack_into("<HH", whole, end + 4, 2, disk)
    struct.pack_into("<I", whole, end + 16, central + 4 - starts[disk])
    return [bytes(whole[a:b]) for a, b in zip(starts, [*starts[1:], len(whole)], strict=True)]


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def put(folder: Path, names: list[str], parts: list[bytes]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in zip(names, parts, strict=True):
        (folder / name).write_bytes(data)
    return [folder / name for name in names]


def part_names(parts: list[bytes]) -> list[str]:
    return [f"a.part{number}.rar" for number in range(1, len(parts) + 1)]


def old_names(parts: list[bytes]) -> list[str]:
    return ["a.rar", *(f"a.r{number:02d}" for number in range(len(parts) - 1))]


def raw_names(parts: list[bytes]) -> list[str]:
    return [f"a.cbz.{number:03d}" for number in range(1, len(parts) + 1)]


SETS = {
    "part": (part_names, rar4_set(9000), PAGES),
    "old": (old_names, rar4_set(9000), PAGES),
    "rar5": (part_names, rar5_set(), PAGES[:1]),
    "spanned": (lambda parts: ["a.z01", "a.z02", "a.zip"], spanned_zip(), PAGES),
    "raw": (raw_names, cut(zip_bytes(), 20_000), PAGES),
}


@pytest.mark.parametrize("scheme", SETS)
def test_a_whole_set_is_one_book_whichever_file_is_opened(tmp_path: Path, scheme: str) -> None:
    names, parts, pages = SETS[scheme]
    assert len(parts) > 1
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for path in put(tmp_path / "set", names(parts), parts):
        with open_container(path, scratch=scratch) as comic:
            assert [(member.name, comic.read(member)) for member in comic.page_order()] == pages
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("gone", [0, 1, -1])
@pytest.mark.parametrize("scheme", SETS)
def test_a_missing_file_is_said(tmp_path: Path, scheme: str, gone: int) -> None:
    names, parts, _ = SETS[scheme]
    if scheme == "raw" and gone == -1 and len(parts[-1]) == len(parts[0]):
        pytest.skip("the last file happens to be whole")
    paths = put(tmp_path, names(parts), parts)
    paths.pop(gone).unlink()
    for path in paths:
        with pytest.raises(ItemError) as caught, open_container(path) as comic:
            comic.page_order()
        assert caught.value.reason == "volume_missing", (path.name, str(caught.value))
        assert path.parent.is_dir()


def test_in_a_library_a_set_is_one_input_and_its_further_files_are_rows(tmp_path: Path, comix: Callable[..., object]) -> None:
    library = tmp_path / "library"
    for scheme, (names, parts, _) in SETS.items():
        put(library / scheme, names(parts), parts)
    put(library / "broken", part_names(rar4_set(9000))[1:], rar4_set(9000)[1:])
    put(library / "twins", ["p.cbz", "p.zip"], [zip_bytes(), zip_bytes()])  # no set: two books
    n_files = sum(len(parts) for _, parts, _ in SETS.values())
    n_broken = len(rar4_set(9000)) - 1
    ran = comix("extract", f"library={library}", f"workspace={tmp_path / 'ws'}", "workers=0")
    counted = (
        f"{n_files + n_broken + 2} containers = {len(SETS) + 2} done + 1 failed + {n_files - len(SETS) + n_broken - 1} skipped"
    )
    assert counted in ran.out, ran.out
    table = pd.read_parquet(tmp_path / "ws" / "pages.parquet")
    assert len(table) == sum(len(pages) for _, _, pages in SETS.values()) + 2 * len(PAGES)
    assert table.book_id.nunique() == len(SETS) + 2
    assert "volume_missing" in comix("failures", f"workspace={tmp_path / 'ws'}").out
    assert "0 to do" in comix("extract", f"library={library}", f"workspace={tmp_path / 'ws'}", "workers=0").out
    (library / "old" / "a.r01").touch()  # a further file changes: the set is read again
    assert "1 worked on now" in comix("extract", f"library={library}", f"workspace={tmp_path / 'ws'}", "workers=0").out


def test_names_that_leave_open_what_belongs_together_are_left_single() -> None:
    assert volume_sets(["p.cbz", "p.zip", "t.rar", "t.cbr"]) == []
    assert volume_sets(["w.part1.rar", "w.part01.rar", "w.part2.rar"]) == []
    assert volume_sets(["u.rar", "u.cbr", "u.r00"]) == [["u.rar", "u.r00"]]
