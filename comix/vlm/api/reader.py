"""A vision-language model behind an OpenAI-compatible address as a reader of pages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

from comix.core.errors import UsageError
from comix.core.files import digest
from comix.core.page import PageRecord
from comix.core.progress import Progress
from comix.core.task import Item, Outcome
from comix.io.analysis import ReaderInfo, analysis_path
from comix.vlm.api.asker import Asker
from comix.vlm.api.batch import collect, submit
from comix.vlm.api.budget import Budget
from comix.vlm.api.engine import pump
from comix.vlm.api.ledger import Ledger
from comix.vlm.api.pages import PageAsker
from comix.vlm.api.place import Place
from comix.vlm.api.prices import Price, price_of, read_prices
from comix.vlm.api.probe import probed
from comix.vlm.api.refresh import fetch_prices
from comix.vlm.api.secret import Secret
from comix.vlm.api.settings import Endpoint, endpoint_of, plain_name
from comix.vlm.api.wire import HttpWire, Wire
from comix.vlm.prompt import Prompt, prompt_of

BATCH = ("", "submit", "collect")
_AHEAD = 8
"""Pages that are made ready while all requests are on their way."""
_THREADS = 32
"""For reading images and writing analyses, which mostly wait for the disk."""


class ApiReader:
    """Asks a model about each page; many requests at once, at a known price, nothing paid twice.

    Args:
        prompt: a config of ``conf/prompt``.
        name: folder below ``analysis/``; by default made of model and prompt.
        preset: name in ``presets``.
        presets: named values for the endpoint.
        max_usd: cost limit over all runs of this reader in this workspace; required where requests cost money.
        words_from: a reader whose texts are kept as the literal ones (or checked, by the prompt text_check).
        batch: ``submit`` sends all pages as batches, ``collect`` fetches their replies; "" asks directly.
        batch_lines: requests in one batch at most; ``batch_mb`` megabytes.
        batch_wait_s: how long ``collect`` waits for batches that are not ready, asking every ``batch_poll_s`` seconds.
        refresh_prices: fetch the service's price list into the workspace first.
        endpoint: see `comix.vlm.api.settings.Endpoint`; None for the preset's value or the default.
    """

    version = "1"

    def __init__(
        self,
        prompt: Mapping[str, Any] | None = None,
        name: str = "",
        preset: str | None = None,
        presets: Mapping[str, Mapping[str, Any]] | None = None,
        max_usd: float | None = None,
        words_from: str = "",
        batch: str = "",
        batch_lines: int = 50_000,
        batch_mb: int = 90,
        batch_wait_s: float = 0.0,
        batch_poll_s: float = 30.0,
        refresh_prices: bool = False,
        **endpoint: Any,
    ) -> None:
        self.endpoint: Endpoint = endpoint_of(endpoint, presets or {}, preset)
        if not prompt:
            raise UsageError("prompt= is missing; wanted one of conf/prompt, for example prompt=page")
        self.prompt: Prompt = prompt_of(prompt)
        if batch not in BATCH:
            raise UsageError(f"vlm.batch={batch}: wanted one of: submit, collect, or nothing")
        self._is_hybrid = bool(words_from)
        self.name = name or plain_name(self.endpoint.model, self.suffix)
        self.words_from = words_from or ("ocr" if self.prompt.needs_texts else "")
        self.max_usd, self.batch = max_usd, batch
        self.batch_lines, self.batch_bytes = batch_lines, batch_mb * 1_000_000
        self.batch_wait_s, self.batch_poll_s = batch_wait_s, batch_poll_s
        self._refresh = refresh_prices
        self._place: Place | None = None
        self._price: Price | None = None
        self._notes: list[str] = []

    @property
    def suffix(self) -> str:
        """What the name says beside the model: another prompt than ``page``, another reader's words."""
        parts = ("" if self.prompt.id == "page" else self.prompt.id, "hybrid" if self._is_hybrid else "")
        return "-".join(filter(None, parts))

    @property
    def needs_panels(self) -> bool:
        """Whether the prompt speaks of given panels."""
        return self.prompt.needs_panels

    @property
    def uses_panels(self) -> bool:
        """Whether panels help where there are any: a page whose reply is cut off is asked about panel by panel."""
        return self.prompt.fallback is not None

    @property
    def shaping(self) -> dict[str, Any]:
        """What the analyses depend on, for fingerprints."""
        prompt = self.prompt
        words = (prompt.id, prompt.version, prompt.text, prompt.schema, prompt.picture)
        return {"endpoint": self.endpoint.shaping, "prompt": words, "words_from": self.words_from}

    def at(self, place: Place) -> ApiReader:
        """This reader, to work in a workspace.

        Raises:
            UsageError: requests cost money and there is no limit, no price, or no key.
        """
        self._place = place
        if self._refresh:
            fetch_prices(self.endpoint, Secret(self.endpoint.api_key_env), place.own_prices, self.prices())
        self._price = price_of(self.endpoint.model, self.prices(), self.endpoint.paid, str(place.own_prices))
        return self

    def prices(self) -> dict[str, Price]:
        """Model -> price, by all tables."""
        return read_prices(self.place.price_files)

    def require_limit(self) -> None:
        """Refuse to spend without a limit.

        Raises:
            UsageError: says how to set one.
        """
        if self.max_usd is None and not self.price.is_free:
            raise UsageError(
                f"vlm.max_usd= is missing: {self.endpoint.model} costs money; say how many dollars this reader may spend in "
                "this workspace (dry_run=true says what the job will cost)"
            )

    @property
    def place(self) -> Place:
        """Where it works, see `at`."""
        if self._place is None:
            raise UsageError("this reader has no workspace yet")
        return self._place

    @property
    def price(self) -> Price:
        """Of its model, see `at`."""
        if self._price is None:
            raise UsageError("this reader has no workspace yet")
        return self._price

    def input_digest(self, page: PageRecord) -> str:
        """Changes when what another reader read on this page does; "" without one."""
        if not self.words_from:
            return ""
        path = analysis_path(self.place.root / "analysis" / self.words_from, page.page_id)
        return digest(path.read_bytes().hex()) if path.is_file() else ""

    def notes(self) -> list[str]:
        """What the run came to."""
        return self._notes

    def run(self, todo: Iterator[Item], stop: threading.Event) -> Iterator[tuple[Item, Outcome] | None]:
        """Ask about pages as they are drawn; see `comix.core.work.Run`.

        Raises:
            ServiceStopsError: no key, no credit, or everything is refused.
        """
        self.require_limit()
        secret = Secret(self.endpoint.api_key_env)
        with Ledger(self.place.ledger, self.place.other_ledgers) as ledger, asyncio.Runner() as runner:
            n_lost = ledger.settle_lost(self.name)
            before = ledger.totals(self.name)
            stack = AsyncExitStack()
            try:
                asker = runner.run(self._open(stack, secret, ledger))
                if n_lost:
                    Progress.say(f"analyze: {n_lost} requests were on the wire when the last run was killed; counted as spent")
                yield from self._work(runner, asker, secret, todo, stop)
            finally:
                runner.run(stack.aclose())
                self._note_costs(ledger, before)

    async def _open(self, stack: AsyncExitStack, secret: Secret, ledger: Ledger) -> Asker:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
        wire = await self.open_wire(stack, secret)
        totals = ledger.totals(self.name)
        n_parts = self.place.shard.n_parts
        limit = None if self.max_usd is None else self.max_usd / n_parts
        budget = Budget(limit, (totals.cost_usd + totals.at_risk_usd) / (n_parts if n_parts > 1 else 1))
        asker = Asker(self.name, self.endpoint, self.price, wire, ledger, budget, self.place.clock)
        Progress.say(f"analyze: {self.whereabouts()}")
        if self.endpoint.structured == "auto":
            found = await probed(asker)
            asker.mode = found.structured
            Progress.say(f"analyze: {self.endpoint.model}: {found.note}")
        return asker

    async def open_wire(self, stack: AsyncExitStack, secret: Secret) -> Wire:
        """The way to the model, closed with the stack."""
        return await stack.enter_async_context(HttpWire(self.endpoint, secret))

    def whereabouts(self) -> str:
        """Where images go, in one line."""
        endpoint = self.endpoint
        if endpoint.is_local:
            return f"page images stay on this machine ({endpoint.base_url}, {endpoint.model})"
        limit = "no limit" if self.max_usd is None else f"at most {self.max_usd:g} dollars"
        return f"page images are sent to {endpoint.base_url} ({endpoint.model}; {limit})"

    def _work(
        self, runner: asyncio.Runner, asker: Asker, secret: Secret, todo: Iterator[Item], stop: threading.Event
    ) -> Iterator[tuple[Item, Outcome] | None]:
        if self.batch == "submit":
            yield from submit(runner, self, asker, todo, stop)
            return
        if self.batch == "collect":
            asker.only_known = True
            self._notes += runner.run(collect(self, asker, stop))
        folder = self.place.root / "analysis" / self.words_from if self.words_from else None
        info = self.info()
        pages = PageAsker(asker, info, self.prompt, folder, self.place.error_log, secret.redacted_text)
        yield from self._asked(runner, asker, secret, pages, todo, stop)
        if asker.n_dearer and self.endpoint.paid:
            self._notes.append(f"{asker.n_dearer} replies cost more than the price table says: vlm.refresh_prices=true")

    def _asked(
        self,
        runner: asyncio.Runner,
        asker: Asker,
        secret: Secret,
        pages: PageAsker,
        todo: Iterator[Item],
        stop: threading.Event,
    ) -> Iterator[tuple[Item, Outcome] | None]:
        for finished in pump(runner, todo, pages.outcome, asker, self.endpoint.concurrency + _AHEAD, stop):
            if finished is None or finished[1].reason != "internal_error":
                yield finished
            else:  # a traceback may quote anything
                item, outcome = finished
                yield item, Outcome("failed", outcome.reason, secret.redacted_text(outcome.detail))

    def info(self) -> ReaderInfo:
        """Who reads, for the analyses."""
        prompt_id = f"{self.prompt.id}/{self.prompt.version}"
        return ReaderInfo(name=self.name, model=self.endpoint.model, prompt_id=prompt_id, version=self.version)

    def _note_costs(self, ledger: Ledger, before: Any) -> None:
        after = ledger.totals(self.name)
        n, cost = after.n - before.n, after.cost_usd - before.cost_usd
        if self.price.is_free and not after.cost_usd:
            self._notes.append(f"{n} requests, free")
            return
        limit = "" if self.max_usd is None else f" of max_usd={self.max_usd:g}"
        risk = f" and {after.at_risk_usd:.4f} at risk (replies that never came)" if after.at_risk_usd > 5e-5 else ""
        self._notes.append(f"{n} requests, {cost:.4f} dollars; {after.cost_usd:.4f}{risk}{limit} in all")
