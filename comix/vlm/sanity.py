"""Whether a well-formed answer can be about the page that was asked about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from comix.core.geometry import Box
from comix.vlm.answers import Answer, strict_schema
from comix.vlm.question import Question

_MOST_PANELS, _MOST_TEXTS = 60, 250
_LONGEST_TEXT, _LONGEST_PAGE = 6_000, 20_000
"""Characters; the densest text pages hold about 5,000 in all."""
_REPEATED = re.compile(r"(.{1,80}?)\1{4,}", re.DOTALL)
_SHORTEST_LOOP = 120
"""Characters: a laugh or scream across a panel stays below, a model that cannot stop does not."""
_ECHO_WORDS = 7
_REFUSAL = re.compile(
    r"^\W*(i('|’)?m sorry|i am sorry|sorry[,.]? (but )?i|i can(not|('|’)t| not)|i (am|'m) (unable|not able)|"
    r"i won('|’)t|as an ai\b|unfortunately,? i|my apologies|i must decline|lo siento|je suis d[ée]sol|"
    r"es tut mir leid|desculpe|申し訳|抱歉|对不起)",
    re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Whether a reply in words says no.

    >>> is_refusal("I'm sorry, but I can't help with that."), is_refusal("SORRY, WRONG HOUSE!")
    (True, False)
    """
    return bool(_REFUSAL.match(text.strip()))


def fault_of(answer: Answer, question: Question) -> str:
    """What speaks against an answer, "" for nothing: numbers, places, loops, lengths, the prompt's own words."""
    value = answer.model_dump()
    return (
        _wrong_numbers(value, question)
        or _nothing_said(value)
        or _wrong_boxes(value, question)
        or _too_much(value)
        or _loop(value)
        or _echo(value, question)
    )


def refusal_in(value: Any) -> bool:
    """Whether an answer in the right form says no in its summary, and nothing else."""
    if not isinstance(value, dict):
        return False
    words = [text for text in strings(value) if len(text) > 12]
    return bool(words) and all(is_refusal(text) for text in words)


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def _wrong_numbers(value: dict[str, Any], question: Question) -> str:
    if "texts" in value:
        found = [one["id"] for one in value["texts"]]
    elif value.get("panels") and "panel_number" in value["panels"][0]:
        found = [one["panel_number"] for one in value["panels"]]
    else:
        found = []
    if question.numbers is not None:
        if sorted(found) != sorted(question.numbers):
            return f"numbers {_short(found)}; asked for {_short(list(question.numbers))}, each once"
        return ""
    if len(found) > _MOST_PANELS:
        return f"{len(found)} panels on one page"
    return "" if found == list(range(1, len(found) + 1)) else f"panel numbers {_short(found)}; wanted 1, 2, 3 and so on"


def _short(numbers: Sequence[int]) -> str:
    return str(list(numbers[:12])) + (f" and {len(numbers) - 12} more" if len(numbers) > 12 else "")


def _nothing_said(value: dict[str, Any]) -> str:
    if value.get("page_type") in ("interior", "splash") and value.get("panels") == []:
        return f"no panels on a page of type {value['page_type']}"
    said = [value.get("summary", "x").strip(), value.get("panels", "x"), value.get("outside", "x")]
    if not any(said) and value.get("page_type") != "blank":
        return "nothing is said about the page"
    return ""


def _wrong_boxes(value: dict[str, Any], question: Question) -> str:
    picture = question.picture
    room = Box(-0.02 * picture.width, -0.02 * picture.height, 1.04 * picture.width, 1.04 * picture.height)
    for one in value.get("panels", []):
        if "box" not in one:
            continue
        try:
            box = question.form.read(one["box"], picture.width, picture.height)
        except ValueError as error:
            return f"panel {one['panel_number']}: {error}"
        if not (box.w > 1 and box.h > 1):
            return f"panel {one['panel_number']}: the box {one['box']} is empty or its corners are swapped"
        if box.x < room.x or box.y < room.y or box.r > room.r or box.b > room.b:
            return f"panel {one['panel_number']}: the box {one['box']} lies outside the page"
    return ""


def _too_much(value: dict[str, Any]) -> str:
    texts = list(strings(value))
    longest = max(map(len, texts), default=0)
    if longest > _LONGEST_TEXT:
        return f"a text of {longest} characters"
    if len(texts) > 4 * _MOST_TEXTS or sum(map(len, texts)) > _LONGEST_PAGE:
        return f"{len(texts)} texts, {sum(map(len, texts))} characters on one page"
    broken = sum(text.count("\ufffd") for text in texts)
    return f"{broken} undecodable characters" if broken > 5 else ""


def _loop(value: dict[str, Any]) -> str:
    texts = [" ".join(text.split()) for text in strings(value)]
    for text in texts:
        if any(len(match[0]) >= _SHORTEST_LOOP for match in _REPEATED.finditer(text)):
            return f"the same words over and over: {text[:40]!r}..."
    counts = Counter(text.casefold() for text in texts if len(text) >= 12 and " " in text)
    text, n = max(counts.items(), key=lambda one: one[1], default=("", 0))
    return f"{text[:40]!r} {n} times" if n > 6 else ""


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _runs(text: str) -> set[tuple[str, ...]]:
    words = _words(text)
    return {tuple(words[place : place + _ECHO_WORDS]) for place in range(len(words) - _ECHO_WORDS + 1)}


@lru_cache(maxsize=32)
def _prompt_runs(text: str, answer: type[Answer]) -> frozenset[tuple[str, ...]]:
    """Every run of seven words in the prompt and in the schema's descriptions."""
    sources = [text, *_descriptions(strict_schema(answer))]
    return frozenset(run for source in sources for run in _runs(source))


def _descriptions(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("description"), str):
            yield node["description"]
        for one in node.values():
            yield from _descriptions(one)


def _echo(value: dict[str, Any], question: Question) -> str:
    known = _prompt_runs(question.prompt.text, question.answer)
    for text in strings(value):
        if not known.isdisjoint(_runs(text)):
            return f"the instructions instead of the page: {text[:60]!r}"
    return ""
