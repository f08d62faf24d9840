"""What models cost: a table in a file that the user can replace, and what a request will cost at most and about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comix.core.errors import FileFormatError, MissingInputError, UsageError
from comix.core.files import write_bytes
from comix.vlm.reply import Usage

_BYTES_PER_TOKEN = 3.5
"""About; of prompts in Latin script. Never less than one byte a token, which is what the worst case assumes."""


@dataclass(frozen=True, slots=True)
class Price:
    """Of one model.

    Attributes:
        prompt_usd: per million prompt tokens; likewise ``completion_usd``.
        image_usd: per image, on top.
        image_tokens: prompt tokens that one page image counts as, at most.
        batch_factor: part of the price that batches cost.
    """

    prompt_usd: float = 0.0
    completion_usd: float = 0.0
    image_usd: float = 0.0
    image_tokens: int = 1600
    batch_factor: float = 1.0

    @property
    def is_free(self) -> bool:
        """Whether nothing costs anything."""
        return not (self.prompt_usd or self.completion_usd or self.image_usd)

    def of(self, prompt_tokens: float, completion_tokens: float, n_images: int = 1) -> float:
        """Dollars for so many tokens.

        >>> Price(prompt_usd=0.1, completion_usd=0.4).of(2000, 1000)
        0.0006
        """
        tokens = prompt_tokens * self.prompt_usd + completion_tokens * self.completion_usd
        return round(tokens / 1e6 + n_images * self.image_usd, 12)

    def worst(self, n_bytes: int, max_tokens: int, batch: bool = False) -> float:
        """Dollars that a request with one image can cost: every byte of its words a token, the reply as long as allowed."""
        factor = self.batch_factor if batch else 1.0
        return self.of(n_bytes + self.image_tokens, max_tokens) * factor

    def prompt_tokens(self, n_bytes: int) -> float:
        """About how many prompt tokens a request with one image has."""
        return n_bytes / _BYTES_PER_TOKEN + self.image_tokens

    def charged(self, usage: Usage, batch: bool = False) -> float | None:
        """Dollars that a reply came to: what the service says, else its tokens by this table; None when it says neither."""
        if self.is_free and usage.cost_usd is None:
            return 0.0
        if usage.cost_usd is not None:
            return usage.cost_usd
        if usage.prompt_tokens is None or usage.completion_tokens is None:
            return None
        return self.of(usage.prompt_tokens, usage.completion_tokens) * (self.batch_factor if batch else 1.0)


FREE = Price()
"""A model on this machine."""


def read_prices(files: Sequence[Path]) -> dict[str, Price]:
    """Model -> price; later files replace single models of earlier ones.

    Raises:
        MissingInputError: no such file.
        FileFormatError: not a price table; says which entry.
    """
    found: dict[str, Price] = {}
    for path in files:
        document = _loaded(path)
        for model, entry in document["models"].items():
            try:
                given = {key: value for key, value in entry.items() if key in Price.__slots__}
                found[str(model)] = Price(**{key: _number(value) for key, value in given.items()})
            except (TypeError, ValueError, AttributeError) as error:
                raise FileFormatError(f"{path}: models.{model}: {error}; wanted {', '.join(Price.__slots__)}") from error
    return found


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise ValueError(f"{value!r}: wanted a number, 0 or more")
    return value


def _loaded(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingInputError(f"prices={path}: no such file; wanted a price table like conf/prices.yaml") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: not YAML ({error}); wanted a price table like conf/prices.yaml") from error
    if not isinstance(document, dict) or not isinstance(document.get("models"), dict):
        raise FileFormatError(f"{path}: no `models:`; wanted a price table like conf/prices.yaml")
    return document


def price_of(model: str, prices: Mapping[str, Price], paid: bool, where: str) -> Price:
    """The price of a model; nothing is asked of a paid service without one.

    Raises:
        UsageError: the service is paid and the table does not know the model; says where to write the price.
    """
    if not paid:
        return FREE
    if model not in prices:
        raise UsageError(
            f"vlm.model={model}: no price known, and without one max_usd cannot be kept; write prompt_usd and completion_usd "
            f"(per million tokens) into {where}, or fetch the service's list with vlm.refresh_prices=true"
        )
    return prices[model]


def listed_prices(document: Any, known: Mapping[str, Price]) -> dict[str, dict[str, float]]:
    """Entries of a price table out of a service's list of models.

    Args:
        document: what ``GET /models`` answers; prices are strings in dollars per token and per image.
        known: for what such a list does not say (tokens of an image, price of batches).

    Source: OpenRouter's ``/api/v1/models``, field ``pricing``.
    """
    entries: dict[str, dict[str, float]] = {}
    models = document.get("data", []) if isinstance(document, dict) else []
    for one in models:
        pricing = one.get("pricing") if isinstance(one, dict) else None
        if not isinstance(pricing, dict) or not isinstance(one.get("id"), str):
            continue
        try:
            numbers = [float(pricing.get(key) or 0) for key in ("prompt", "completion", "image")]
        except (TypeError, ValueError):
            continue
        if min(numbers) < 0:
            continue
        base = known.get(one["id"], FREE)
        entries[one["id"]] = {
            "prompt_usd": round(numbers[0] * 1e6, 6), "completion_usd": round(numbers[1] * 1e6, 6), "image_usd": numbers[2],
            "image_tokens": base.image_tokens, "batch_factor": base.batch_factor,
        }  # fmt: skip
    return entries


def write_prices(path: Path, entries: Mapping[str, Mapping[str, float]], source: str, date: str) -> None:
    """Write a price table."""
    import yaml

    head = f"# Dollars per million tokens, fetched from {source} on {date}.\n"
    write_bytes(path, (head + yaml.safe_dump({"models": {key: dict(one) for key, one in entries.items()}})).encode())
