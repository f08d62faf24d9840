"""The one door to every comic container: what a file really is, and opening it.

with open_container(path) as comic:
    for member in comic.page_order():
        data = comic.read(member)
"""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path
from typing import Final

from comix.core.errors import ItemError
from comix.io.containers.archives import RarContainer, SevenZipContainer, TarContainer, ZipContainer
from comix.io.containers.documents import EpubContainer, PdfContainer
from comix.io.containers.members import Container, Member, MemberList, is_image_name, junk_reason, natural_order
from comix.io.containers.volumes import join_volumes, parts_of

__all__ = [
    "Container",
    "FolderContainer",
    "Member",
    "is_image_name",
    "junk_reason",
    "open_container",
    "sniff",
]

KINDS: Final = ("zip", "tar", "7z", "rar", "pdf", "epub", "folder")
_MAGICS: Final = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"%PDF-", "pdf"),
)
_COMPRESSED_TAR_MAGICS: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_TAR_SUFFIXES: Final = frozenset((".cbt", ".tar", ".tgz", ".tbz2", ".txz", ".tzst"))


class FolderContainer(MemberList):
    """A folder of images; links to folders are not followed, links to files not out of it.

    Args:
        path: the folder.
        recursive: take sub-folders in too; without it each sub-folder is a book of its own, as `extract` sees it.
    """

    kind = "folder"

    def __init__(self, path: Path, *, recursive: bool = False) -> None:
        super().__init__()
        self._path = path
        found: list[tuple[Member, Path]] = []
        for root, folders, names in os.walk(path, followlinks=False):
            folders[:] = sorted(folders) if recursive else []
            for name in names:
                file = Path(root) / name
                size = file.lstat().st_size
                text = os.fsencode(file.relative_to(path).as_posix()).decode("utf-8", "backslashreplace")
                found.append((Member(text, len(found), -1 if file.is_symlink() else size), file))
        ordered = natural_order(member for member, _ in found)
        self._members = [Member(member.name, index, member.size) for index, member in enumerate(ordered)]
        self._files = [found[member.index][1] for member in ordered]
        if not self._members:
            raise ItemError("archive_empty", "the folder has no files")

    def file_of(self, member: Member) -> Path:
        """Where a member lies."""
        return self._files[self._own(member)]

    def read(self, member: Member) -> bytes:
        """Bytes of one file.

        Raises:
            ItemError: ``member_missing`` for a link out of the folder or a file that is gone, ``permission_denied``.
        """
        file = self._files[self._own(member)]
        try:
            if file.is_symlink() and not file.resolve().is_relative_to(self._path.resolve()):
                raise ItemError("member_missing", f"{member.name} is a link out of the folder")
            if not file.is_file():
                raise ItemError("member_missing", f"{member.name} is not a file")
            return file.read_bytes()
        except PermissionError:
            raise ItemError("permission_denied", member.name) from None
        except OSError as error:
            raise ItemError("member_damaged", f"{member.name}: {error.strerror}") from error


def sniff(path: Path) -> str:
    """What a file is by its content, whatever its suffix says: a container kind, or "" when it is none.

    A compressed TAR has no mark of its own and is recognised with the suffix of a TAR only.
    """
    if path.is_dir():
        return "folder"
    head = _head(path)
    for magic, kind in _MAGICS:
        if head.startswith(magic):
            return "epub" if kind == "zip" and _is_epub(path, head) else kind
    if head[257:262] == b"ustar" or _is_old_tar(head):
        return "tar"
    if head.startswith(_COMPRESSED_TAR_MAGICS) and path.suffix.lower() in _TAR_SUFFIXES:
        return "tar"
    if b"%PDF-" in head:
        return "pdf"
    return "zip" if zipfile.is_zipfile(path) else ""


