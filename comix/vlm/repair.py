"""JSON out of a finished reply: as it is, out of its wrapping, or with syntax faults mended, and what was changed for it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Fault = Literal["", "not_json", "truncated", "duplicate_key"]

_MOST_CHARACTERS = 200_000
"""Longer faulty replies are not mended: no page has that much text."""
_THOUGHTS = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"```(?:json|JSON)?[ \t]*\n?(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mended:
    """What a reply's text holds.

    Attributes:
        value: the JSON value, None with a fault.
        fault: "" when there is a value.
        diff: what had to change, as a unified diff; "" when nothing had.
        detail: the fault in words.
    """

    value: Any = None
    fault: Fault = ""
    diff: str = ""
    detail: str = ""


class _DuplicateKeyError(ValueError):
    pass


def json_of(text: str) -> Mended:
    """The JSON object in a finished reply.

    Prose, code fences and a thinking block around it are taken off. Syntax faults (missing or trailing commas, wrong
    quotes, stray escapes) are mended by a library; a mending that would add or lose a letter, digit, brace or bracket is
    refused: half a page is never taken for a page.

    >>> json_of('Here it is: {"a": 1,}').value
    {'a': 1}
    >>> json_of('{"a": [1, 2').fault
    'truncated'
    """
    inner = _unwrapped(text)
    if not inner.startswith(("{", "[")):
        return Mended(fault="not_json", detail="no JSON object in the reply")
    try:
        value = _strict(inner)
        mended = inner
    except _DuplicateKeyError as error:
        return Mended(fault="duplicate_key", detail=str(error))
    except (ValueError, RecursionError) as error:
        found = _by_library(inner, str(error))
        if found.fault:
            return found
        value, mended = found.value, found.diff
    if isinstance(value, list) and len(value) == 1:
        value, mended = value[0], mended.strip()[1:-1]
    if not isinstance(value, dict):
        return Mended(fault="not_json", detail=f"a {type(value).__name__} instead of one object")
    return Mended(value, diff=_diff(text.strip(), mended.strip()))


def _unwrapped(text: str) -> str:
    """The part of a reply between its first opening and last closing brace, or all after the first one."""
    text = _THOUGHTS.sub("", text.lstrip("\ufeff")).strip()
    if text.startswith(("{", "[{")):
        return text
    fenced = _FENCE.search(text)
    if fenced and fenced[1].lstrip().startswith(("{", "[")):
        return fenced[1].strip()
    start = text.find("{")
    if start < 0:
        return ""
    end = text.rfind("}")
    return text[start : end + 1] if end > start else text[start:].removesuffix("```").rstrip()


def _strict(text: str) -> Any:
    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        double = next((key for key in keys if keys.count(key) > 1), None) if len(set(keys)) < len(keys) else None
        if double is not None:
            raise _DuplicateKeyError(f"the key {double!r} twice in one object")
        return dict(pairs)

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, object_pairs_hook=once, parse_constant=refuse)


def _by_library(text: str, fault: str) -> Mended:
    """The library's reading, its JSON in ``diff``; a fault when it is not all of the text and nothing but the text."""
    import json_repair

    if len(text) > _MOST_CHARACTERS:
        return Mended(fault="not_json", detail=f"{fault}; too long to mend ({len(text)} characters)")
    if _closers(text) < _closers(text, "{["):
        return Mended(fault="truncated", detail=f"the JSON ends too early ({fault})")
    text = re.sub(r"[}\]]\s*```\s*$", lambda match: match[0][0], text)
    try:
        value = json_repair.loads(text, skip_json_loads=True)
        written = json.dumps(value, ensure_ascii=False)
        _strict(written)
    except (ValueError, RecursionError, TypeError) as error:
        return Mended(fault="not_json", detail=f"{fault}; cannot be mended ({error})")
    if _content(written) != _content(text):
        return Mended(fault="not_json", detail=f"{fault}; mending it would change what it says")
    return Mended(value, diff=written)


def _closers(text: str, which: str = "}]") -> int:
    return sum(text.count(one) for one in which)


_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)


def _content(text: str) -> str:
    """Letters, digits, braces and brackets of a JSON text in their order, escapes resolved: what a mending must keep."""

    def resolved(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        return "" if match[2] in "nrtbf" else match[2]

    return "".join(one for one in _ESCAPE.sub(resolved, text) if one.isalnum() or one in "{}[]")


def _diff(before: str, after: str) -> str:
    """What changed, as a unified diff of the values' lines; "" for none."""
    if before == after:
        return ""
    old, new = (re.sub(r"([,{\[])", r"\1\n", one).splitlines() for one in (before, after))
    return "\n".join(difflib.unified_diff(old, new, "reply", "mended", lineterm="", n=0))
