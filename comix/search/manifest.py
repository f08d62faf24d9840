"""What an index was built from, so that one older than its store is never searched."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from comix.core.errors import FileFormatError, MissingInputError
from comix.core.files import json_bytes, read_json, write_bytes
from comix.io.zarrstore import store_digest

INDEX_VERSION = 1
NAME = "index.json"

_HASH_BELOW = 64 << 20
"""Files up to this size are checked by their sha256 before a search, larger ones by their size; `comix index` checks all."""


class IndexedFile(BaseModel):
    """One file of the index."""

    model_config = ConfigDict(extra="forbid")
    sha256: str
    size: int


class IndexManifest(BaseModel):
    """``index/index.json``.

    Attributes:
        model_hash: of the model that the embeddings are of.
        store_digest: of the store's rows when it was indexed; ``n_rows`` of them.
        tables: sha256 of the workspace's tables that the filters come from, "" for one that is not there.
        n_vectors: vectors per space.
        files: what the index consists of.
    """

    model_config = ConfigDict(extra="forbid")
    version: int = INDEX_VERSION
    model_hash: str
    store_digest: str
    n_rows: int
    tables: dict[str, str]
    n_vectors: dict[str, int]
    files: dict[str, IndexedFile]

    def write(self, folder: Path) -> None:
        """Write it, last of all files of an index."""
        write_bytes(folder / NAME, json_bytes(self.model_dump(mode="json"), indent=1))


def read_manifest(folder: Path) -> IndexManifest | None:
    """The manifest of an index folder; None when there is none, or one of another version."""
    try:
        value = read_json(folder / NAME)
        return IndexManifest.model_validate(value) if value.get("version") == INDEX_VERSION else None
    except (MissingInputError, FileFormatError, ValidationError, AttributeError):
        return None


def file_facts(path: Path) -> IndexedFile:
    """Checksum and size of a file."""
    with path.open("rb") as stream:
        return IndexedFile(sha256=hashlib.file_digest(stream, "sha256").hexdigest(), size=path.stat().st_size)


def table_digest(path: Path) -> str:
    """Sha256 of a table, "" when it is not there."""
    return file_facts(path).sha256 if path.is_file() else ""


def is_current(manifest: IndexManifest, store: Path, tables: dict[str, Path]) -> bool:
    """Whether an index was built from the store and the tables as they are now."""
    return manifest.store_digest == store_digest(store) and all(
        manifest.tables.get(name) == table_digest(path) for name, path in tables.items()
    )


def is_intact(manifest: IndexManifest, folder: Path, thorough: bool = False) -> bool:
    """Whether the files of an index are the ones it was built of."""
    for name, facts in manifest.files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != facts.size:
            return False
        if (thorough or facts.size < _HASH_BELOW) and file_facts(path) != facts:
            return False
    return True
