"""What every container has in common: members, their names, their order, and the limits that keep reading safe."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from natsort import natsort_keygen, ns

from comix.core.errors import ItemError
from comix.io.containers.regions import Region

# fmt: off
IMAGE_SUFFIXES: Final = frozenset((
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "avif",
    "heic", "heif", "jxl", "jp2", "j2k", "jpx", "ppm", "pgm", "pbm", "tga",
))
# fmt: on
CONTAINER_SUFFIXES: Final = frozenset(("cbz", "zip", "cbr", "rar", "cb7", "7z", "cbt", "tar", "cba", "ace", "pdf", "epub"))
METADATA_NAMES: Final = {
    "comicinfo.xml": "ComicInfo.xml",
    "metroninfo.xml": "MetronInfo.xml",
    "comet.xml": "CoMet.xml",
    "comicbookinfo.json": "ComicBookInfo.json",
    "metadata.opf": "metadata.opf",
    "series.json": "series.json",
    "cvinfo": "cvinfo",
}
"""Lower-case file name -> the spelling its standard uses."""

_NUMBER: Final = re.compile(r"[0-9]+")
MAX_MEMBERS: Final = 100_000
MAX_MEMBER_BYTES: Final = 512 << 20
_BOMB_MEMBER_BYTES: Final = 64 << 20
_BOMB_TOTAL_BYTES: Final = 1 << 30
_BOMB_RATIO: Final = 200
"""Page images are compressed already: a real comic never grows two-hundredfold to such sizes when unpacked."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file inside a container.

    Attributes:
        name: as stored, with ``/`` separators; data only, never to be used as a path. A PDF page is ``page-0001``.
        index: position among the files of the container, from 0, in its own order; what `Container.read` goes by.
        size: uncompressed bytes, -1 when unknown.
    """

    name: str
    index: int
    size: int


class Container(Protocol):
    """A comic, opened for reading; use it as a context manager.

    Attributes:
        kind: ``zip``, ``tar``, ``7z``, ``rar``, ``pdf``, ``epub`` or ``folder``.
        reading_direction: ``ltr``, ``rtl`` or "" when the container does not say.
    """

    kind: str
    reading_direction: str

    def members(self) -> list[Member]:
        """Every file in stored order, directories left out; for a PDF its pages."""
        ...

    def page_order(self) -> list[Member]:
        """Page images in reading sequence; raises ``archive_no_images`` when there is none."""
        ...

    def read(self, member: Member) -> bytes:
        """Bytes of one member, checked against its checksum where the format has one."""
        ...

    def metadata_files(self) -> dict[str, bytes]:
        """Metadata files by standard name, such as ``ComicInfo.xml``."""
        ...

    def regions(self) -> dict[int, list[Region]]:
        """Position of a page image -> regions (panels, balloons) that the container itself names."""
        ...

    def close(self) -> None:
        """Release the file and any temporary copy."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class MemberList:
    """Base of the containers that hold files: keeps the list, the page order and the metadata.

    Subclasses fill ``_members`` and implement `read` and `_release`.

    Attributes:
        owned: a temporary folder that goes when the container is closed, None for none.
    """

    kind = ""
    reading_direction = ""

    def __init__(self) -> None:
        self._members: list[Member] = []
        self.owned: Path | None = None

    def members(self) -> list[Member]:
        """Every file in stored order."""
        return list(self._members)

    def page_order(self) -> list[Member]:
        """Page images in natural order of their full names.

        Raises:
            ItemError: ``archive_no_images``.
        """
        pages = natural_order(member for member in self._members if not junk_reason(member.name))
        if not pages:
            raise ItemError("archive_no_images", f"{len(self._members)} files, none of them a page image")
        return pages

    def read(self, member: Member) -> bytes:
        """Bytes of one member."""
        raise NotImplementedError

    def metadata_files(self) -> dict[str, bytes]:
        """Metadata files by standard name; a second one of the same name goes by its full name."""
        found: dict[str, bytes] = {}
        for member in sorted(self._members, key=lambda member: (member.name.count("/"), member.index)):
            if junk_reason(member.name) != "metadata_file":
                continue
            base = member.name.rsplit("/", 1)[-1]
            standard = METADATA_NAMES.get(base.lower(), base)
            try:
                found[standard if standard not in found else member.name] = self.read(member)
            except ItemError:
                continue  # broken metadata never costs the pages; intake sees the member itself
        return found

    def regions(self) -> dict[int, list[Region]]:
        """Regions that the container itself names: none but in an EPUB."""
        return {}

    def close(self) -> None:
        """Release what is held, the temporary folder too."""
        self._release()
        if self.owned is not None:
            shutil.rmtree(self.owned, ignore_errors=True)
            self.owned = None

    def _release(self) -> None:
        """Close files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _own(self, member: Member) -> int:
        """Index of a member of this container.

        Raises:
            ItemError: ``member_missing`` for a member of another one, ``member_too_large``.
        """
        if not (0 <= member.index < len(self._members)) or self._members[member.index].name != member.name:
            raise ItemError("member_missing", member.name)
        if self._members[member.index].size > MAX_MEMBER_BYTES:
            raise ItemError("member_too_large", f"{member.name}: {self._members[member.index].size} bytes")
        return member.index


def is_image_name(name: str) -> bool:
    """Whether a name has the suffix of an image format.

    >>> is_image_name("a/001.JPG"), is_image_name("a/jpg")
    (True, False)
    """
    return _suffix(name) in IMAGE_SUFFIXES


def junk_reason(name: str) -> str:
    """Why a member is no page: a reason code, or "" when its name is that of a page image.

    >>> junk_reason("__MACOSX/._001.jpg"), junk_reason("001.jpg"), junk_reason("x/ComicInfo.xml")
    ('junk_macos', '', 'metadata_file')
    """
    parts = [part for part in name.lower().split("/") if part not in ("", ".", "..")]
    base = parts[-1] if parts else ""
    if "__macosx" in parts or base.startswith("._") or base in (".ds_store", "icon\r") or ".appledouble" in parts:
        return "junk_macos"
    if base in ("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db") or "@eadir" in parts or ".thumbnails" in parts:
        return "junk_thumbnail"
    if base in METADATA_NAMES or base.endswith(".acbf"):
        return "metadata_file"
    if any(part.startswith(".") for part in parts):
        return "hidden_file"
    if _suffix(base) in CONTAINER_SUFFIXES:
        return "nested_container"
    return "" if is_image_name(base) else "not_an_image"


def natural_order(members: Iterable[Member]) -> list[Member]:
    """Members by full name as a person would sort them: case ignored, page 2 before page 10.

    >>> [m.name for m in natural_order([Member("p10.jpg", 0, 1), Member("P2.jpg", 1, 1)])]
    ['P2.jpg', 'p10.jpg']
    """
    listed = list(members)
    if _differ_in_numbers_only(listed):
        return sorted(listed, key=lambda member: ([int(one) for one in _NUMBER.findall(member.name)], member.index))
    key = natsort_keygen(alg=ns.PATH | ns.IGNORECASE)
    return sorted(listed, key=lambda member: (key(unicodedata.normalize("NFC", member.name)), member.index))


def _differ_in_numbers_only(members: list[Member]) -> bool:
    """Whether natural order is that of the numbers in the names: true of most books, and a twentieth of the work."""
    are_short = all(member.name.isascii() and len(member.name) < 1000 for member in members)
    return are_short and len({_NUMBER.sub("0", member.name) for member in members}) == 1


def check_limits(members: list[Member], container_bytes: int) -> None:
    """Refuse a list of members that no comic has.

    Raises:
        ItemError: ``archive_empty``, ``too_many_members``, ``archive_bomb``.
    """
    if not members:
        raise ItemError("archive_empty")
    if len(members) > MAX_MEMBERS:
        raise ItemError("too_many_members", f"{len(members)} files")
    total = sum(max(member.size, 0) for member in members)
    if total > unpack_budget(container_bytes):
        raise ItemError("archive_bomb", f"{container_bytes} bytes unpack to {total}")


def unpack_budget(container_bytes: int) -> int:
    """Most bytes a container of this size may unpack to."""
    return max(_BOMB_TOTAL_BYTES, _BOMB_RATIO * container_bytes)


def check_member(name: str, size: int, packed: int) -> None:
    """Refuse a single member that would unpack to something no page is.

    Raises:
        ItemError: ``member_too_large``, ``archive_bomb``.
    """
    if size > MAX_MEMBER_BYTES:
        raise ItemError("member_too_large", f"{name}: {size} bytes")
    if size > _BOMB_MEMBER_BYTES and size > _BOMB_RATIO * packed:
        raise ItemError("archive_bomb", f"{name}: {packed} bytes unpack to {size}")


def _suffix(name: str) -> str:
    base = name.rsplit("/", 1)[-1]
    return base.rsplit(".", 1)[1].lower() if "." in base else ""
