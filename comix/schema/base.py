"""What all stages share: the keys they have in common, and how a closed choice is declared. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

REQUIRED = "???"
"""OmegaConf's mark for a value that the user must give."""


def one_of(default: str, *others: str) -> Any:
    """A key with a closed choice of values: its default first, then the others; `REQUIRED` where there is no default.

    >>> one_of("cut", "rows").metadata["choices"]
    ('cut', 'rows')
    """
    choices = others if default == REQUIRED else (default, *others)
    return field(default=default, metadata={"choices": choices})


@dataclass
class StageConfig:
    """Keys that every stage has."""

    workspace: str = "workspace"


@dataclass
class WorkConfig(StageConfig):
    """Keys of a stage that works through many inputs; same names and meaning everywhere."""

    workers: int = 2
    limit: Optional[int] = None  # noqa: UP045  (OmegaConf 2.3 reads Optional)
    retry: str = ""
    timeout_s: float = 300.0
    memory_mb: int = 4096


@dataclass
class ShardedConfig(WorkConfig):
    """Keys of a stage whose work several machines may share."""

    shard: str = ""


def listed(text: object) -> list[str]:
    """The names that a key of several holds, as users write them: ``a,b`` or ``[a, b]``; none for "".

    >>> listed("[a, b]"), listed("")
    (['a', 'b'], [])
    """
    return [name.strip() for name in str(text).strip("[]").split(",") if name.strip()]
