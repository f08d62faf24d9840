"""Archives in several files: which files make a set, and the set as one archive.

Schemes: ``a.part1.rar a.part2.rar``; ``a.rar a.r00 a.r01``; ``a.z01 a.z02 a.zip``; ``a.7z.001 a.7z.002``.
"""

from __future__ import annotations

import re
import shutil
import struct
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from comix.core.errors import ItemError

_PART: Final = re.compile(r"(.+)\.part(\d{1,4})\.(rar|cbr)", re.IGNORECASE)
_OLD: Final = re.compile(r"(.+)\.(?:(rar|cbr)|([r-y])(\d\d))", re.IGNORECASE)
_SPANNED: Final = re.compile(r"(.+)\.(?:(zip|cbz)|z(\d\d\d?))", re.IGNORECASE)
_RAW: Final = re.compile(r"(.+\.(?:cbz|zip|cbr|rar|cb7|7z|cbt|tar|pdf|epub))\.(\d{3})", re.IGNORECASE)
_LAST: Final = 1_000_000
_HEADS: Final = {"old": 0, "spanned": _LAST}
"""Scheme -> number of the file that, without the others, is an archive of its own."""
_END_RECORD: Final = b"PK\x05\x06"
_CENTRAL: Final = b"PK\x01\x02"


@dataclass(frozen=True, slots=True)
class Volume:
    """A file's place in a set: ``stem`` and ``scheme`` name the set, ``number`` counts from 0.

    The ``.zip`` of a spanned ZIP is its last file and has number -1.
    """

    stem: str
    scheme: str
    number: int


def volume_of(name: str) -> Volume | None:
    """What a file name says; None for one that is part of no set.

    >>> volume_of("a.part02.rar"), volume_of("a.r00")
    (Volume(stem='a', scheme='part', number=1), Volume(stem='a', scheme='old', number=1))
    >>> volume_of("a.7z.003"), volume_of("a.pdf")
    (Volume(stem='a.7z', scheme='raw', number=2), None)
    """
    if found := _RAW.fullmatch(name):
        return Volume(found[1], "raw", int(found[2]) - 1)
    if found := _PART.fullmatch(name):
        return Volume(found[1], "part", int(found[2]) - 1)
    if found := _SPANNED.fullmatch(name):
        return Volume(found[1], "spanned", -1 if found[2] else int(found[3]) - 1)
    if found := _OLD.fullmatch(name):
        letter = "r" if found[2] else found[3].lower()
        return Volume(found[1], "old", 0 if found[2] else 1 + 100 * (ord(letter) - ord("r")) + int(found[4]))
    return None


def volume_sets(names: Iterable[str]) -> list[list[str]]:
    """Names of one folder that belong together, each set in the order of its content, single files left out.

    Two names for the same place in a set leave open which one is meant: the files then stay single. Of ``a.rar`` and
    ``a.cbr`` beside an ``a.r00`` it is the former.

    >>> volume_sets(["a.r00", "a.rar", "b.rar", "c.zip", "c.z01", "d.part2.rar"])
    [['a.rar', 'a.r00'], ['c.z01', 'c.zip'], ['d.part2.rar']]
    """
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for name in names:
        volume = volume_of(name)
        if volume is not None:
            number = volume.number if volume.number >= 0 else _LAST
            found.setdefault((volume.stem, volume.scheme), []).append((number, name))
    sets = []
    for _, parts in sorted(found.items()):
        heads = [part for part in parts if part[0] == _HEADS.get(volume_scheme(part[1]), -1)]
        if len(heads) == len(parts) and heads:
            continue  # a .rar or .zip alone is an archive like any other
        named = [part for part in heads if part[1].lower().endswith((".rar", ".zip"))]
        chosen = sorted([part for part in parts if part not in heads] + (named if len(named) == 1 else heads))
        if len({number for number, _ in chosen}) == len(chosen):
            sets.append([name for _, name in chosen])
    return sets


def volume_scheme(name: str) -> str:
    """Scheme of a name that `volume_of` knows."""
    volume = volume_of(name)
    return volume.scheme if volume else ""


def leader(names: Sequence[str]) -> str:
    """The file of a set that stands for all of it: the first, or the ``.zip`` of a spanned ZIP."""
    return names[-1] if names[-1].lower().endswith((".zip", ".cbz")) else names[0]


def parts_of(path: Path) -> list[Path]:
    """All files of the set that ``path`` belongs to, in the order of their content; empty when it is no set."""
    volume = volume_of(path.name)
    if volume is None or path.is_dir() or (volume.number <= 0 and not _has_company(path)):
        return []
    near = [entry.name for entry in path.parent.iterdir() if entry.name.startswith(volume.stem)]
    return next(([path.parent / name for name in names] for names in volume_sets(near) if path.name in names), [])