def open_container(
    path: Path,
    kind: str | None = None,
    *,
    scratch: Path | None = None,
    pdf_long_side: int = 2200,
    recursive: bool = False,
) -> Container:
    """A comic, open for reading.

    Args:
        path: file or folder.
        kind: what it is, when `sniff` was asked already.
        scratch: folder for temporary copies of 7z, RAR and compressed TAR content; None for the system's.
        pdf_long_side: pixels of the longer side of PDF pages that have to be rendered.
        recursive: a folder's sub-folders are part of it.

    Raises:
        ItemError: ``container_missing``, ``permission_denied``, ``wrong_format``, ``archive_unsupported``,
            ``archive_damaged``, ``archive_encrypted``, ``pdf_encrypted``, ``drm_protected``, ``archive_empty`` ...
    """
    try:
        parts = parts_of(path)
        if parts:
            return _open_set(parts, scratch, pdf_long_side)
        return _open_one(path, kind or sniff(path), scratch, pdf_long_side, recursive)
    except FileNotFoundError:
        raise ItemError("container_missing", str(path)) from None
    except PermissionError:
        raise ItemError("permission_denied", str(path)) from None
    except OSError as error:
        raise ItemError("archive_damaged", f"{path.name}: {error}") from error


def _open_one(path: Path, kind: str, scratch: Path | None, pdf_long_side: int, recursive: bool = False) -> MemberList:
    if kind == "folder":
        return FolderContainer(path, recursive=recursive)
    if kind == "pdf":
        return PdfContainer(path, long_side=pdf_long_side)
    archive = _ARCHIVES.get(kind)
    if archive is None:
        raise _not_a_container(path)
    return archive(path, scratch=scratch)


def _open_set(parts: list[Path], scratch: Path | None, pdf_long_side: int) -> MemberList:
    """An archive in several files, joined in a temporary folder that lives as long as the container is open."""
    joined = join_volumes(parts, sniff(parts[0]), scratch)
    try:
        opened = _open_one(joined, sniff(joined), scratch, pdf_long_side)
    except ItemError as error:
        shutil.rmtree(joined.parent, ignore_errors=True)
        same_size = len({part.stat().st_size for part in parts}) == 1
        if error.reason in ("archive_damaged", "wrong_format") and same_size:  # the last file of a set is shorter
            raise ItemError(
                "volume_missing", f"{len(parts)} files of one size, the last seems missing ({error.detail})"
            ) from error
        raise
    except BaseException:
        shutil.rmtree(joined.parent, ignore_errors=True)
        raise
    opened.owned = joined.parent
    return opened


_ARCHIVES: Final[dict[str, type[ZipContainer | TarContainer | SevenZipContainer | RarContainer]]] = {
    "zip": ZipContainer,
    "epub": EpubContainer,
    "tar": TarContainer,
    "7z": SevenZipContainer,
    "rar": RarContainer,
}


def _head(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(1024)


def _is_epub(path: Path, head: bytes) -> bool:
    """An EPUB begins with its media type; one packed by hand at least has a package document."""
    if head[30:66] == b"mimetypeapplication/epub+zip"[:36]:
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return "META-INF/container.xml" in archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        return False


def _is_old_tar(head: bytes) -> bool:
    """Whether a block is a TAR header from before the ``ustar`` mark: its checksum tells."""
    block = head[:512]
    stored = block[148:156].strip(b" \0")
    if len(block) < 512 or not stored or any(digit not in b"01234567" for digit in stored):
        return False
    return int(stored, 8) == sum(block[:148]) + sum(block[156:]) + 8 * 32


def _not_a_container(path: Path) -> ItemError:
    head = _head(path)
    if head[7:14] == b"**ACE**":
        return ItemError("archive_unsupported", "ACE archive", "unpack it with `unace` and pack the pages as CBZ")
    if not head:
        return ItemError("archive_damaged", "the file is empty (0 bytes)")
    if path.suffix.lower() in (".cbz", ".zip", ".cbr", ".rar", ".cb7", ".7z", ".cbt", ".tar", ".pdf", ".epub"):
        return ItemError("wrong_format", f"{path.name} is no {path.suffix[1:]}: it begins with {head[:8]!r}")
    return ItemError("wrong_format", f"{path.name} begins with {head[:8]!r}")
