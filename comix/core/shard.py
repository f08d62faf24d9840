"""A share of a stage's work, for several machines on one workspace: ``shard=3/16``."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from comix.core.errors import UsageError
from comix.core.ids import escape
from comix.core.journal import Journal, stage_lock


@dataclass(frozen=True, slots=True)
class Shard:
    """The ``part``-th of ``n_parts`` shares, from 1; whole books go to one share."""

    part: int = 1
    n_parts: int = 1

    @property
    def is_all(self) -> bool:
        """Whether this is everything."""
        return self.n_parts == 1

    def owns(self, group: str) -> bool:
        """Whether a book (or container) belongs to this share; the same on every machine.

        >>> [sum(Shard(part, 3).owns(f"book {n}") for n in range(999)) > 300 for part in (1, 2, 3)]
        [True, True, True]
        """
        return zlib.crc32(group.encode()) % self.n_parts == self.part - 1

    def __str__(self) -> str:
        return f"{self.part}/{self.n_parts}"


ALL = Shard()
"""No sharding."""


def parse_shard(text: str) -> Shard:
    """The share a user asked for; "" is everything.

    >>> parse_shard("2/4"), parse_shard("")
    (Shard(part=2, n_parts=4), Shard(part=1, n_parts=1))

    Raises:
        UsageError: not ``k/n`` with k from 1 to n.
    """
    if not text:
        return ALL
    first, _, second = text.partition("/")
    if not (first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second)):
        raise UsageError(f"shard={text}: wanted shard=k/n with k from 1 to n, for example shard=1/4")
    return Shard(int(first), int(second))


@contextmanager
def stage_journal(path: Path, variant: str = "", shard: Shard = ALL) -> Iterator[Journal]:
    """The journal to work with: a share's own one beside the stage's, or the stage's with all finished shares taken in.

    A share's journal is its part: the documented files are derived by the first run without ``shard=``, which takes over
    what the shares did (nothing is worked on twice) and removes their journals.

    Args:
        path: the stage's journal.
        variant: see `Journal`.
        shard: whose work; `ALL` merges.

    Raises:
        WorkspaceError: a journal cannot be used, or a share that would be merged is still at work.
    """
    if not shard.is_all:
        with Journal(_part_path(path, variant, shard), variant) as journal:
            journal.base = Journal(path, variant, read_only=True) if path.is_file() else None
            try:
                yield journal
            finally:
                if journal.base is not None:
                    journal.base.close()
        return
    with Journal(path, variant) as journal:
        for part in part_journals(path, variant):
            with stage_lock(part, variant):
                with Journal(part, variant) as other:
                    journal.take_over(other)
                for file in (part, *(part.with_name(part.name + end) for end in ("-wal", "-shm"))):
                    file.unlink(missing_ok=True)
        yield journal


def part_journals(path: Path, variant: str) -> list[Path]:
    """Journals of shares that wait for the merging run, sorted."""
    named = re.compile(re.escape(_part_stem(path, variant)) + r"\.\d+-of-\d+\.sqlite")
    return sorted(one for one in path.parent.glob("*-of-*.sqlite") if named.fullmatch(one.name))


def _part_path(path: Path, variant: str, shard: Shard) -> Path:
    return path.with_name(f"{_part_stem(path, variant)}.{shard.part}-of-{shard.n_parts}.sqlite")


def _part_stem(path: Path, variant: str) -> str:
    return path.stem + (f"@{escape(variant).replace('/', '%2F')}" if variant else "")
