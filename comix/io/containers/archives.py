"""Archives of pages: ZIP, TAR, 7z, RAR to read, CBZ to write."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from comix.core.files import atomic_writer
from comix.io.containers.members import is_image_name
from comix.io.containers.rars import RarContainer
from comix.io.containers.sevenzip import SevenZipContainer
from comix.io.containers.tars import TarContainer
from comix.io.containers.zips import ZipContainer

__all__ = ["RarContainer", "SevenZipContainer", "TarContainer", "ZipContainer", "write_cbz"]

_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_cbz(path: Path, entries: Iterable[tuple[str, bytes]]) -> None:
    """Write a CBZ that appears under its name only when complete; the same entries give the same bytes.

    Args:
        path: where to; the folder is made when missing.
        entries: name and content, in the order they are to be stored; images are stored, other files deflated.

    Raises:
        WorkspaceError: the folder cannot be written or the disk is full.
        ValueError: for a name given twice, or one that leaves the archive.
    """
    with atomic_writer(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        _write_entries(archive, entries)


def _write_entries(archive: zipfile.ZipFile, entries: Iterable[tuple[str, bytes]]) -> None:
    seen: set[str] = set()
    for name, content in entries:
        if name in seen or not name or name.startswith("/") or ".." in name.split("/"):
            raise ValueError(f"name {name!r}: given twice, empty or leading out of the archive")
        seen.add(name)
        info = zipfile.ZipInfo(name, _EPOCH)
        info.create_system = 3
        info.external_attr = 0o100644 << 16
        info.compress_type = zipfile.ZIP_STORED if is_image_name(name) else zipfile.ZIP_DEFLATED
        archive.writestr(info, content)
