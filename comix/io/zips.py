"""ZIP and CBZ: read through zipfile, by entry and never by name; what zipfile cannot unpack goes to bsdtar."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Final

from comix.core.errors import ItemError
from comix.io.charsets import decode_names
from comix.io.external import find_bsdtar, unpack_with_bsdtar
from comix.io.members import Member, MemberList, check_limits, check_member, unpack_budget
from comix.io.store import ContentStore

_ENCRYPTED: Final = 0x1
_UTF8: Final = 0x800
_AES: Final = 99
_READABLE: Final = frozenset((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
_UNICODE_PATH: Final = 0x7075


class ZipContainer(MemberList):
    """A ZIP archive.

    Raises:
        ItemError: ``archive_damaged``, ``archive_encrypted`` when every file is, ``archive_empty`` and the limits.
    """

    kind = "zip"

    def __init__(self, path: Path, *, scratch: Path | None = None) -> None:
        super().__init__()
        self._path, self._scratch = path, scratch
        self._store: ContentStore | None = None
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, struct.error, ValueError, EOFError, NotImplementedError) as error:
            raise ItemError("archive_damaged", f"ZIP: {error}") from error
        try:
            self._list()
        except BaseException:
            self._zip.close()
            raise

    def read(self, member: Member) -> bytes:
        """Bytes of one member, checksum verified.

        Raises:
            ItemError: ``member_encrypted``, ``member_damaged``, ``archive_unsupported``, ``member_too_large`` ...
        """
        info = self._infos[self._own(member)]
        check_member(member.name, info.file_size, info.compress_size)
        if info.flag_bits & _ENCRYPTED or info.compress_type == _AES:
            raise ItemError("member_encrypted", member.name)
        if info.compress_type not in _READABLE:
            return self._read_elsewhere(member, info)
        try:
            with self._zip.open(info) as opened:
                content = opened.read()
        except NotImplementedError:
            return self._read_elsewhere(member, info)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError) as error:
            raise ItemError("member_damaged", f"{member.name}: {error}") from error
        if len(content) != info.file_size:
            raise ItemError("member_damaged", f"{member.name}: {len(content)} of {info.file_size} bytes")
        return content

    def metadata_files(self) -> dict[str, bytes]:
        """Metadata files; a ComicBookInfo archive comment counts as ``ComicBookInfo.json``."""
        found = super().metadata_files()
        comment = self._zip.comment
        if comment.lstrip().startswith(b"{") and b"ComicBookInfo" in comment:
            found.setdefault("ComicBookInfo.json", comment)
        return found

    def close(self) -> None:
        """Close the archive and drop the temporary copy."""
        self._zip.close()
        if self._store is not None:
            self._store.close()
            self._store = None

    def _list(self) -> None:
        self._infos = [info for info in self._zip.infolist() if not info.is_dir()]
        self._members = [
            Member(name, index, info.file_size)
            for index, (name, info) in enumerate(zip(_names(self._infos), self._infos, strict=True))
        ]
        check_limits(self._members, self._path.stat().st_size)
        if all(info.flag_bits & _ENCRYPTED for info in self._infos):
            raise ItemError("archive_encrypted", f"{len(self._infos)} files, all with a password")

    def _read_elsewhere(self, member: Member, info: zipfile.ZipInfo) -> bytes:
        """A member compressed by a method zipfile does not know, from one pass of bsdtar over the archive."""
        if not find_bsdtar():
            method = zipfile.compressor_names.get(info.compress_type, str(info.compress_type))  # type: ignore[attr-defined]
            raise ItemError(
                "archive_unsupported",
                f"{member.name}: ZIP compression method {method}",
                "install `bsdtar` (package libarchive-tools) or pack the comic again with plain deflate",
            )
        problem = ""
        if self._store is None:
            self._store = ContentStore(self._scratch, unpack_budget(self._path.stat().st_size))
            problem = unpack_with_bsdtar(self._path, self._store)
        content = self._store.find(info.file_size, info.CRC)
        if content is None:
            raise ItemError("member_damaged", f"{member.name}: {problem or 'content does not match its checksum'}")
        return content


def _names(infos: list[zipfile.ZipInfo]) -> list[str]:
    """Names as text: the UTF-8 flag, Info-ZIP's Unicode path, else the most likely legacy code page of the archive."""
    texts: dict[int, str] = {}
    raw: dict[int, bytes] = {}
    for index, info in enumerate(infos):
        unicode_path = _unicode_path(info)
        if info.flag_bits & _UTF8 or info.filename.isascii():
            texts[index] = info.filename
        elif unicode_path:
            texts[index] = unicode_path
        else:
            raw[index] = info.orig_filename.split("\0", 1)[0].encode("cp437", "replace")
    texts.update(zip(raw, decode_names(list(raw.values())), strict=True))
    return [texts[index].replace("\\", "/") for index in range(len(infos))]


def _unicode_path(info: zipfile.ZipInfo) -> str:
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == _UNICODE_PATH and size > 5:
            crc = struct.unpack_from("<I", extra, 5)[0]
            if crc == zlib.crc32(info.orig_filename.encode("cp437", "replace")):
                return extra[9 : 4 + size].decode("utf-8", "replace")
        extra = extra[4 + size :]
    return ""