def _has_company(path: Path) -> bool:
    """Whether the file beside a whole-looking archive that would make it a set is there; saves listing large folders."""
    suffix = {"old": "r00", "spanned": "z01"}.get(_volume(path).scheme, "")
    return not suffix or any(path.with_suffix(f".{one}").exists() for one in (suffix, suffix.upper()))


def join_volumes(parts: Sequence[Path], kind: str, scratch: Path | None) -> Path:
    """The set as one archive in a new temporary folder, which the caller removes (`Path.parent`).

    Args:
        parts: see `parts_of`.
        kind: what the first file is, ``rar`` or another.
        scratch: where the folder is made, None for the system's.

    Raises:
        ItemError: ``volume_missing`` naming what is wanted, ``archive_damaged``, ``archive_encrypted``.
    """
    from comix.io.containers.rarvolumes import join_rar

    _refuse_gaps(parts)
    folder = Path(tempfile.mkdtemp(dir=scratch, prefix="comix-set-"))
    joined = folder / "joined"
    try:
        scheme = _volume(parts[0]).scheme
        with joined.open("wb") as out:
            if kind == "rar" and scheme != "raw":
                join_rar(parts, out)
            else:
                _concatenate(parts, out)
        if scheme == "spanned":
            _mend_central_directory(parts, joined)
        if kind == "7z":
            _refuse_short_7z(joined)
    except (struct.error, IndexError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ItemError("archive_damaged", f"{parts[0].name}: broken header in a set of {len(parts)} files") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return joined


def _volume(path: Path) -> Volume:
    volume = volume_of(path.name)
    assert volume is not None
    return volume


def _refuse_gaps(parts: Sequence[Path]) -> None:
    numbers = [_volume(path).number for path in parts]
    numbers = [number for number in numbers if number >= 0]
    missing = sorted(set(range(max(numbers) + 1)) - set(numbers)) if numbers else []
    if missing:
        wanted = ", ".join(str(number + 1) for number in missing[:5])
        raise ItemError("volume_missing", f"file {wanted} of the set of {parts[0].name} ({len(parts)} are here)")


def _concatenate(parts: Sequence[Path], out: IO[bytes]) -> None:
    for part in parts:
        with part.open("rb") as opened:
            shutil.copyfileobj(opened, out, 1 << 20)


def _refuse_short_7z(joined: Path) -> None:
    """Source: 7zFormat.txt of the LZMA SDK, SignatureHeader: where the header at the end begins, and its size."""
    with joined.open("rb") as opened:
        head = opened.read(32)
    offset, size = struct.unpack_from("<QQ", head, 12)
    if joined.stat().st_size < 32 + offset + size:
        raise ItemError("volume_missing", f"the last files of the set: {32 + offset + size} bytes wanted")


def _mend_central_directory(parts: Sequence[Path], joined: Path) -> None:
    """Make offsets that count from the start of a volume count from the start of the joined file.

    Source: APPNOTE.TXT 6.3.10 of PKWARE, 4.3.12, 4.3.16 and 8.5.
    """
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + part.stat().st_size)
    content = bytearray(parts[-1].read_bytes())
    at = content.rfind(_END_RECORD)
    if at < 0:
        raise ItemError("volume_missing", f"{parts[-1].name} is not the last file of its set")
    disk, central_disk, _, n_entries, size, offset = struct.unpack_from("<HHHHII", content, at + 4)
    if disk + 1 != len(parts):
        raise ItemError("volume_missing", f"{disk + 1} files belong to the set of {parts[-1].name}, {len(parts)} are here")
    with joined.open("r+b") as whole:
        position = starts[central_disk] + offset
        struct.pack_into("<HHHHII", content, at + 4, 0, 0, n_entries, n_entries, size, position)
        whole.seek(position)
        directory = bytearray(whole.read(size))
        _shift_entries(directory, starts, n_entries)
        whole.seek(position)
        whole.write(directory)
        whole.seek(starts[-2] + at)
        whole.write(content[at:])


def _shift_entries(directory: bytearray, starts: list[int], n_entries: int) -> None:
    at = 0
    for _ in range(n_entries):
        if directory[at : at + 4] != _CENTRAL:
            raise ItemError("archive_damaged", "ZIP set: broken directory")
        name, extra, comment, disk = struct.unpack_from("<HHHH", directory, at + 28)
        (offset,) = struct.unpack_from("<I", directory, at + 42)
        struct.pack_into("<H", directory, at + 34, 0)
        struct.pack_into("<I", directory, at + 42, starts[disk] + offset)
        at += 46 + name + extra + comment
