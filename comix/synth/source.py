"""Where the factory's drawings come from, as a value that worker processes can be given."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.files import digest
from comix.io.cococolumns import read_columns
from comix.synth.art import Art, read_art


@dataclass(frozen=True, slots=True)
class ArtSource:
    """Labelled pages to take drawings from.

    Attributes:
        coco: COCO file with panels.
        folder: what its file names are relative to.
        books: only pages whose id or file name starts with one of these; all when empty.
    """

    coco: Path
    folder: Path
    books: tuple[str, ...] = ()

    def read(self, long_side: int) -> Art:
        """The drawings, see `read_art`."""
        return read_art([(self.coco, self.folder)], self.books, long_side)

    def fingerprint(self) -> str:
        """Changes with the COCO file, the list of books, and the sizes of the image files.

        Raises:
            MissingInputError: no such COCO file.
        """
        if not self.coco.is_file():
            raise MissingInputError(f"{self.coco}: no such file; wanted a COCO file with panels")
        names = read_columns(self.coco).file_names
        sizes = [(self.folder / name).stat().st_size if (self.folder / name).is_file() else 0 for name in names]
        return digest(hashlib.sha256(self.coco.read_bytes()).hexdigest(), list(self.books), sizes)


def read_split(path: Path, half: str) -> tuple[str, ...]:
    """Prefixes of the page names of one half of a split file.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not YAML, or it has no such list.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingInputError(f"{path}: no such file; wanted YAML with lists of page name prefixes") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: not YAML: {error}") from error
    found = content.get(half) if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found) or not found:
        raise FileFormatError(f"{path}: has no list {half!r} of page name prefixes")
    return tuple(found)
