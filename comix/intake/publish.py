"""Page images of a book on their way into the workspace: all of them appear at once, or none.

Creating files is what extraction spends its time on, so they are not synced one by one: a book is written into a folder
beside its place and renamed, and `comix.core.recorder` syncs some books at once before the journal says that they are done.
After a loss of power the next run makes those anew that the journal does not name.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from comix.core.errors import WorkspaceError
from comix.core.files import PART_PREFIX, digest


class PageFolder:
    """Files of one book, written out of sight and then moved to ``folder``; a context manager that leaves nothing behind.

    The folder out of sight has a name of its own for each book, so a run after kill -9 clears what the killed one left.

    Raises:
        WorkspaceError: the workspace cannot be written or the disk is full; what was there stays.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._part = folder.with_name(f"{PART_PREFIX}{digest(folder.name)}")
        self._names: list[str] = []

    def __enter__(self) -> Self:
        shutil.rmtree(self._part, ignore_errors=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        shutil.rmtree(self._part, ignore_errors=True)

    def add(self, name: str, data: bytes | memoryview) -> None:
        """Write one file out of sight."""
        try:
            if not self._names:
                self._part.mkdir(parents=True, exist_ok=True)
            with (self._part / name).open("xb", buffering=0) as stream:
                rest = memoryview(data)
                while rest:
                    rest = rest[stream.write(rest) :]
        except OSError as error:
            raise self._trouble(error) from error
        self._names.append(name)

    def publish(self) -> None:
        """Move the files to their place and drop what an earlier state of the book left there."""
        try:
            if not (self._names and self._moved_whole()):
                self._move_each()
                remove_pages(self._folder, keep=self._names)
        except OSError as error:
            raise self._trouble(error) from error

    def _moved_whole(self) -> bool:
        """Whether the folder could be renamed; not where one is: an earlier state of the book, or books that lie below it."""
        if self._folder.is_dir():
            return False
        self._part.rename(self._folder)
        return True

    def _move_each(self) -> None:
        for name in self._names:
            (self._part / name).replace(self._folder / name)

    def _trouble(self, error: OSError) -> WorkspaceError:
        return WorkspaceError(
            f"{self._folder}: cannot be written ({error.strerror}); free space or choose another workspace",
        )


def remove_pages(folder: Path, keep: Collection[str] = ()) -> None:
    """Drop page images of an earlier state of a book; nested books keep theirs."""
    kept = set(keep)
    for path in folder.glob("[0-9][0-9][0-9][0-9]*.*"):
        if path.name not in kept and path.is_file():
            path.unlink()
