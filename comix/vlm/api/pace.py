"""How fast requests may go: requests and tokens a minute, pauses that the service asks for, waits between tries."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


class Clock:
    """Time, and waiting for it.

    Args:
        speed: how many seconds of waiting pass in one; more than 1 for rehearsals and tests.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed

    def now(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic() * self.speed

    def date(self) -> float:
        """Seconds since 1970, to compare with dates that services send."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(0.0, seconds) / self.speed)


def retry_after(headers: Mapping[str, str], date: float) -> float | None:
    """Seconds that a service asks to wait, None when it does not say.

    Args:
        headers: of its reply, names in lower case.
        date: now, seconds since 1970.

    >>> retry_after({"retry-after": "300"}, 0), retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, 10)
    (300.0, 50.0)

    Source: RFC 9110, section 10.2.3; ``retry-after-ms`` is OpenAI's.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if not value:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            try:
                seconds = parsedate_to_datetime(value).timestamp() - date
            except (ValueError, TypeError, OverflowError):
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def backoff(attempt: int, base_s: float, most_s: float) -> float:
    """A wait before the next try: evenly anywhere between 0 and the doubled wait of the try before (full jitter).

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    >>> all(backoff(n, 1, 60) <= min(60, 2**n) for n in range(20))
    True
    """
    return random.uniform(0.0, min(most_s, base_s * 2.0 ** min(attempt, 30)))


class Pace:
    """Lets requests through one by one.

    Args:
        clock: time.
        rpm: requests a minute, None for no limit; they leave evenly spaced, so that no minute holds more.
        tpm: tokens a minute, None for no limit; a request may leave when there is anything left, and its tokens are owed.
    """

    def __init__(self, clock: Clock, rpm: float | None = None, tpm: float | None = None) -> None:
        self._clock, self._rpm, self._tpm = clock, rpm, tpm
        self._next = self._until = -math.inf
        self._level, self._level_at = (tpm or 0.0) / 6, clock.now()

    async def turn(self, tokens: float) -> None:
        """Wait until a request of about so many tokens may leave."""
        while True:
            wait = self._wait(tokens)
            if wait <= 0:
                return
            await self._clock.sleep(wait)

    def _wait(self, tokens: float) -> float:
        """Seconds to wait; 0 when the request may leave, which is then counted."""
        now = self._clock.now()
        if now < self._until:
            return self._until - now + random.uniform(0.0, 0.5)  # not all at the same moment
        if now < self._next:
            return self._next - now
        if self._tpm:
            self._level = min(self._tpm / 6, self._level + (now - self._level_at) * self._tpm / 60)
            self._level_at = now
            if self._level <= 0:
                return -self._level * 60 / self._tpm + 0.01
            self._level -= tokens
        if self._rpm:
            self._next = max(now, self._next) + 60 / self._rpm
        return 0.0

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long: the service has asked for it."""
        self._until = max(self._until, self._clock.now() + seconds)
