"""A cost limit that is never passed: the worst case is set aside before a request leaves."""

from __future__ import annotations

import asyncio


class Budget:
    """What may still be spent.

    Args:
        most_usd: dollars over all runs of this reader in this workspace; None for no limit (nothing costs anything).
        spent_usd: already spent, or lost with a request whose cost never became known.
    """

    def __init__(self, most_usd: float | None, spent_usd: float = 0.0) -> None:
        self.most_usd, self.spent_usd, self.held_usd = most_usd, spent_usd, 0.0
        self._n_held = 0
        self._changed = asyncio.Event()

    async def hold(self, worst_usd: float) -> bool:
        """Set a worst case aside; waits for requests on their way to settle, False when even then it does not fit."""
        while self.most_usd is not None and self.spent_usd + self.held_usd + worst_usd > self.most_usd + 1e-12:
            if not self._n_held:
                return False
            self._changed.clear()
            await self._changed.wait()
        self.held_usd += worst_usd
        self._n_held += 1
        return True

    def settle(self, worst_usd: float, spent_usd: float) -> None:
        """Give back what was set aside and count what it came to."""
        self._n_held -= 1
        self.held_usd = self.held_usd - worst_usd if self._n_held else 0.0
        self.spent_usd += spent_usd
        self._changed.set()
