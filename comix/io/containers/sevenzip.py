"""7z and CB7: read through py7zr, in one pass into a temporary file; what it cannot unpack goes to bsdtar."""

from __future__ import annotations

import lzma
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from comix.core.errors import ItemError
from comix.io.containers.external import find_bsdtar, unpack_with_bsdtar, unpack_with_extractors
from comix.io.containers.members import Member, MemberList, check_limits, unpack_budget
from comix.io.containers.store import ContentStore

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file of the archive: stored name, size, CRC-32 or None."""

    name: str
    size: int
    crc: int | None


class SevenZipContainer(MemberList):
    """A 7z archive; unpacked when the first member is read, since members share one compressed stream.

    Raises:
        ItemError: ``archive_encrypted``, ``archive_damaged``, ``archive_unsupported``, ``archive_empty`` ...
    """

    kind = "7z"

    def __init__(self, path: Path, *, scratch: Path | None = None) -> None:
        super().__init__()
        self._path, self._scratch = path, scratch
        self._store: ContentStore | None = None
        self._problem = ""
        self._entries = _list(path)
        self._members = [Member(entry.name.replace("\\", "/"), index, entry.size) for index, entry in enumerate(self._entries)]
        check_limits(self._members, path.stat().st_size)

    def read(self, member: Member) -> bytes:
        """Bytes of one member, found by size and checksum in the unpacked content.

        Raises:
            ItemError: ``member_damaged``, ``archive_unsupported``, ``member_missing``, ``member_too_large``.
        """
        entry = self._entries[self._own(member)]
        if self._store is None:
            self._store = self._unpacked()
        content = self._store.find(entry.size, entry.crc, entry.name)
        if content is None:
            problem = self._problem or "content does not match its checksum"
            raise ItemError("member_damaged", f"{member.name}: {problem}")
        return content

    def _release(self) -> None:
        """Drop the temporary copy."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _unpacked(self) -> ContentStore:
        """Everything in the archive; several readers are tried until every member is there."""
        store = ContentStore(self._scratch, unpack_budget(self._path.stat().st_size))
        try:
            unsupported = self._through_py7zr(store)
            if not self._complete(store) and find_bsdtar():
                self._problem = unpack_with_bsdtar(self._path, store) or self._problem
            if not self._complete(store) and unpack_with_extractors(self._path, store, self._scratch):
                unsupported = False
            if unsupported and not self._complete(store):
                raise ItemError("archive_unsupported", f"7z: {self._problem}")
        except BaseException:
            store.close()
            raise
        return store

    def _complete(self, store: ContentStore) -> bool:
        return all(store.has(entry.size, entry.crc, entry.name) for entry in self._entries)

    def _through_py7zr(self, store: ContentStore) -> bool:
        """Fill the store with what py7zr reads; true when it lacks the compression method."""
        import py7zr
        from py7zr.exceptions import ArchiveError, UnsupportedCompressionMethodError

        sink = _Sink(store, self._scratch)
        try:
            # an open file instead of a path keeps py7zr from starting threads
            with self._path.open("rb") as opened, py7zr.SevenZipFile(opened) as archive:
                archive.extractall(factory=sink)
        except UnsupportedCompressionMethodError as error:
            self._problem = str(error)
            return True
        except ItemError:
            raise
        except (ArchiveError, lzma.LZMAError, OSError, EOFError, ValueError, RuntimeError, LookupError) as error:
            self._problem = f"{type(error).__name__}: {error}"
        return False


def _list(path: Path) -> list[_Entry]:
    import py7zr
    from py7zr.exceptions import ArchiveError, PasswordRequired, UnsupportedCompressionMethodError

    try:
        with path.open("rb") as opened, py7zr.SevenZipFile(opened) as archive:
            if archive.needs_password():
                raise ItemError("archive_encrypted", "7z with a password")
            return [
                _Entry(file.filename, file.uncompressed, file.crc32)
                for file in archive.files
                if not file.is_directory and not file.is_symlink and not file.is_junction
            ]
    except PasswordRequired as error:
        raise ItemError("archive_encrypted", "7z with a password") from error
    except UnsupportedCompressionMethodError as error:
        raise ItemError("archive_unsupported", f"7z: {error}") from error
    except (ArchiveError, lzma.LZMAError, OSError, EOFError, ValueError, LookupError, TypeError) as error:
        raise ItemError("archive_damaged", f"7z: {type(error).__name__}: {error}") from error


class _Sink:
    """What py7zr asks for somewhere to write to; each file goes to the store once it is complete."""

    def __init__(self, store: ContentStore, scratch: Path | None) -> None:
        self._store, self._scratch = store, scratch

    def create(self, filename: str) -> Any:
        """A writer for one file."""
        return _Writer(filename, self._store, self._scratch)


class _Writer:
    """One file being unpacked: memory first, disk when large, the store at the end."""

    def __init__(self, name: str, store: ContentStore, scratch: Path | None) -> None:
        self._name, self._store = name, store
        self._spool: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115
            16 * _CHUNK, dir=str(scratch) if scratch else None
        )
        self._size = 0

    def write(self, data: bytes | bytearray) -> int:
        """Take the next bytes."""
        self._size += len(data)
        return self._spool.write(data)

    def read(self, size: int | None = None) -> bytes:
        """Bytes written so far."""
        return self._spool.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the position."""
        return self._spool.seek(offset, whence)

    def flush(self) -> None:
        """Nothing to do."""

    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    def close(self) -> None:
        """Hand the finished file to the store."""
        self._spool.seek(0)
        self._store.add(self._name, self._chunks())
        self._spool.close()

    def _chunks(self) -> Iterator[bytes]:
        while chunk := self._spool.read(_CHUNK):
            yield chunk
