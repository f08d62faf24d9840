"""ZIP and CBZ: read through zipfile, by entry and never by name; what zipfile cannot unpack goes to bsdtar."""

from __future__ import annotations

import lzma
import os
import struct
import threading
import zipfile
import zlib
from pathlib import Path
from typing import Final

from isal import isal_zlib

from comix.core.errors import ItemError
from comix.io.containers.charsets import decode_names
from comix.io.containers.external import find_bsdtar, unpack_with_bsdtar
from comix.io.containers.members import Member, MemberList, check_limits, check_member, unpack_budget
from comix.io.containers.store import ContentStore

_LOCAL_HEADER: Final = 30
_END_RECORD: Final = 22
_ENCRYPTED: Final = 0x1
_UTF8: Final = 0x800
_AES: Final = 99
_READABLE: Final = frozenset((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
_UNICODE_PATH: Final = 0x7075
_BROKEN: Final[tuple[type[Exception], ...]] = (  # type: ignore[assignment]  # the stub says that isal's is an instance
    zipfile.BadZipFile, zlib.error, isal_zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError
)  # fmt: skip
"""What unpacking raises on content that is no such content."""


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
        self._lock, self._size = threading.Lock(), path.stat().st_size
        self._file, self._buffer = path.open("rb", buffering=0), bytearray()
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, struct.error, ValueError, EOFError, NotImplementedError) as error:
            self._file.close()
            raise ItemError("archive_damaged", f"ZIP: {error}") from error
        try:
            self._list()
        except BaseException:
            self._zip.close()
            self._file.close()
            raise

    def read(self, member: Member) -> bytes:
        """Bytes of one member, checksum verified.

        Raises:
            ItemError: ``member_encrypted``, ``member_damaged``, ``archive_unsupported``, ``member_too_large`` ...
        """
        return bytes(self.view(member))

    def view(self, member: Member) -> bytes | memoryview:
        """As `read`, at half the cost where the member is stored: the bytes hold until the next one is asked for."""
        info = self._infos[self._own(member)]
        check_member(member.name, info.file_size, info.compress_size)
        if info.flag_bits & _ENCRYPTED or info.compress_type == _AES:
            raise ItemError("member_encrypted", member.name)
        if info.compress_type not in _READABLE:
            return self._read_elsewhere(member, info)
        try:
            content = self._content(info)
        except NotImplementedError:
            return self._read_elsewhere(member, info)
        except _BROKEN as error:
            raise ItemError("member_damaged", f"{member.name}: {error}") from error
        if len(content) != info.file_size:
            raise ItemError("member_damaged", f"{member.name}: {len(content)} of {info.file_size} bytes")
        return content

    def _content(self, info: zipfile.ZipInfo) -> bytes | memoryview:
        """Unpacked bytes; the two methods that nearly all comics use without zipfile's copies, its checks included."""
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            with self._zip.open(info) as opened:
                return opened.read()
        if info.compress_size > self._size:
            raise zipfile.BadZipFile(f"{info.compress_size} packed bytes in an archive of {self._size}")
        with self._lock:
            self._file.seek(info.header_offset)
            head = self._file.read(_LOCAL_HEADER)
            if len(head) < _LOCAL_HEADER or head[:4] != b"PK\x03\x04":
                raise zipfile.BadZipFile("no file at the place the directory names")
            self._file.seek(sum(struct.unpack_from("<HH", head, 26)), os.SEEK_CUR)
            packed = self._packed(info.compress_size)
        if len(packed) != info.compress_size:
            raise zipfile.BadZipFile(f"the archive ends after {len(packed)} of {info.compress_size} packed bytes")
        content: bytes | memoryview = packed
        if info.compress_type == zipfile.ZIP_DEFLATED:
            content = isal_zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, info.file_size + 1)
        if isal_zlib.crc32(content) != info.CRC:
            raise zipfile.BadZipFile("content does not match its checksum")
        return content

    def _packed(self, size: int) -> memoryview:
        """The next bytes of the archive, fewer at its end, in a buffer that is used again: fresh memory costs as much."""
        if len(self._buffer) < size:
            self._buffer = bytearray(size)
        view, n = memoryview(self._buffer)[:size], 0
        while n < size and (more := self._file.readinto(view[n:])):
            n += more
        return view[:n]

    @property
    def is_plain(self) -> bool:
        """Whether every page can be read on its own, without a program that unpacks all of them."""
        return all(info.compress_type in _READABLE for info in self._infos)

    def metadata_files(self) -> dict[str, bytes]:
        """Metadata files; a ComicBookInfo archive comment counts as ``ComicBookInfo.json``."""
        found = super().metadata_files()
        comment = self._zip.comment
        if comment.lstrip().startswith(b"{") and b"ComicBookInfo" in comment:
            found.setdefault("ComicBookInfo.json", comment)
        return found

    def _release(self) -> None:
        """Close the archive and drop the temporary copy."""
        self._zip.close()
        self._file.close()
        if self._store is not None:
            self._store.close()
            self._store = None

    def _list(self) -> None:
        self._infos = [info for info in self._zip.infolist() if not info.is_dir()]
        self._members = [
            Member(name, index, info.file_size)
            for index, (name, info) in enumerate(zip(_names(self._infos), self._infos, strict=True))
        ]
        if any(info.header_offset < 0 for info in self._infos):
            raise ItemError("archive_damaged", "ZIP: the directory is not where the end of the file says")
        self._refuse_volume()
        check_limits(self._members, self._path.stat().st_size)
        if all(info.flag_bits & _ENCRYPTED for info in self._infos):
            raise ItemError("archive_encrypted", f"{len(self._infos)} files, all with a password")

    def _refuse_volume(self) -> None:
        """Refuse the last file of a set, which zipfile takes for an archive: its end record counts the files before it."""
        tail = min(self._size, _END_RECORD + 0xFFFF)
        self._file.seek(self._size - tail)
        content = self._file.read(tail)
        at = content.rfind(b"PK\x05\x06")
        disk = struct.unpack_from("<H", content, at + 4)[0] if 0 <= at <= len(content) - _END_RECORD else 0
        if disk not in (0, 0xFFFF):
            raise ItemError("volume_missing", f"{self._path.name} is the last of {disk + 1} files, which are not beside it")

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
