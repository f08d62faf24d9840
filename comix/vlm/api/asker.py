"""Asking: cache, budget, pace, tries. The only place that decides whether a request is sent again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from comix.core.errors import ComixError
from comix.vlm.api.budget import Budget
from comix.vlm.api.ledger import Attempt, Ledger
from comix.vlm.api.pace import Clock, Pace, backoff, retry_after
from comix.vlm.api.prices import Price
from comix.vlm.api.settings import Endpoint
from comix.vlm.api.wire import Wire
from comix.vlm.question import Question, request_bytes
from comix.vlm.reply import Exchange, Verdict, classified

_HOPELESS = 20
"""Requests in a row that the service refuses for good, none accepted before: then nothing is to be expected."""


class ServiceStopsError(ComixError):
    """No further request makes sense: no key, no credit, or everything is refused."""


class DrainingError(Exception):
    """The run is being stopped; this request was not sent."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking came to.

    Attributes:
        verdict: of the last reply.
        n_requests: sent now; 0 when an earlier reply served.
        cost_usd: known to be spent now.
        structured: how the model was held to the schema.
        waiting: whether the reply is still in a batch.
    """

    verdict: Verdict
    n_requests: int = 0
    cost_usd: float = 0.0
    structured: str = ""
    waiting: bool = False


class Asker:
    """Asks one model; shared by all pages of a run.

    Args:
        reader: name for the ledger.
        endpoint: where and how.
        price: of the model.
        wire: open.
        ledger: open.
        budget: what may be spent.
        clock: time.

    Attributes:
        mode: how the model is held to the schema; see `comix.vlm.api.probe`.
        draining: set when the run is being stopped: nothing is sent any more.
        on_wire: requests on their way.
        only_known: nothing is sent; questions are answered from the ledger.
        n_dearer: replies that cost more than the price table allows for.
    """

    def __init__(
        self, reader: str, endpoint: Endpoint, price: Price, wire: Wire, ledger: Ledger, budget: Budget, clock: Clock
    ) -> None:
        self.reader, self.endpoint, self.price = reader, endpoint, price
        self.wire, self.ledger, self.budget, self.clock = wire, ledger, budget, clock
        self.mode = endpoint.structured
        self.draining, self.on_wire, self.only_known, self.n_dearer = False, 0, False, 0
        self._pace = Pace(clock, endpoint.rpm, endpoint.tpm)
        self._slots = asyncio.Semaphore(endpoint.concurrency)
        self._asking: dict[str, asyncio.Future[None]] = {}
        self._n_good = self._n_bad = 0

    async def ask(self, question: Question) -> Asked:
        """The verdict on a question: from the ledger if the same was answered before, else from the service.

        Raises:
            ServiceStopsError: no further request makes sense.
            DrainingError: the run is being stopped.
        """
        key = question.key(self.endpoint.model, self.endpoint.sampling)
        while key in self._asking:  # the same page twice at once is paid once
            await asyncio.shield(self._asking[key])
        self._asking[key] = asyncio.get_running_loop().create_future()
        try:
            return self._known(question, key) or await self._insist(question, key)
        finally:
            self._asking.pop(key).set_result(None)

    def _known(self, question: Question, key: str) -> Asked | None:
        """What the ledger says: an accepted reply; that the request is in a batch; None when it has to be sent."""
        kept = self.ledger.accepted(key)
        if kept is not None:
            verdict = classified(Exchange(status=200, body=kept.body), question)
            if verdict.accepted:
                return Asked(verdict, structured=kept.structured)
        last = self.ledger.last(key)
        if last is None or not last.batch:
            return Asked(Verdict("empty", "in no batch that was collected"), waiting=True) if self.only_known else None
        if not last.cls:
            return Asked(Verdict("empty", f"waits in batch {last.batch}"), waiting=True)
        verdict = Verdict(last.cls, last.detail, status=last.status)
        if last.cls == "collected":
            verdict = classified(Exchange(status=last.status, body=last.body), question)
            self.ledger.judge(last.row, verdict)
        return Asked(verdict, structured="batch") if verdict.accepted or self.only_known else None

    async def _insist(self, question: Question, key: str) -> Asked:
        """Send, and send again as often as makes sense."""
        endpoint = self.endpoint
        max_tokens, answers_left, n, cost = endpoint.max_tokens, endpoint.answer_retries, 0, 0.0
        n_faults = 0
        while True:
            verdict, exchange, spent = await self.once(question, key, max_tokens, self.mode)
            n, cost = n + 1, cost + spent
            self._judge_service(verdict)
            if verdict.again == "later" and n_faults + 1 < endpoint.max_attempts:
                await self._wait(exchange, n_faults)
                n_faults += 1
            elif verdict.cls == "truncated" and max_tokens < endpoint.max_tokens_retry:
                max_tokens = endpoint.max_tokens_retry
            elif verdict.cls != "truncated" and verdict.again == "once" and answers_left > 0:
                answers_left -= 1
            else:
                return Asked(verdict, n, cost, self.mode)

    async def _wait(self, exchange: Exchange, n_faults: int) -> None:
        asked = retry_after(exchange.headers, self.clock.date())
        if asked is not None:
            self._pace.pause(asked)
        else:
            await self.clock.sleep(backoff(n_faults, self.endpoint.backoff_s, self.endpoint.max_backoff_s))

    def _judge_service(self, verdict: Verdict) -> None:
        if verdict.stop:
            raise ServiceStopsError(f"{self.endpoint.base_url}: {verdict.stop}; what is finished is kept")
        if verdict.cls == "provider_error" and verdict.again == "never":
            self._n_bad += 1
        elif verdict.again != "later":
            self._n_good += 1
        if self._n_bad >= _HOPELESS and not self._n_good:
            raise ServiceStopsError(
                f"{self.endpoint.base_url}: refuses everything, {self._n_bad} requests so far; the last one with: "
                f"{verdict.detail}"
            )

    async def once(self, question: Question, key: str, max_tokens: int, mode: str) -> tuple[Verdict, Exchange, float]:
        """One attempt, written down before it leaves and settled after: verdict, exchange, dollars known to be spent."""
        n_bytes = request_bytes(question, mode)
        worst = self.price.worst(n_bytes, max_tokens)
        if not await self.budget.hold(worst):
            return Verdict("budget_stop", self._spent_line(worst)), Exchange(), 0.0
        spent = 0.0
        try:
            async with self._slots:
                await self._pace.turn(self.price.prompt_tokens(n_bytes) + question.prompt.expected_tokens)
                if self.draining:
                    raise DrainingError
                spent = worst  # until it is known better
                verdict, exchange, cost, risk = await self._sent(question, key, max_tokens, mode, worst)
                spent = cost + risk
                return verdict, exchange, cost
        finally:
            self.budget.settle(worst, spent)

    async def _sent(
        self, question: Question, key: str, max_tokens: int, mode: str, worst: float
    ) -> tuple[Verdict, Exchange, float, float]:
        """Verdict, exchange, known dollars and dollars at risk of one request that leaves now."""
        endpoint = self.endpoint
        attempt = Attempt(
            self.reader, endpoint.base_url, endpoint.model, question.page_id, question.part,
            f"{question.prompt.id}/{question.prompt.version}", key, mode, worst,
        )  # fmt: skip
        row = self.ledger.begin(attempt)
        self.on_wire += 1
        try:
            exchange = await self.wire.ask(question, mode, max_tokens)
        except BaseException:
            self.ledger.interrupt(row, worst)
            raise
        finally:
            self.on_wire -= 1
        verdict = classified(exchange, question)
        cost, risk = self._cost(verdict, exchange, worst)
        self.n_dearer += cost > worst + 1e-9
        self.ledger.finish(row, verdict, exchange, cost, risk)
        return verdict, exchange, cost, risk

    def _cost(self, verdict: Verdict, exchange: Exchange, worst: float) -> tuple[float, float]:
        """Dollars known to be spent, and dollars that may be: none for a refused request, the worst case for a lost reply."""
        said = verdict.usage.cost_usd is not None or verdict.usage.completion_tokens is not None
        if exchange.fault:
            return 0.0, worst
        if verdict.cls == "provider_error" and not said:
            return 0.0, 0.0
        known = self.price.charged(verdict.usage)
        return (0.0, worst) if known is None else (known, 0.0)

    def _spent_line(self, worst: float) -> str:
        budget = self.budget
        return (
            f"{budget.spent_usd:.4f} of max_usd={budget.most_usd:g} are spent; this request may cost {worst:.4f} dollars more"
        )
