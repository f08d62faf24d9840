"""Where a reader works: workspace, ledgers, price tables, time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from comix.core.shard import ALL, Shard
from comix.vlm.api.pace import Clock


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader works.

    Attributes:
        root: the workspace.
        prices: the shipped price table.
        given_prices: one that comes before all others; None for none.
        error_log: folder for what the model said about pages that failed; None for none.
        shard: share of the pages; a share has a ledger and a part of the limit of its own.
        clock: time.
    """

    root: Path
    prices: Path
    given_prices: Path | None = None
    error_log: Path | None = None
    shard: Shard = ALL
    clock: Clock = field(default_factory=Clock)

    @property
    def ledger(self) -> Path:
        """The ledger to write."""
        name = "ledger" if self.shard.is_all else f"ledger.{self.shard.part}-of-{self.shard.n_parts}"
        return self.root / "vlm" / f"{name}.sqlite"

    @property
    def other_ledgers(self) -> list[Path]:
        """Ledgers of other shares."""
        return sorted(one for one in self.ledger.parent.glob("ledger*.sqlite") if one != self.ledger)

    @property
    def own_prices(self) -> Path:
        """The workspace's own price table."""
        return self.root / "prices.yaml"

    @property
    def price_files(self) -> list[Path]:
        """Price tables to read; single models of earlier ones are replaced by later ones."""
        own = [self.own_prices] if self.own_prices.is_file() else []
        return [self.prices, *own, *([self.given_prices] if self.given_prices else [])]
