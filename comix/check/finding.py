"""What a look through a workspace says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        part: of the workspace: ``pages``, ``detections/gutter``, ...
        where: file, page id or row.
        found: what is wrong.
        mend: the command or act that puts it right.
    """

    part: str
    where: str
    found: str
    mend: str


@dataclass(slots=True)
class Part:
    """One part of the workspace looked at: how many things, and what was found."""

    name: str
    unit: str
    n_looked_at: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, where: object, found: str, mend: str) -> None:
        """Note a trouble."""
        self.findings.append(Finding(self.name, str(where), found, mend))


class Check(Protocol):
    """Looks at some parts of a workspace."""

    def __call__(self) -> Iterator[Part]:
        """Each part as it is through."""
        ...
