"""Many small files, written so that each is under its final name whole or not at all, at the rate of plain file creation.

A folder that is not there yet is filled under another name and renamed; in a folder that is there each file is. Nothing is
synced here: `comix.core.recorder` syncs a batch of files at once before the journal says that they are done.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from comix.core.errors import WorkspaceError
from comix.core.files import PART_PREFIX


class SmallFiles:
    """Files held back until `settle`.

    Args:
        staging: folder for unfinished folders, on the same file system; of this run alone. See `clear_staging`.
    """

    def __init__(self, staging: Path) -> None:
        self._staging = f"{staging}/{os.getpid()}"
        self._waiting: dict[str, list[tuple[str, bytes]]] = {}
        self._n_folders = 0

    def add(self, path: str, data: bytes) -> None:
        """Take a file."""
        folder, name = os.path.split(path)  # pathlib would take a third of the time
        self._waiting.setdefault(folder, []).append((name, data))

    def settle(self) -> None:
        """Write what waits; a file that holds exactly these bytes already is left alone.

        Raises:
            WorkspaceError: the folder cannot be written or the disk is full.
        """
        waiting, self._waiting = self._waiting, {}
        for folder, files in waiting.items():
            try:
                if len(files) > 1 and not os.path.isdir(folder):  # noqa: PTH112
                    self._write_folder(folder, files)
                else:
                    for name, data in files:
                        _write_file(folder, name, data)
            except OSError as error:
                what = f"{folder}: cannot be written ({error.strerror})"
                raise WorkspaceError(f"{what}; free space or choose another workspace") from error

    def _write_folder(self, folder: str, files: list[tuple[str, bytes]]) -> None:
        self._n_folders += 1
        part = f"{self._staging}-{self._n_folders}"
        os.makedirs(part)  # noqa: PTH103
        for name, data in files:
            _write(f"{part}/{name}", data)
        try:
            os.makedirs(os.path.dirname(folder), exist_ok=True)  # noqa: PTH103, PTH120
            os.rename(part, folder)  # noqa: PTH104
        except OSError:
            if not os.path.isdir(folder):  # noqa: PTH112
                raise
            for name, _ in files:  # another worker made it meanwhile
                os.replace(f"{part}/{name}", f"{folder}/{name}")  # noqa: PTH105
            os.rmdir(part)  # noqa: PTH106


def clear_staging(staging: Path) -> None:
    """Remove what a killed run left."""
    shutil.rmtree(staging, ignore_errors=True)


def remove_staging(staging: Path) -> None:
    """Remove the folder at the end of a run; not while another one, that has just begun, is using it."""
    with contextlib.suppress(OSError):
        staging.rmdir()


def _write_file(folder: str, name: str, data: bytes) -> None:
    target, part = f"{folder}/{name}", f"{folder}/{PART_PREFIX}{name}"
    if _holds(target, data):
        return
    try:
        try:
            _write(part, data)
        except FileNotFoundError:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            _write(part, data)
        os.replace(part, target)  # noqa: PTH105
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def _holds(path: str, data: bytes) -> bool:
    try:
        if os.stat(path).st_size != len(data):  # noqa: PTH116
            return False
        with open(path, "rb") as stream:  # noqa: PTH123
            return stream.read() == data
    except FileNotFoundError:
        return False
