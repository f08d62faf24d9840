"""Batches: all requests in files, replies within a day, usually at half the price.

Source: OpenAI's Batch API (``/files`` with purpose ``batch``, ``/batches`` with JSON lines of ``custom_id``, ``method``,
``url``, ``body``; results in an output and an error file, in any order).
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from comix.core.errors import ItemError, UsageError
from comix.core.progress import Progress
from comix.core.task import Item, Outcome
from comix.io.images import read_image_bytes
from comix.vlm.api.asker import Asker, ServiceStopsError
from comix.vlm.api.ledger import Attempt
from comix.vlm.api.pages import questions_of
from comix.vlm.api.wire import HttpWire, request_body
from comix.vlm.question import Question, request_bytes
from comix.vlm.reply import Exchange, Verdict, usage_of

if TYPE_CHECKING:
    from comix.vlm.api.reader import ApiReader

_ENDED = ("completed", "expired", "cancelled", "failed")


def submit(
    runner: asyncio.Runner, reader: ApiReader, asker: Asker, todo: Iterator[Item], stop: threading.Event
) -> Iterator[tuple[Item, Outcome] | None]:
    """Send pages as batches; each page is skipped as ``in_batch`` until its reply is collected.

    A page whose reply is known, or which is in a batch already, is not sent again; neither is one that looks the same as
    another (both will get that reply).

    Raises:
        UsageError: the prompt asks about each panel by itself, or checks texts: that is asked directly.
    """
    if reader.prompt.picture == "panels" or reader.words_from:
        raise UsageError("vlm.batch: only prompts with one request a page go into batches; ask the others directly")
    runner.run(adopt(asker))
    lines = _Lines(runner, reader, asker)
    for item in todo:
        if stop.is_set():
            break
        yield item, lines.add(item)
        if lines.full:
            lines.send()
    lines.send()


class _Lines:
    """The lines of the next batch."""

    def __init__(self, runner: asyncio.Runner, reader: ApiReader, asker: Asker) -> None:
        self._runner, self._reader, self._asker = runner, reader, asker
        self._clear()

    def _clear(self) -> None:
        self._lines: list[bytes] = []
        self._attempts: list[Attempt] = []
        self._keys: set[str] = set()
        self._n_bytes = 0

    @property
    def full(self) -> bool:
        """Whether another line might be too much."""
        return len(self._lines) >= self._reader.batch_lines or self._n_bytes > 0.95 * self._reader.batch_bytes

    def add(self, item: Item) -> Outcome:
        """Take a page in; what that means for it."""
        job, asker, endpoint = item.payload, self._asker, self._reader.endpoint
        if self._reader.prompt.needs_panels and not job.panels:
            return Outcome("skipped", "no_panels")
        try:
            (question,) = questions_of(job, self._reader.prompt, endpoint, read_image_bytes(job.image))
        except ItemError as error:
            return Outcome("failed", error.reason, error.detail, error.hint)
        key = question.key(endpoint.model, endpoint.sampling)
        waiting = Outcome("skipped", "in_batch")
        last = asker.ledger.last(key)
        if key in self._keys or asker.ledger.accepted(key) is not None or (last is not None and last.batch and not last.cls):
            return waiting
        worst = asker.price.worst(request_bytes(question, asker.mode), endpoint.max_tokens, batch=True)
        budget = asker.budget
        if budget.most_usd is not None and budget.spent_usd + worst > budget.most_usd:
            return Outcome("failed", "budget_spent", f"{budget.spent_usd:.4f} of max_usd={budget.most_usd:g} are spent or held")
        budget.spent_usd += worst
        self._take(question, key, worst)
        return waiting

    def _take(self, question: Question, key: str, worst: float) -> None:
        endpoint, prompt = self._reader.endpoint, self._reader.prompt
        body = msgspec.Raw(request_body(question, endpoint, self._asker.mode, endpoint.max_tokens))
        line = {"custom_id": question.page_id, "method": "POST", "url": "/v1/chat/completions", "body": body}
        self._lines.append(msgspec.json.encode(line))
        self._n_bytes += len(self._lines[-1]) + 1
        self._keys.add(key)
        asked = (endpoint.base_url, endpoint.model, question.page_id, "", f"{prompt.id}/{prompt.version}")
        self._attempts.append(Attempt(self._reader.name, *asked, key, self._asker.mode, worst))

    def send(self) -> None:
        """Upload the lines as one batch; they are written down first, so that a killed run shows what may have left."""
        if not self._lines:
            return
        mark = f"unsent-{uuid.uuid4().hex[:12]}"
        ledger = self._asker.ledger
        ledger.begin_all([_in_batch(one, mark) for one in self._attempts])
        try:
            batch, status = self._runner.run(_upload(_http(self._asker), b"\n".join(self._lines) + b"\n", mark))
        except ServiceStopsError:
            ledger.drop_batch(mark)
            raise
        ledger.keep_batch(batch, self._reader.name, self._reader.endpoint.base_url, len(self._lines), status)
        ledger.rename_batch(mark, batch)
        Progress.say(f"analyze: {len(self._lines)} pages sent as batch {batch}; fetch the replies with vlm.batch=collect")
        self._clear()


def _in_batch(one: Attempt, batch: str) -> Attempt:
    values = {name: getattr(one, name) for name in Attempt.__slots__}
    return Attempt(**{**values, "batch": batch})


def _http(asker: Asker) -> HttpWire:
    if not isinstance(asker.wire, HttpWire):
        raise UsageError("vlm.batch: this reader has no service to send batches to")
    return asker.wire


async def _upload(wire: HttpWire, data: bytes, mark: str) -> tuple[str, str]:
    """Batch id and status of lines that the service has taken."""
    import openai

    try:
        file = await wire.client.files.create(file=("comix.jsonl", data), purpose="batch")
        batch = await wire.client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"comix": mark}
        )
    except openai.APIError as error:
        detail = wire.redacted(str(error))
        raise ServiceStopsError(f"{wire.client.base_url}: the service does not take a batch ({detail[:300]})") from None
    return str(batch.id), str(batch.status)


async def collect(reader: ApiReader, asker: Asker, stop: threading.Event) -> list[str]:
    """Fetch the replies of all batches that are ready into the ledger; what to say about them.

    Waits ``batch_wait_s`` seconds for those that are not, asking every ``batch_poll_s``.
    """
    await adopt(asker)
    until = time.monotonic() + reader.batch_wait_s
    notes: dict[str, str] = {}
    while True:
        waiting = 0
        for batch, n in asker.ledger.open_batches(reader.name):
            status, n_here = await _fetch(batch, asker)
            notes[batch] = f"batch {batch}: {status}, {n_here} of {n} replies"
            waiting += status not in _ENDED
        if not waiting or stop.is_set() or time.monotonic() >= until:
            return list(notes.values()) or ["no batch is waiting"]
        await asker.clock.sleep(reader.batch_poll_s)


async def _fetch(batch: str, asker: Asker) -> tuple[str, int]:
    """Status of a batch and how many replies it has; those of an ended one go into the ledger."""
    import openai

    wire = _http(asker)
    try:
        state = await wire.client.batches.retrieve(batch)
        if str(state.status) not in _ENDED:
            return str(state.status), 0
        lines: list[bytes] = []
        for file in (state.output_file_id, state.error_file_id):
            if file:
                lines += (await wire.client.files.content(file)).content.splitlines()
    except openai.APIError as error:
        return f"cannot be fetched ({wire.redacted(str(error))[:200]})", 0
    rows = asker.ledger.batch_rows(batch)
    n_here = sum(_keep_line(line, rows, asker) for line in lines)
    for row, held, cls in rows.values():
        if not cls:
            verdict = Verdict("provider_error", f"batch {state.status} without a reply to this line", "later")
            asker.ledger.finish(row, verdict, Exchange(), 0.0, 0.0)
            asker.budget.spent_usd -= held
    asker.ledger.close_batch(batch, str(state.status))
    return str(state.status), n_here


def _keep_line(line: bytes, rows: dict[str, tuple[int, float, str]], asker: Asker) -> int:
    """Write one line of a result file into its row; 1 when it was one of ours and new.

    The reply is classed when its page is read: only then is it known what it has to fit.
    """
    try:
        found = json.loads(_http(asker).redacted(line.decode("utf-8", "replace")))
        page_id = found["custom_id"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return 0
    row, held, cls = rows.get(page_id, (0, 0.0, "not ours"))
    if cls:
        return 0
    exchange = _line_exchange(found)
    usage = usage_of(json.loads(exchange.body))
    cost = asker.price.charged(usage, batch=True) or 0.0
    unclassed = Verdict("empty", status=exchange.status, usage=usage)
    asker.ledger.finish(row, unclassed, exchange, cost, 0.0, cls="collected")
    asker.budget.spent_usd += cost - held
    rows[page_id] = (row, held, "collected")
    return 1


def _line_exchange(found: Mapping[str, Any]) -> Exchange:
    response = found.get("response")
    if isinstance(response, dict) and isinstance(response.get("body"), dict):
        status = response.get("status_code")
        return Exchange(status=status if isinstance(status, int) else 200, body=json.dumps(response["body"]).encode())
    return Exchange(status=200, body=json.dumps({"error": found.get("error") or "no response"}).encode())


async def adopt(asker: Asker) -> None:
    """Find out about batches whose sending a kill interrupted: taken by the service, or never left."""
    import openai

    marks = set(asker.ledger.unsent_batches(asker.reader))
    if not marks:
        return
    wire = _http(asker)
    try:
        async for batch in wire.client.batches.list(limit=100):
            mark = (batch.metadata or {}).get("comix", "")
            if mark in marks:
                n = len(asker.ledger.batch_rows(mark))
                asker.ledger.keep_batch(batch.id, asker.reader, asker.endpoint.base_url, n, str(batch.status))
                asker.ledger.rename_batch(mark, batch.id)
                marks.discard(mark)
    except openai.APIError as error:
        raise ServiceStopsError(f"{asker.endpoint.base_url}: batches cannot be listed ({wire.redacted(str(error))})") from None
    for mark in marks:
        asker.ledger.drop_batch(mark)
