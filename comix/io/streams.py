"""Large derived files, written piece by piece and replaced only when they changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from comix.core.files import atomic_writer


class ChangedOnly:
    """A binary file being written under a temporary name; `has_changed` is known when `changed_only` has ended."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.has_changed = False

    def write(self, data: bytes) -> int:
        """Append; the number of bytes."""
        self._digest.update(data)
        return self._stream.write(data)

    def flush(self) -> None:
        """For writers that want a whole file object."""
        self._stream.flush()

    def differs(self, path: Path, part: Path) -> bool:
        """Whether what was written is not what ``path`` holds; noted."""
        self.has_changed = not _holds(path, part.stat().st_size, self._digest.digest())
        return self.has_changed

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._stream.closed


@contextmanager
def changed_only(path: Path) -> Iterator[ChangedOnly]:
    """A binary file that appears under ``path`` whole, unless that holds exactly these bytes already, or not at all.

    Raises:
        WorkspaceError: the folder cannot be written or the disk is full; an older file stays intact.
    """
    with atomic_writer(path, lambda part: stream.differs(path, part)) as opened:
        stream = ChangedOnly(opened)
        yield stream


def _holds(path: Path, size: int, digest: bytes) -> bool:
    if not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest() == digest
