"""What a page's requests get, and what has to come of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fakeserver import Reply


@dataclass(frozen=True)
class Case:
    """What a page's requests get; ``accepted_after`` counts the requests until there is an answer (0: never)."""

    name: str
    replies: Sequence[Reply]
    cls: str
    n_requests: int


TRIES = 3
"""max_attempts of the run: faults of the service are tried so often."""
ANSWERS = 2
"""1 + answer_retries: unusable answers are asked for so often."""


def once(name: str, reply: Reply, cls: str, n: int) -> Case:
    return Case(name, [reply], cls, n)


def text_of_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
