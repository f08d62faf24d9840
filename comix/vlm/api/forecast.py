"""What a job will cost and how long it will take, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from comix.vlm.api.prices import Price
from comix.vlm.api.settings import Endpoint
from comix.vlm.base import ReadJob
from comix.vlm.prompt import Prompt

_SECONDS_PER_REQUEST = 8.0
"""Assumed where no rate limit says otherwise: a page of 2,400 tokens at 300 tokens a second."""


@dataclass(slots=True)
class Forecast:
    """Sums over the pages that are still to do.

    Attributes:
        n_pages: to do; ``n_requests`` that they take.
        prompt_tokens: about; likewise ``completion_tokens``.
        usd: about; ``worst_usd`` when every reply is as long as allowed and every byte a token.
        hours: at the rate limit, or at the number of requests at once.
        measured: whether reply lengths are the mean of this workspace's own replies.
    """

    n_pages: int = 0
    n_requests: int = 0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    usd: float = 0.0
    worst_usd: float = 0.0
    hours: float = 0.0
    measured: bool = False

    def lines(self, model: str, price: Price) -> list[str]:
        """For printing."""
        known = "mean of earlier replies" if self.measured else "assumed"
        money = "nothing (free)" if price.is_free else f"about {self.usd:.2f}, at most {self.worst_usd:.2f} dollars"
        return [
            f"dry run, nothing is sent: {self.n_pages} pages to do, {self.n_requests} requests to {model}",
            f"  tokens:  {self.prompt_tokens:,.0f} prompt, {self.completion_tokens:,.0f} reply ({known})",
            f"  dollars: {money}",
            f"  hours:   {self.hours:.2f} at the limits of this config",
        ]


def forecast(
    jobs: Iterable[ReadJob], prompt: Prompt, endpoint: Endpoint, price: Price, batch: bool, mean_reply: float | None
) -> Forecast:
    """What asking about these pages takes.

    Args:
        jobs: pages that are still to do; drawn from once.
        prompt: whose words.
        endpoint: whose limits.
        price: of the model.
        batch: whether they go into batches.
        mean_reply: tokens of earlier replies to this prompt, None when there are none.
    """
    found = Forecast(measured=mean_reply is not None)
    reply = float(prompt.expected_tokens) if mean_reply is None else mean_reply
    words = len(prompt.text.encode()) + (0 if prompt.schema == "page_type" else 2500)
    factor = price.batch_factor if batch else 1.0
    for job in jobs:
        n = len(job.panels) if prompt.picture == "panels" else 1
        n_bytes = words + (24 * len(job.panels) if prompt.picture == "numbered" else 0)
        found.n_pages += 1
        found.n_requests += n
        found.prompt_tokens += n * price.prompt_tokens(n_bytes)
        found.completion_tokens += n * reply
        found.usd += n * price.of(price.prompt_tokens(n_bytes), reply) * factor
        found.worst_usd += n * price.worst(n_bytes, endpoint.max_tokens_retry, batch)
    minutes = [found.n_requests * _SECONDS_PER_REQUEST / endpoint.concurrency / 60]
    if endpoint.rpm:
        minutes.append(found.n_requests / endpoint.rpm)
    if endpoint.tpm:
        minutes.append((found.prompt_tokens + found.completion_tokens) / endpoint.tpm)
    found.hours = max(minutes) / 60
    return found
