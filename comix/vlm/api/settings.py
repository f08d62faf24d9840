"""Where a model is, what it is asked with, and how hard: plain values out of ``conf/vlm``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from comix.core.errors import UsageError
from comix.vlm.coordinates import FORMS, Coordinates

STRUCTURED = ("auto", "json_schema", "json_object", "none")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model behind one address.

    Attributes:
        base_url: of the OpenAI-compatible interface, with its version part.
        model: the service's name for it.
        api_key_env: NAME of the environment variable with the key; "" for none.
        paid: whether requests cost money.
        coordinates: how the model writes boxes, see `comix.vlm.coordinates`.
        structured: how it is held to the schema: ``json_schema``, ``json_object``, ``none``, or ``auto`` to find out once.
        temperature: of sampling; likewise ``top_p`` and ``seed`` (None: not sent).
        max_tokens: of a reply; ``max_tokens_retry`` when one was cut off.
        max_tokens_key: what the service calls that limit.
        detail: how closely the picture is looked at (OpenAI: low, high, auto); "" not sent.
        max_side: longest side of the picture that is sent, pixels.
        concurrency: requests on their way at once.
        rpm: requests a minute at most, None for no limit; likewise ``tpm`` for tokens.
        connect_timeout_s: seconds to reach the service; ``read_timeout_s`` without a byte; ``total_timeout_s`` for a whole
            reply, however slowly it drips.
        max_attempts: tries when the service or the network is at fault.
        answer_retries: tries more when the model's answer cannot be used.
        backoff_s: base of the waits between tries; ``max_backoff_s`` their limit.
        drain_s: seconds that requests on their way get after Ctrl-C.
        headers: sent with every request; no secrets.
        extra: further fields of every request's JSON, as the service documents them.
    """

    base_url: str
    model: str
    api_key_env: str = ""
    paid: bool = True
    coordinates: str = "pixels"
    structured: str = "auto"
    temperature: float = 0.1
    top_p: float | None = None
    seed: int | None = None
    max_tokens: int = 4096
    max_tokens_retry: int = 8192
    max_tokens_key: str = "max_tokens"
    detail: str = ""
    max_side: int = 2048
    concurrency: int = 16
    rpm: float | None = None
    tpm: float | None = None
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 120.0
    total_timeout_s: float = 180.0
    max_attempts: int = 6
    answer_retries: int = 1
    backoff_s: float = 1.0
    max_backoff_s: float = 60.0
    drain_s: float = 4.0
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme != "file" and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise UsageError("vlm.base_url: wanted an address like https://openrouter.ai/api/v1 or http://localhost:8000/v1")
        if parts.username or parts.password or parts.query:
            raise UsageError("vlm.base_url: holds a user, password or query; keys go into an environment variable (not shown)")
        if not self.model:
            raise UsageError("vlm.model= is missing; give the name that the service has for the model: vlm.model=NAME")
        for key, wanted in (("coordinates", tuple(FORMS)), ("structured", STRUCTURED)):
            if getattr(self, key) not in wanted:
                raise UsageError(f"vlm.{key}={getattr(self, key)}: wanted one of: {', '.join(wanted)}")
        _check_ranges(self)

    @property
    def form(self) -> Coordinates:
        """How the model writes boxes."""
        return FORMS[self.coordinates]

    @property
    def sampling(self) -> dict[str, Any]:
        """What shapes the choice of words, as sent."""
        given = {"temperature": self.temperature, "top_p": self.top_p, "seed": self.seed}
        return {key: value for key, value in given.items() if value is not None}

    @property
    def is_local(self) -> bool:
        """Whether images stay on this machine."""
        parts = urlsplit(self.base_url)
        return parts.scheme == "file" or parts.hostname in ("localhost", "127.0.0.1", "::1", "0.0.0.0")

    @property
    def shaping(self) -> dict[str, Any]:
        """What an analysis depends on; how fast or by which address it came does not matter."""
        keys = ("model", "coordinates", "max_side", "detail", "extra")
        return {**{key: getattr(self, key) for key in keys}, **self.sampling}


_LEAST = {
    "max_tokens": 16, "max_tokens_retry": 16, "max_side": 64, "concurrency": 1, "rpm": 0.001, "tpm": 1,
    "connect_timeout_s": 0.01, "read_timeout_s": 0.01, "total_timeout_s": 0.01, "max_attempts": 1, "answer_retries": 0,
    "backoff_s": 0, "max_backoff_s": 0, "drain_s": 0, "temperature": 0,
}  # fmt: skip


def _check_ranges(endpoint: Endpoint) -> None:
    for key, least in _LEAST.items():
        value = getattr(endpoint, key)
        if value is not None and not value >= least:
            raise UsageError(f"vlm.{key}={value}: wanted {least} or more")


def endpoint_of(settings: Mapping[str, Any], presets: Mapping[str, Mapping[str, Any]], preset: str | None) -> Endpoint:
    """The endpoint of a config: a preset's values, and whatever is given beside it (not null) instead of them.

    Raises:
        UsageError: no such preset, an unknown key in it, or a value that makes no sense.
    """
    known = {one.name for one in fields(Endpoint)}
    chosen: Mapping[str, Any] = {}
    if preset:
        if preset not in presets:
            near = get_close_matches(preset, list(presets), n=1, cutoff=0.4)
            guess = f" (did you mean {near[0]!r}?)" if near else ""
            raise UsageError(f"vlm.preset={preset}: no such preset{guess}; there are: {', '.join(presets)}; or set vlm.model=")
        chosen = presets[preset]
    unknown = sorted((set(chosen) | set(settings)) - known)
    if unknown:
        raise UsageError(f"vlm: unknown keys {', '.join(unknown)}; an endpoint has {', '.join(sorted(known))}")
    given = {key: value for key, value in settings.items() if value is not None}
    merged = {**chosen, **given}
    return Endpoint(**{"base_url": "", "model": "", **merged})


def plain_name(model: str, suffix: str = "") -> str:
    """A folder name out of a model's name.

    >>> plain_name("google/gemma-3-12b-it:free", "guided")
    'gemma-3-12b-it-free-guided'
    """
    stem = re.sub(r"[^\w.-]+", "-", model.rstrip("/").rpartition("/")[2]).strip("-.")
    return "-".join(filter(None, (stem or "model", suffix)))
