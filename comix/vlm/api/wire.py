"""One request on the wire, without any retry of the client library's own."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from comix.vlm.api.secret import Secret
from comix.vlm.api.settings import Endpoint
from comix.vlm.question import Question, request_text
from comix.vlm.reply import Exchange

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class Wire(Protocol):
    """A way to a model."""

    async def ask(self, question: Question, mode: str, max_tokens: int) -> Exchange:
        """What becomes of one request; a fault on the way is an answer too, never an exception.

        Args:
            question: what is asked.
            mode: how the model is held to the schema: ``json_schema``, ``json_object`` or ``none``.
            max_tokens: longest reply.
        """
        ...


class HttpWire:
    """An open way to a service; use as ``async with``.

    Args:
        endpoint: where, and how long to wait.
        secret: its key; taken out of everything that comes back.
    """

    def __init__(self, endpoint: Endpoint, secret: Secret) -> None:
        self._endpoint, self._secret = endpoint, secret
        self._clients: list[AsyncOpenAI] = []
        self._n_busy: list[int] = []

    async def __aenter__(self) -> HttpWire:
        import openai

        for name in ("openai", "httpx2", "httpcore2", "httpx", "httpcore"):  # they log addresses and, when told to, headers
            logging.getLogger(name).setLevel(logging.WARNING)
        endpoint = self._endpoint
        timeout = openai.Timeout(endpoint.total_timeout_s, connect=endpoint.connect_timeout_s, read=endpoint.read_timeout_s)
        n_pools = -(-endpoint.concurrency // _PER_POOL)
        for http_client in _http_clients(timeout, n_pools):
            client = openai.AsyncOpenAI(
                api_key=self._secret.reveal(), base_url=endpoint.base_url, max_retries=0, timeout=timeout,
                http_client=http_client,
            )  # fmt: skip
            self._clients.append(client)
        self._n_busy = [0] * n_pools
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            await client.close()

    @property
    def client(self) -> AsyncOpenAI:
        """An open client, for files and batches."""
        return self._clients[0]

    def redacted(self, text: str) -> str:
        """A text without the key."""
        return self._secret.redacted_text(text)

    async def ask(self, question: Question, mode: str, max_tokens: int) -> Exchange:
        """What becomes of one chat completion request, see `Wire.ask`."""
        import httpx2

        body = request_body(question, self._endpoint, mode, max_tokens)  # a thread would cost more than it saves
        return await self._exchange(
            lambda client: client.post(
                "/chat/completions",
                content=body,
                cast_to=httpx2.Response,
                options={"headers": {"content-type": "application/json", **self._endpoint.headers}},
            )
        )

    async def look(self, path: str) -> Exchange:
        """What becomes of one GET request below the address."""
        import httpx2

        return await self._exchange(lambda client: client.get(path, cast_to=httpx2.Response))

    async def _exchange(self, call: Any) -> Exchange:
        import openai

        started = time.monotonic()

        def ended(**values: Any) -> Exchange:
            return Exchange(**values, seconds=time.monotonic() - started)

        pool = min(range(len(self._n_busy)), key=self._n_busy.__getitem__)
        self._n_busy[pool] += 1
        try:
            async with asyncio.timeout(self._endpoint.total_timeout_s):
                response = await call(self._clients[pool])
        except openai.APIStatusError as error:
            response = error.response
        except (openai.APITimeoutError, TimeoutError):
            return ended(fault="timeout", detail=f"no whole reply within {time.monotonic() - started:.0f} s")
        except (openai.APIConnectionError, openai.APIError) as error:
            cause = error.__cause__ or error
            detail = self._secret.redacted_text(f"{type(cause).__name__}: {cause}")
            return ended(fault="connection", detail=f"no reply ({detail[:200]})")
        finally:
            self._n_busy[pool] -= 1
        headers = {key.lower(): value for key, value in response.headers.items()}
        return ended(status=response.status_code, headers=headers, body=self._secret.redacted(response.content))


_LONGEST_REPLY = 32 << 20
"""Bytes; a service that sends without end is cut off here."""


_PER_POOL = 8
"""Connections in one pool: the transport looks through all of a pool's connections for every request and every reply."""


def _http_clients(timeout: Any, n_pools: int) -> list[Any]:
    """The transport: no redirects (a key goes to the address in the config only), replies of bounded length."""
    import httpx2
    import openai

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        async def __aiter__(self) -> AsyncIterator[bytes]:
            n_bytes = 0
            async for part in self._inner:
                n_bytes += len(part)
                if n_bytes > _LONGEST_REPLY:
                    raise httpx2.ReadError(f"a reply of more than {_LONGEST_REPLY >> 20} MiB")
                yield part

        async def aclose(self) -> None:
            await self._inner.aclose()

    async def bounded(response: httpx2.Response) -> None:
        response.stream = Bounded(response.stream)

    limits = httpx2.Limits(max_connections=2 * _PER_POOL, max_keepalive_connections=2 * _PER_POOL)
    tls = httpx2.create_ssl_context()
    return [
        openai.DefaultAsyncHttpxClient(
            timeout=timeout, limits=limits, verify=tls, follow_redirects=False, event_hooks={"response": [bounded]},
            headers={"accept-encoding": "identity"},
        )
        for _ in range(n_pools)
    ]  # fmt: skip


def request_body(question: Question, endpoint: Endpoint, mode: str, max_tokens: int) -> bytes:
    """The JSON of a chat completion request."""
    url = f"data:{question.picture.mime};base64,{base64.b64encode(question.picture.data).decode()}"
    content = [
        {"type": "text", "text": request_text(question, mode)},
        {"type": "image_url", "image_url": {"url": url, **({"detail": endpoint.detail} if endpoint.detail else {})}},
    ]
    body: dict[str, Any] = {
        "model": endpoint.model, "messages": [{"role": "user", "content": content}], endpoint.max_tokens_key: max_tokens,
        **endpoint.sampling, **endpoint.extra,
    }  # fmt: skip
    if mode == "json_schema":
        schema = {"name": question.prompt.schema, "strict": True, "schema": msgspec.Raw(question.schema_json)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif mode == "json_object":
        body["response_format"] = {"type": "json_object"}
    return msgspec.json.encode(body)
