"""TAR and CBT, plain or compressed: read through tarfile, regular files only."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final, cast

from comix.core.errors import ItemError
from comix.io.containers.charsets import decode_names
from comix.io.containers.external import rewrite_as_tar
from comix.io.containers.members import Member, MemberList, check_limits, unpack_budget

_CHUNK: Final = 1 << 20
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_OPENERS: Final[dict[bytes, Callable[[Path], IO[bytes]]]] = {
    b"\x1f\x8b": lambda path: cast("IO[bytes]", gzip.GzipFile(path)),
    b"BZh": lambda path: cast("IO[bytes]", bz2.BZ2File(path)),
    b"\xfd7zXZ\x00": lambda path: cast("IO[bytes]", lzma.LZMAFile(path)),  # noqa: SIM115
}


class TarContainer(MemberList):
    """A TAR archive; a compressed one is unpacked once to a temporary file, so that pages can be read in any order.

    Raises:
        ItemError: ``archive_damaged``, ``archive_empty`` and the limits.
    """

    kind = "tar"

    def __init__(self, path: Path, *, scratch: Path | None = None) -> None:
        super().__init__()
        self._size = path.stat().st_size
        self._file = _plain_tar(path, scratch)
        try:
            self._list()
        except BaseException:
            self._file.close()
            raise

    def read(self, member: Member) -> bytes:
        """Bytes of one member.

        Raises:
            ItemError: ``member_damaged`` when the archive ends inside it, ``member_missing``, ``member_too_large``.
        """
        entry = self._entries[self._own(member)]
        try:
            opened = self._tar.extractfile(entry)
            content = opened.read() if opened is not None else b""
        except (tarfile.TarError, OSError, ValueError) as error:
            raise ItemError("member_damaged", f"{member.name}: {error}") from error
        if len(content) != entry.size:
            raise ItemError("member_damaged", f"{member.name}: {len(content)} of {entry.size} bytes")
        return content

    def _release(self) -> None:
        """Close the archive and drop the temporary copy."""
        self._tar.close()
        self._file.close()

    def _list(self) -> None:
        try:
            self._tar = tarfile.open(fileobj=self._file, mode="r:")  # noqa: SIM115
            self._entries = [entry for entry in self._tar.getmembers() if entry.isreg()]
            self._check_end()
        except (tarfile.TarError, OSError, ValueError, EOFError) as error:
            raise ItemError("archive_damaged", f"TAR: {error}") from error
        names = decode_names([entry.name.encode("utf-8", "surrogateescape") for entry in self._entries], "latin-1")
        self._members = [
            Member(name, index, entry.size) for index, (name, entry) in enumerate(zip(names, self._entries, strict=True))
        ]
        check_limits(self._members, self._size)

    def _check_end(self) -> None:
        """Refuse a list that stopped at a broken header: tarfile takes one for the end of the archive."""
        self._file.seek(self._tar.offset)
        if self._file.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise ItemError("archive_damaged", f"TAR: broken header at byte {self._tar.offset}")


def _plain_tar(path: Path, scratch: Path | None) -> IO[bytes]:
    """The uncompressed TAR, open at its start.

    Raises:
        ItemError: ``archive_damaged``, ``archive_bomb``, ``archive_unsupported``.
    """
    with path.open("rb") as opened:
        head = opened.read(6)
    opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
    if opener is None and not head.startswith(_ZSTD):
        return path.open("rb")
    budget = unpack_budget(path.stat().st_size)
    plain: IO[bytes] = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115
    try:
        if opener is None:
            problem = rewrite_as_tar(path, lambda stream: _copy(stream, plain, budget))
            if problem:
                raise ItemError("archive_damaged", f"compressed TAR: {problem}")
        else:
            with opener(path) as packed:
                _copy(packed, plain, budget)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        plain.close()
        raise ItemError("archive_damaged", f"compressed TAR: {error}") from error
    except ItemError:
        plain.close()
        raise
    plain.seek(0)
    return plain


def _copy(stream: IO[bytes], plain: IO[bytes], budget: int) -> None:
    while chunk := stream.read(_CHUNK):
        plain.write(chunk)
        if plain.tell() > budget:
            raise ItemError("archive_bomb", f"more than {budget} bytes unpacked")
