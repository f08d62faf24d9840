"""Page images that stay inside their archive: their address, and reading them.

An address is ``<archive>!/<member>``, for example ``../comics/a.cbz!/p01.jpg``. A member whose name is given twice in its
archive, or would not survive as part of a path, goes by its position: ``a.cbz!/#00012/p01.jpg``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath

from comix.core.errors import ItemError
from comix.io.containers.members import Member
from comix.io.containers.zips import ZipContainer

MARK = "!/"
"""Between an archive and its member, as in JAR addresses."""

_OPEN_ARCHIVES = 8


def member_addresses(archive: str, members: Sequence[Member]) -> dict[int, str]:
    """Position of each member -> its address below ``archive``, all different.

    >>> pages = [Member("p1.jpg", 0, 9), Member("x//p2.jpg", 1, 9), Member("p1.jpg", 2, 9)]
    >>> list(member_addresses("../a.cbz", pages).values())
    ['../a.cbz!/#00000/p1.jpg', '../a.cbz!/#00001/p2.jpg', '../a.cbz!/#00002/p1.jpg']
    >>> member_addresses("../a.cbz", [Member("ch 1/p1.jpg", 5, 9)])[5]
    '../a.cbz!/ch 1/p1.jpg'
    """
    times = Counter(member.name for member in members)
    return {
        member.index: f"{archive}{MARK}{member.name}"
        if times[member.name] == 1 and _is_plain(member.name)
        else f"{archive}{MARK}#{member.index:05d}/{PurePosixPath(member.name.replace(chr(0), '')).name}"
        for member in members
    }


def read_member(path: Path) -> bytes | None:
    """Bytes of an address; None when no part of it is an archive.

    Raises:
        ItemError: ``image_missing`` when the archive has no such member; what reading it raises.
    """
    for archive, inner in _splits(path):
        opened = _archive(archive)
        member = opened.find(inner)
        if member is None:
            raise ItemError("image_missing", f"{archive} no longer holds {inner}")
        return opened.container.read(member)
    return None


def has_member(path: Path) -> bool:
    """Whether an address leads to a member of an archive that can be opened."""
    for archive, inner in _splits(path):
        try:
            return _archive(archive).find(inner) is not None
        except ItemError:
            return False
    return False


class _OpenArchive:
    """An archive and its members by name and position."""

    def __init__(self, path: Path) -> None:
        self.container = ZipContainer(path)
        self._members = self.container.members()
        self._by_name = {member.name: member for member in self._members if _is_plain(member.name)}

    def find(self, inner: str) -> Member | None:
        """The member an address names."""
        if not inner.startswith("#"):
            return self._by_name.get(inner)
        number = inner[1:].partition("/")[0]
        index = int(number) if number.isdecimal() else -1
        return self._members[index] if 0 <= index < len(self._members) else None


def _is_plain(name: str) -> bool:
    """Whether a name is unchanged as part of a path, on every system."""
    return bool(name) and str(PurePosixPath(name)) == name and name[0] not in "/#" and "\0" not in name and ".." not in name


def _splits(path: Path) -> Iterator[tuple[Path, str]]:
    """Every way to take a path as archive and member where the archive is a file; a folder's name may hold the mark too."""
    text = path.as_posix()
    at = text.find(MARK)
    while at > 0:
        archive = Path(text[:at])
        if archive.is_file():
            yield archive, text[at + len(MARK) :]
        at = text.find(MARK, at + 1)


def _archive(path: Path) -> _OpenArchive:
    """An open archive, kept for the next page of the same book.

    Raises:
        ItemError: it is gone, damaged or closed to us.
    """
    try:
        stat = path.stat()
        return _kept_open(str(path), stat.st_mtime_ns, stat.st_size, os.getpid())
    except FileNotFoundError:
        raise ItemError("image_missing", str(path)) from None
    except PermissionError:
        raise ItemError("permission_denied", str(path)) from None


@lru_cache(maxsize=_OPEN_ARCHIVES)
def _kept_open(path: str, _modified: int, _size: int, _process: int) -> _OpenArchive:
    """One per state of the file and process: a forked process must not share its parent's file position."""
    return _OpenArchive(Path(path))
