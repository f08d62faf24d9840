"""A service's own price list, fetched into the workspace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from comix.core.errors import UsageError
from comix.core.progress import Progress
from comix.vlm.api.prices import Price, listed_prices, write_prices
from comix.vlm.api.secret import Secret
from comix.vlm.api.settings import Endpoint
from comix.vlm.api.wire import HttpWire
from comix.vlm.reply import Exchange


def fetch_prices(endpoint: Endpoint, secret: Secret, path: Path, known: Mapping[str, Price]) -> int:
    """Write the prices that ``GET /models`` lists into a table; how many models it has.

    Raises:
        UsageError: the service does not answer, or lists no prices (OpenRouter does, OpenAI does not).
    """
    exchange = asyncio.run(_look(endpoint, secret))
    try:
        entries = listed_prices(json.loads(exchange.body), known)
    except (ValueError, RecursionError):
        entries = {}
    if not entries:
        what = exchange.detail or f"HTTP {exchange.status}"
        raise UsageError(
            f"vlm.refresh_prices: {endpoint.base_url}/models lists no prices ({what}); write them into {path} by hand"
        )
    write_prices(path, entries, f"{endpoint.base_url}/models", date.today().isoformat())
    Progress.say(f"analyze: prices of {len(entries)} models written to {path}")
    return len(entries)


async def _look(endpoint: Endpoint, secret: Secret) -> Exchange:
    async with HttpWire(endpoint, secret) as wire:
        return await wire.look("/models")
