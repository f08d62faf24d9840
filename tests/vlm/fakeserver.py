"""A local OpenAI-compatible server that plays faults: each page image gets the replies that are scripted for it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One scripted reply; ``way`` is how it goes wrong on the wire: reset, drip, hang, close, or "" for none."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    way: str = ""
    billed: float = 0.0


def completion(
    content: Any, finish: str | None = "stop", cost: float | None = 0.001, tokens: int = 50, **message: Any
) -> Reply:
    """A reply with one choice."""
    usage: dict[str, Any] = {"prompt_tokens": 1000, "completion_tokens": tokens, "total_tokens": 1000 + tokens}
    if cost is not None:
        usage["cost"] = cost
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "fake", "choices": [choice], "usage": usage}
    return Reply(json.dumps(body).encode(), billed=cost or 0.0)


def of_envelope(value: Any, status: int = 200, billed: float = 0.0, **headers: str) -> Reply:
    """A reply whose body is this JSON value."""
    named = tuple((key.replace("_", "-"), text) for key, text in headers.items())
    return Reply(json.dumps(value).encode(), status, named, billed=billed)


def panel(number: int, text: str = "HELLO THERE", **more: Any) -> dict[str, Any]:
    """One panel of an answer."""
    empty: dict[str, Any] = {"thought": [], "narration": [], "sfx": [], "characters": ["Ann"], "description": "Ann waves."}
    return {"panel_number": number, "dialogue": [{"text": text, "speaker": "Ann"}], **empty, **more}


def page_answer(n: int = 2, **more: Any) -> dict[str, Any]:
    """A good answer about a page."""
    panels = [panel(number, f"LINE {number} OF THE PAGE") for number in range(1, n + 1)]
    first = {"summary": "Ann greets Bob.", "page_type": "interior", "reading_direction": "ltr"}
    return {**first, "panels": panels, "outside": [], **more}


def good(**more: Any) -> Reply:
    """A reply that has to be accepted."""
    return completion(json.dumps(page_answer(**more)))


@dataclass
class FakeServer:
    """Runs in a thread; use as a context manager.

    Attributes:
        scripts: sha256 of an image -> replies, one per request, the last one again and again.
        default: reply to any other image; ``probe`` to the test picture.
        delay_s: before each reply.
        billed: dollars of all replies that left whole.
    """

    scripts: dict[str, Sequence[Reply]] = field(default_factory=dict)
    default: Callable[[dict[str, Any]], Reply] = lambda request: good()
    probe: Callable[[dict[str, Any]], Reply] = lambda request: completion('{"colour": "red", "number": 2}', cost=0.0)
    delay_s: float = 0.0
    drip_s: float = 0.05
    seen: Counter[str] = field(default_factory=Counter)
    billed: float = 0.0
    requests: list[dict[str, Any]] = field(default_factory=list)
    keep_requests: bool = True
    batch_state: str = "completed"
    batch_lines: Callable[[dict[str, Any], Reply], dict[str, Any]] | None = None

    def __enter__(self) -> FakeServer:
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.running = self.most_at_once = 0
        self.headers: list[str] = []
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def _main(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 26, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next((int(one[15:]) for one in head.split("\r\n") if one.lower().startswith("content-length:")), 0)
                body = await reader.readexactly(length)
                if self.keep_requests:
                    self.headers.append(head)
                method, path, _ = head.split(" ", 2)
                reply = self._reply(method, path.partition("?")[0], head, body)
                if not await self._send(writer, reply):
                    return
        writer.close()

    def _reply(self, method: str, path: str, head: str, body: bytes) -> Reply:
        if path == "/v1/chat/completions":
            return self._chat(json.loads(body))
        if path == "/v1/models":
            return of_envelope({"data": [{"id": "fake", "pricing": {"prompt": "0.0000001", "completion": "0.0000004"}}]})
        if path.startswith(("/v1/files", "/v1/batches")):
            return self._batch_call(method, path, head, body)
        return of_envelope({"error": {"message": f"no {path}"}}, 404)

    def _chat(self, request: dict[str, Any]) -> Reply:
        if self.keep_requests:
            self.requests.append(request)
        if request.get("response_format", {}).get("json_schema", {}).get("name") == "probe" or "squares" in text_of(request):
            return self.probe(request)
        image = hashlib.sha256(image_of(request)).hexdigest()
        self.seen[image] += 1
        script = self.scripts.get(image)
        return script[min(self.seen[image], len(script)) - 1] if script else self.default(request)

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply) -> bool:
        """Whether the connection is still good."""
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            lines = [f"HTTP/1.1 {reply.status} X", "content-type: application/json", f"content-length: {len(reply.body)}"]
            lines += [f"{key}: {value}" for key, value in reply.headers]
            head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
            if reply.way == "hang":
                await asyncio.sleep(3600)
            if reply.way == "close":
                writer.transport.abort()
                return False
            if reply.way == "reset":
                writer.write(head + reply.body[: len(reply.body) // 2])
                await writer.drain()
                writer.transport.abort()
                return False
            if reply.way == "drip":
                writer.write(head)
                for byte in reply.body:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(self.drip_s)
                return True
            self.billed += reply.billed
            writer.write(head + reply.body)
            await writer.drain()
            return True
        finally:
            self.running -= 1

    def _batch_call(self, method: str, path: str, head: str, body: bytes) -> Reply:
        if method == "POST" and path == "/v1/files":
            boundary = head.partition("boundary=")[2].partition("\r\n")[0].strip('"').encode()
            part = next(one for one in body.split(b"--" + boundary) if b"filename=" in one)
            name = f"file-{len(self.files) + 1}"
            self.files[name] = part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
            return of_envelope({"id": name, "object": "file", "purpose": "batch"})
        if method == "POST":
            asked = json.loads(body)
            name = f"batch_{len(self.batches) + 1}"
            self.batches[name] = {
                "id": name, "object": "batch", "endpoint": asked["endpoint"], "status": "validating",
                "input_file_id": asked["input_file_id"], "metadata": asked.get("metadata"), "created_at": int(time.time()),
                "completion_window": "24h",
            }  # fmt: skip
            return of_envelope(self.batches[name])
        if path == "/v1/batches":
            return of_envelope({"object": "list", "data": list(self.batches.values()), "has_more": False})
        if path.startswith("/v1/batches/"):
            return of_envelope(self._finish_batch(path.rpartition("/")[2]))
        return Reply(self.files[path.split("/")[3]])

    def _finish_batch(self, name: str) -> dict[str, Any]:
        batch = self.batches[name]
        batch["status"] = self.batch_state
        if self.batch_state == "completed" and "output_file_id" not in batch:
            out = []
            for line in self.files[batch["input_file_id"]].splitlines():
                asked = json.loads(line)
                reply = self._chat(asked["body"])
                self.billed += reply.billed
                made = {"custom_id": asked["custom_id"], "response": {"status_code": 200, "body": json.loads(reply.body)}}
                out.append(json.dumps(self.batch_lines(asked, reply) if self.batch_lines else made))
            batch["output_file_id"] = f"out-{name}"
            self.files[f"out-{name}"] = "\n".join(reversed(out)).encode()
        return batch


def _content(request: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = request["messages"][0]["content"]
    return found


def text_of(request: dict[str, Any]) -> str:
    return str(next(one["text"] for one in _content(request) if one["type"] == "text"))


def image_of(request: dict[str, Any]) -> bytes:
    url = next(one["image_url"]["url"] for one in _content(request) if one["type"] == "image_url")
    return base64.b64decode(url.partition(",")[2])
