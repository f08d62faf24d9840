"""Writing so that nothing half-written is ever seen under its final name."""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from comix.core.errors import FileFormatError, MissingInputError, WorkspaceError

fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None
PART_PREFIX = ".part-"
"""How the names of files begin that are being written, or were when a run was killed."""


@contextmanager
def atomic_writer(path: Path, is_wanted: Callable[[Path], bool] = lambda part: True) -> Iterator[IO[bytes]]:
    """A binary file that appears under ``path`` whole (flushed, synced, renamed), or not at all.

    Args:
        path: its final name.
        is_wanted: asked of the finished file before it gets its name; False drops it.

    Raises:
        WorkspaceError: the folder cannot be written or the disk is full; an older file stays intact.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _open_part(path)
    except OSError as error:
        raise WorkspaceError(f"{path}: cannot be written ({error.strerror}); choose a writable workspace") from error
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            temporary.chmod(0o644)
            if fcntl is not None:  # while the lock is held: nobody may take the file over before it has its name
                _put_in_place(temporary, path, is_wanted)
        if fcntl is None:
            _put_in_place(temporary, path, is_wanted)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise WorkspaceError(f"{path}: cannot be written ({error.strerror}); free space or choose another workspace") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _put_in_place(temporary: Path, path: Path, is_wanted: Callable[[Path], bool]) -> None:
    if is_wanted(temporary):
        temporary.replace(path)
    else:
        temporary.unlink()


def _open_part(path: Path) -> tuple[int, Path]:
    """A file beside ``path`` to write into: the one that a killed run left for the same path, or a new one.

    Named after ``path``, so that what kill -9 leaves behind is used up by the run that mends it; a lock tells a leftover
    from another writer's file, which is left alone.
    """
    if fcntl is not None:
        part = path.with_name(f"{PART_PREFIX}{hashlib.sha256(path.name.encode()).hexdigest()[:16]}")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_ino == part.stat().st_ino:
                os.ftruncate(handle, 0)
                return handle, part
        except OSError:  # another writer has it, has just renamed it, or this file system knows no locks
            pass
        os.close(handle)
    handle, name = tempfile.mkstemp(prefix=PART_PREFIX, dir=path.parent)
    return handle, Path(name)


def write_bytes(path: Path, data: bytes) -> None:
    """Write atomically; see `atomic_writer`."""
    with atomic_writer(path) as stream:
        stream.write(data)


def sync_file_system(folder: Path) -> None:
    """Make everything written to the file system of a folder durable, in one go: cheaper than syncing many small files.

    Where the system has no call for one file system, all are synced; on Windows nothing is, files there reach the disk on
    their own within seconds.
    """
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        sync = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if sync is None:
            os.sync()
        elif sync(handle) != 0:
            number = ctypes.get_errno()
            raise WorkspaceError(f"{folder}: what was written did not reach the disk ({os.strerror(number)})")
    finally:
        os.close(handle)


def write_if_changed(path: Path, data: bytes) -> bool:
    """Write atomically unless the file already holds exactly these bytes; whether it wrote."""
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return False
    write_bytes(path, data)
    return True


def json_bytes(value: Any, indent: int | None = None) -> bytes:
    """UTF-8 JSON with a final newline, keys in the order given."""
    separators = (",", ":") if indent is None else (",", ": ")
    return (json.dumps(value, ensure_ascii=False, indent=indent, separators=separators) + "\n").encode()


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not JSON; the message has line and column.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise MissingInputError(f"{path}: no such file; wanted a JSON file") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FileFormatError(f"{path}: not valid JSON ({error}); write the file again or remove it") from error


def digest(*parts: object) -> str:
    """A short hash (16 hex digits) of the parts' JSON, for fingerprints.

    >>> digest("a", 1) == digest("a", 1), digest("a", 1) == digest("a1")
    (True, False)
    """
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
