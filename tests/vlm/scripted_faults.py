"""Scripted faults of a service and of the way to it, and the class that each has to get; with the answers, all cases."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate
from itertools import product

from fakeserver import Reply, completion, good, of_envelope, page_answer
from scripted_answers import accepted, not_json, repaired, schema_invalid, semantic_invalid
from scripted_case import ANSWERS, TRIES, Case, once, text_of_json


def truncated() -> Iterator[Case]:
    """Cut off, whatever the service says of it."""
    text = text_of_json(page_answer(3))
    for finish, share in product(("length", "max_tokens", "MAX_TOKENS"), (0.2, 0.5, 0.9, 1.0)):
        yield once(f"truncated: {finish} {share}", completion(text[: int(len(text) * share)], finish), "truncated", 2)
    for share in (0.1, 0.3, 0.5, 0.7, 0.8, 0.97):
        yield once(f"truncated: said stop {share}", completion(text[: int(len(text) * share)]), "truncated", 2)
    for lost in range(1, 4):
        whole = text_of_json(page_answer(2, outside=[{"text": "PAGE 3", "kind": "narration"}]))
        yield once(f"truncated: {lost} closers lost", completion(whole[:-lost]), "truncated", 2)
    yield once("truncated: last brace lost", completion(text[:-1]), "truncated", 2)
    yield once("truncated: white space loop", completion("\n" * 4000, "length"), "truncated", 2)
    yield once("truncated: nothing", completion("", "length"), "truncated", 2)
    yield once("truncated: fenced", completion(f"```json\n{text[:200]}\n```"), "truncated", 2)
    yield Case("truncated, then whole", [completion(text[:80], "length"), good()], "ok", 2)


def refused() -> Iterator[Case]:
    """The model or the service says no."""
    for words in (
        "I'm sorry, but I can't assist with that.",
        "I cannot transcribe this page.",
        "Sorry, I can't help with that request.",
        "I am unable to describe this image.",
        "As an AI, I do not process such pictures.",
        "I can’t help with that.",
        "Unfortunately, I cannot do this.",
        "申し訳ありませんが、お手伝いできません。",
        "Lo siento, no puedo ayudar con eso.",
        "Es tut mir leid, das kann ich nicht.",
        "I won't transcribe this.",
        "My apologies, this is not possible.",
    ):
        yield once(f"refused: {words[:20]}", completion(words), "refused", 1)
    for finish in ("content_filter", "SAFETY", "refusal", "RECITATION", "PROHIBITED_CONTENT"):
        yield once(f"refused: finish {finish}", completion("", finish), "refused", 1)
        yield once(f"refused: finish {finish}, words", completion(text_of_json(page_answer()), finish), "refused", 1)
    yield once("refused: field", completion(None, refusal="I can't help with that."), "refused", 1)
    yield once("refused: field and content", completion(text_of_json(page_answer()), refusal="No."), "refused", 1)
    said = page_answer(0, summary="I'm sorry, I can't describe this page.", page_type="other")
    yield once("refused: in the form", completion(text_of_json(said)), "refused", 1)
    yield once("refused: in JSON", completion('{"error": "I cannot help with this image."}'), "refused", 1)
    flagged = {"error": {"code": 403, "message": "flagged by moderation", "metadata": {"reasons": ["violence"]}}}
    yield once("refused: moderation", of_envelope(flagged, 403), "refused", 1)
    yield once("refused: moderation in 200", of_envelope(flagged), "refused", 1)


def empty() -> Iterator[Case]:
    """A finished reply without words."""
    for name, content in (("null", None), ("nothing", ""), ("spaces", "   "), ("newlines", "\n\n\n"), ("no parts", [])):
        yield once(f"empty: {name}", completion(content), "empty", ANSWERS)
    usage = {"prompt_tokens": 10, "completion_tokens": 0, "cost": 0.0005}
    yield once("empty: no choices", of_envelope({"choices": [], "usage": usage}, billed=0.0005), "empty", ANSWERS)
    yield once("empty: choices null", of_envelope({"choices": None, "usage": usage}, billed=0.0005), "empty", ANSWERS)
    whole = {"choices": [{"finish_reason": "stop", "message": None}], "usage": usage}
    yield once("empty: no message", of_envelope(whole, billed=0.0005), "empty", ANSWERS)
    yield Case("empty, then good", [completion(""), good()], "ok", 2)


def provider_errors() -> Iterator[Case]:
    """Faults of the service: tried again when they may pass, never when they are about the request."""
    for status in (400, 404, 405, 406, 408, 409, 410, 413, 415, 418, 422, 451):
        yield once(f"error: HTTP {status}", of_envelope({"error": {"message": "no"}}, status), "provider_error", 1)
    yield once("error: HTTP 403", of_envelope({"error": {"message": "not allowed here"}}, 403), "provider_error", 1)
    for status in (500, 502, 503, 504, 520, 529):
        yield once(f"error: HTTP {status}", of_envelope({"error": {"message": "down"}}, status), "provider_error", TRIES)
        yield Case(f"HTTP {status}, then good", [Reply(b"oops", status), good()], "ok", 2)
    for code in (500, 502, "503", 408 + 100, None, "server_error", 429):
        body = {"error": {"code": code, "message": "upstream"}}
        yield once(f"error: 200 with error {code}", of_envelope(body), "provider_error", TRIES)
    for code in (400, 404, "422", 413):
        yield once(f"error: 200 with error {code}", of_envelope({"error": {"code": code}}), "provider_error", 1)
    yield once("error: 200 with error text", of_envelope({"error": "overloaded"}), "provider_error", TRIES)
    yield Case("200 with error, then good", [of_envelope({"error": {"code": 502}}), good()], "ok", 2)
    html = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"
    bodies = {
        "html": html,
        "empty body": b"",
        "no JSON": b"upstream connect error",
        "list": b"[]",
        "number": b"3",
        "null": b"null",
        "half JSON": b'{"choices": [{"mess',
        "invalid UTF-8": b'{"choices": "\xff\xfe"}',
        "stream": b'data: {"choices": []}\n\n',
        "no choices at all": b'{"id": "x", "object": "chat.completion"}',
        "choices a text": b'{"choices": "hello"}',
        "choices of numbers": b'{"choices": [1, 2]}',
        "deep": b"[" * 100_000,
    }
    for name, body in bodies.items():
        yield once(f"error: 200 {name}", Reply(body), "provider_error", TRIES)
    for status in (500, 502, 503):
        yield once(f"error: HTTP {status} html", Reply(html, status), "provider_error", TRIES)
    yield once("error: 404 html", Reply(html, 404), "provider_error", 1)
    yield once("error: redirect", Reply(b"", 307, (("location", "http://127.0.0.1:1/steal"),)), "provider_error", TRIES)
    for finish in (None, "", "error", "tool_calls", "function_call", "unknown"):
        body = completion(text_of_json(page_answer()), finish)
        yield once(f"error: finish {finish}", body, "provider_error", TRIES)
    inner = {"choices": [{"finish_reason": "stop", "error": {"code": 502, "message": "upstream"}, "message": {"content": ""}}]}
    yield once("error: in the choice", of_envelope(inner), "provider_error", TRIES)


def waits() -> Iterator[Case]:
    """The service asks to wait."""
    busy = {"error": {"message": "slow down"}}
    for value in ("0", "1", "300", "0.5", "7", formatdate(usegmt=True)):
        yield Case(f"wait {value}, then good", [of_envelope(busy, 429, retry_after=value), good()], "ok", 2)
    for value in ("soon", "-5", "", "1e999", "nan"):
        yield Case(f"wait {value!r}, then good", [of_envelope(busy, 429, retry_after=value), good()], "ok", 2)
    yield Case("503 with wait, then good", [of_envelope(busy, 503, retry_after="2"), good()], "ok", 2)
    yield Case("wait in ms, then good", [of_envelope(busy, 429, retry_after_ms="20"), good()], "ok", 2)
    yield once("wait for ever", of_envelope(busy, 429, retry_after="1"), "provider_error", TRIES)
    yield Case("429 without wait, then good", [of_envelope(busy, 429), of_envelope(busy, 429), good()], "ok", 3)


def broken_wire() -> Iterator[Case]:
    """Connections that break."""
    whole = good()
    for n_bad in (1, 2):
        for way in ("reset", "close"):
            bad = Reply(whole.body, way=way)
            yield Case(f"{way} {n_bad} times, then good", [*[bad] * n_bad, whole], "ok", n_bad + 1)
    yield once("reset always", Reply(whole.body, way="reset"), "provider_error", TRIES)
    yield once("close always", Reply(b"", way="close"), "provider_error", TRIES)
    wrong = (("content-type", "text/html"),)
    yield once("ok: wrong content type", Reply(whole.body, headers=wrong, billed=whole.billed), "ok", 1)


def slow_wire() -> list[Case]:
    """Replies that never end."""
    whole = good()
    return [
        once("hang always", Reply(b"", way="hang"), "timeout", TRIES),
        once("drip always", Reply(whole.body, way="drip"), "timeout", TRIES),
        Case("hang, then good", [Reply(b"", way="hang"), whole], "ok", 2),
        Case("drip, then good", [Reply(whole.body, way="drip"), whole], "ok", 2),
        once("ok: in time", whole, "ok", 1),
    ]


def cases() -> list[Case]:
    """All but those about time on the way; names differ."""
    makers = (
        accepted,
        repaired,
        truncated,
        refused,
        empty,
        provider_errors,
        waits,
        broken_wire,
        not_json,
        schema_invalid,
        semantic_invalid,
    )
    found = [case for maker in makers for case in maker()]
    assert len({case.name for case in found}) == len(found)
    return found
