"""Rates, pauses and waits."""

from __future__ import annotations

import asyncio

from comix.vlm.api.budget import Budget
from comix.vlm.api.pace import Clock, Pace, backoff, retry_after


class Stepped(Clock):
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += max(seconds, 0.0)
        await asyncio.sleep(0)


def departures(pace: Pace, clock: Stepped, n: int, tokens: float = 0.0) -> list[float]:
    async def leave() -> list[float]:
        found = []
        for _ in range(n):
            await pace.turn(tokens)
            found.append(clock.now())
        return found

    return asyncio.run(leave())


def test_no_minute_holds_more_requests_than_allowed() -> None:
    clock = Stepped()
    found = departures(Pace(clock, rpm=20), clock, 100)
    assert max(sum(start <= one < start + 60 for one in found) for start in found) <= 20
    assert found[-1] <= 99 * 3 + 0.1


def test_tokens_a_minute_are_kept_on_the_whole() -> None:
    clock = Stepped()
    found = departures(Pace(clock, tpm=6000), clock, 50, tokens=500)
    assert 50 * 500 / 6000 * 60 - 15 <= found[-1] <= 50 * 500 / 6000 * 60


def test_a_pause_holds_everything_back_and_a_longer_one_wins() -> None:
    clock = Stepped()
    pace = Pace(clock)
    pace.pause(300)
    pace.pause(1)
    (found,) = departures(pace, clock, 1)
    assert 300 <= found <= 301


def test_waits_grow_and_are_jittered() -> None:
    waits = [backoff(5, 1.0, 60.0) for _ in range(300)]
    assert 0 <= min(waits) < 8
    assert 24 < max(waits) <= 32
    assert max(backoff(40, 1.0, 60.0) for _ in range(50)) <= 60


def test_waits_that_services_ask_for() -> None:
    assert [retry_after({"retry-after": value}, 100.0) for value in ("0", "1", "300", "0.5", "-3", "soon", "nan", "1e999")] == [
        0.0, 1.0, 300.0, 0.5, 0.0, None, None, None,
    ]  # fmt: skip
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:05:00 GMT"}, 100.0) == 200.0
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 100.0) == 0.0
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}, 0.0) == 1.5
    assert retry_after({}, 0.0) is None


def test_a_budget_waits_for_what_is_on_its_way_and_never_passes_its_limit() -> None:
    async def spend() -> tuple[list[bool], float]:
        budget = Budget(1.0)

        async def one() -> bool:
            if not await budget.hold(0.3):
                return False
            await asyncio.sleep(0)
            assert budget.spent_usd + budget.held_usd <= 1.0 + 1e-9
            budget.settle(0.3, 0.1)
            return True

        return list(await asyncio.gather(*(one() for _ in range(20)))), budget.spent_usd

    got, spent = asyncio.run(spend())
    assert got.count(True) == 8  # the ninth would have to set 0.3 aside beside 0.8
    assert abs(spent - 0.8) < 1e-9
