"""What a reply is worth: one of a closed set of classes, and whether asking again makes sense."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from comix.vlm.answers import Answer, check
from comix.vlm.question import Question
from comix.vlm.repair import json_of
from comix.vlm.sanity import fault_of, is_refusal, refusal_in

ReplyClass = Literal[
    "ok", "ok_repaired", "truncated", "refused", "empty", "provider_error", "not_json", "schema_invalid", "semantic_invalid",
    "timeout", "budget_stop",
]  # fmt: skip
Again = Literal["never", "later", "once"]
"""Ask again: never; after a wait, because the service or the way to it was at fault; once, because the model was."""

ACCEPTED = frozenset({"ok", "ok_repaired"})
_FINISHED = frozenset({"stop", "end_turn", "eos", "stop_sequence", "completed"})
_CUT_OFF = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
_FILTERED = frozenset({"content_filter", "safety", "refusal", "recitation", "prohibited_content", "blocklist", "spii"})


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request's fate on the wire.

    Attributes:
        status: of HTTP; 0 when there was no complete reply.
        headers: of the reply, lower case.
        body: of the reply, secrets taken out.
        fault: "" or what happened instead: ``timeout``, ``connection``.
        detail: the fault in words.
        seconds: from sending to the last byte.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    fault: str = ""
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What the service says it counted; None where it does not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A classified reply.

    Attributes:
        cls: see `ReplyClass`.
        detail: what was found, in words.
        again: whether asking again makes sense.
        stop: why no further request makes sense (no key, no credit); "" otherwise.
        status: of HTTP, or the code in an error body.
        answer: checked, for accepted replies.
        content: the model's words.
        finish: its reason to end.
        usage: tokens and cost.
        diff: what was mended.
    """

    cls: ReplyClass
    detail: str = ""
    again: Again = "never"
    stop: str = ""
    status: int = 0
    answer: Answer | None = None
    content: str = ""
    finish: str = ""
    usage: Usage = Usage()
    diff: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the answer may be used."""
        return self.cls in ACCEPTED


def classified(exchange: Exchange, question: Question) -> Verdict:
    """The class of a reply to a question: accepted only if it is finished, valid and sane."""
    if exchange.fault:
        cls: ReplyClass = "timeout" if exchange.fault == "timeout" else "provider_error"
        return Verdict(cls, exchange.detail or exchange.fault, "later", status=exchange.status)
    envelope = _envelope(exchange.body)
    if envelope is None or exchange.status >= 400 or envelope.get("error"):
        return _error(exchange, envelope)
    usage = usage_of(envelope)
    choices = envelope.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        cls = "empty" if choices in ([], None) and "choices" in envelope else "provider_error"
        return Verdict(cls, "a reply without choices", "once" if cls == "empty" else "later", usage=usage)
    if choices[0].get("error"):
        return replace(_error(exchange, choices[0]), usage=usage)
    return replace(_judged(choices[0], question), usage=usage, status=exchange.status)


def _envelope(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _error(exchange: Exchange, envelope: Mapping[str, Any] | None) -> Verdict:
    error = (envelope or {}).get("error") or {}
    message = str(error.get("message") or error) if isinstance(error, dict) else str(error)
    code = _code(error.get("code") if isinstance(error, dict) else None)
    status = code if exchange.status < 400 else exchange.status
    if not error:
        head = exchange.body[:200].decode("utf-8", "replace").strip()
        form = "HTML" if head[:1] == "<" else "no JSON object" if envelope is None else "no known error"
        message = f"{form}: {' '.join(head.split())[:120]!r}"
    detail = f"HTTP {exchange.status}{f', code {code}' if code and code != exchange.status else ''}: {message[:300]}"
    if status in (401, 402):
        return Verdict("provider_error", detail, stop=f"the service refuses every request ({detail})", status=status)
    if status == 403 and any(word in json.dumps(error).casefold() for word in ("moderation", "flagged", "content policy")):
        return Verdict("refused", detail, status=status)
    transient = status == 429 or status >= 500 or status < 400
    return Verdict("provider_error", detail, "later" if transient else "never", status=status)


def _code(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def usage_of(envelope: Mapping[str, Any]) -> Usage:
    """Tokens and dollars as the service counts them; numbers that make no sense count as not said.

    >>> usage_of({"usage": {"prompt_tokens": 9, "completion_tokens": -1, "cost": 0.25}})
    Usage(prompt_tokens=9, completion_tokens=None, cost_usd=0.25)
    """
    found = envelope.get("usage")
    if not isinstance(found, dict):
        return Usage()

    def number(key: str) -> float | None:
        value = found.get(key)
        usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
        return float(value) if usable and value is not None else None

    tokens = [None if (value := number(key)) is None else int(value) for key in ("prompt_tokens", "completion_tokens")]
    return Usage(tokens[0], tokens[1], number("cost"))


def _judged(choice: Mapping[str, Any], question: Question) -> Verdict:
    """The class of a reply's first choice."""
    raw = choice.get("message")
    message: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
    finish = str(choice.get("finish_reason") or "")
    content = _words_of(message.get("content"))
    verdict = _unfinished(message.get("refusal"), finish, content) or judged_text(content, question)
    return replace(verdict, content=content, finish=finish)


def _unfinished(refusal: Any, finish: str, content: str) -> Verdict | None:
    """The class of a reply that need not be read, None for one that is finished."""
    if isinstance(refusal, str) and refusal.strip():
        return Verdict("refused", refusal[:300])
    if finish.casefold() in _FILTERED:
        return Verdict("refused", f"finish_reason {finish}")
    if finish.casefold() in _CUT_OFF:
        blank = " (nothing but white space: the schema keeps this model in a loop)" if not content.strip() else ""
        return Verdict("truncated", f"cut off: finish_reason {finish}{blank}", "once")
    if finish.casefold() not in _FINISHED:
        return Verdict("provider_error", f"finish_reason {finish or 'missing'}", "later")
    return None if content.strip() else Verdict("empty", "no content", "once")


def judged_text(content: str, question: Question) -> Verdict:
    """The class of a finished reply's words."""
    if is_refusal(content):
        return Verdict("refused", content.strip()[:300], content=content)
    found = json_of(content)
    if found.fault == "truncated":
        return Verdict("truncated", found.detail, "once", content=content)
    if found.fault == "not_json":
        return Verdict("not_json", found.detail, "once", content=content)
    if found.fault == "duplicate_key":
        return Verdict("schema_invalid", found.detail, "once", content=content)
    if refusal_in(found.value):
        return Verdict("refused", " ".join(content.split())[:300], content=content)
    answer, fault = check(question.answer, _with_box(found.value, question))
    if answer is None:
        return Verdict("schema_invalid", fault, "once", content=content, diff=found.diff)
    fault = fault_of(answer, question)
    if fault:
        return Verdict("semantic_invalid", fault, "once", content=content, diff=found.diff)
    return Verdict("ok_repaired" if found.diff else "ok", answer=answer, content=content, diff=found.diff)


def _words_of(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(one.get("text") or "") for one in content if isinstance(one, dict))
    return content if isinstance(content, str) else ""


def _with_box(value: dict[str, Any], question: Question) -> dict[str, Any]:
    """A grounded answer with its family's name for a box as ours."""
    key, panels = question.form.key, value.get("panels")
    if question.prompt.schema != "grounded" or key == "box" or not isinstance(panels, list):
        return value
    renamed = [
        {"box" if name == key else name: one for name, one in panel.items()} if isinstance(panel, dict) else panel
        for panel in panels
    ]
    return value | {"panels": renamed}
