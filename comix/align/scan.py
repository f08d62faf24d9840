"""The JSON files of a folder, with what each says of its page."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from comix.align.join import Json
from comix.core.errors import FileFormatError, ItemError, MissingInputError
from comix.core.pool import run_here, run_in_processes
from comix.core.task import Item, Outcome, RunOptions
from comix.io.readings import has_words, read_file, read_identity, read_reading

_AT_ONCE = 500


def scan(folder: str, options: RunOptions) -> Iterator[Json]:
    """Every ``.json`` below a folder, in order of its path; links to folders are not followed.

    Args:
        folder: absolute or relative; the paths given are relative to it.
        options: how many processes read.

    Raises:
        ItemError: a reading process died; names the files it had.
    """
    seen: set[int] = set()
    items = _items(folder)
    stop = threading.Event()
    if options.workers:
        plain = RunOptions(workers=options.workers, timeout_s=options.timeout_s, memory_mb=options.memory_mb)
        outcomes = run_in_processes(items, _build, plain, stop)
    else:
        outcomes = run_here(items, _build, stop)
    for finished in outcomes:
        if finished is None:
            continue
        item, outcome = finished
        if outcome.status != "done":
            raise ItemError(outcome.reason, f"while reading {item.key} and the files after it: {outcome.detail}", outcome.hint)
        for path, says, content in outcome.result["jsons"]:
            is_silent = content in seen and _is_silent(f"{folder}/{path}")
            seen.add(content)
            yield Json(path, says, content, is_silent)


def _items(folder: str) -> Iterator[Item]:
    paths = _paths(folder, "")
    while some := list(islice(paths, _AT_ONCE)):
        yield Item(some[0], (folder, some), "")


def _build() -> _Identifier:
    return _Identifier()


@dataclass(frozen=True, slots=True)
class _Identifier:
    """Reads some JSONs: path, what it says of its page, hash of its bytes."""

    def __call__(self, job: tuple[str, list[str]]) -> Outcome:
        folder, paths = job
        found = []
        for path in paths:
            try:
                data = read_file(f"{folder}/{path}")
            except MissingInputError:  # removed while we look: it is not there
                continue
            says = read_identity(data)
            content = int.from_bytes(blake2b(data, digest_size=8).digest())
            found.append((path, tuple(says.values()) if says else (), content))
        return Outcome(result={"jsons": found})


def _is_silent(path: str) -> bool:
    try:
        return not has_words(read_reading(path))
    except FileFormatError:
        return True


def _paths(folder: str, prefix: str) -> Iterator[str]:
    with os.scandir(f"{folder}/{prefix}") as entries:
        listed = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_folder in listed:
        if is_folder:
            yield from _paths(folder, f"{prefix}{name}/")
        elif name.lower().endswith(".json"):
            yield prefix + name
