"""Large derived files, written piece by piece and replaced only when they changed."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from comix.core.errors import WorkspaceError


class ChangedOnly:
    """A binary file being written under a temporary name; `has_changed` is known when `changed_only` has ended."""

    def __init__(self, descriptor: int) -> None:
        self._stream = os.fdopen(descriptor, "wb", buffering=1 << 20)
        self._digest = hashlib.sha256()
        self.has_changed = False

    def write(self, data: bytes) -> int:
        """Append; the number of bytes."""
        self._digest.update(data)
        return self._stream.write(data)

    def flush(self) -> None:
        """For writers that want a whole file object."""
        self._stream.flush()

    def finish(self, temporary: Path, path: Path) -> None:
        """Put the file into its place unless the same bytes lie there."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        self.has_changed = not _holds(path, temporary.stat().st_size, self._digest.digest())
        if self.has_changed:
            temporary.chmod(0o644)
            temporary.replace(path)
        else:
            temporary.unlink()

    def close(self) -> None:
        """Let go of the descriptor."""
        self._stream.close()

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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    except OSError as error:
        raise WorkspaceError(f"{path}: cannot be written ({error.strerror}); choose a writable workspace") from error
    temporary, stream = Path(name), ChangedOnly(descriptor)
    try:
        yield stream
        stream.finish(temporary, path)
    except OSError as error:
        raise WorkspaceError(f"{path}: cannot be written ({error.strerror}); free space or choose another workspace") from error
    finally:
        stream.close()
        temporary.unlink(missing_ok=True)


def _holds(path: Path, size: int, digest: bytes) -> bool:
    if not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest() == digest
