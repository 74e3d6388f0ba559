"""2,000 simulated referrals a minute for five minutes: lag returns to 0, and how soon a referral is visible.

Open loop: probes are due at fixed times whatever happened before, and are measured from when they were due to when
GET shows them recorded, so that a stall counts against every probe it delayed (no coordinated omission).
BENCH_SECONDS (300). Result: build/bench/traffic.json.
"""

import asyncio
import os
import time
from itertools import count
from typing import Any
from uuid import UUID

import httpx
import pytest

from referrals import ids
from tests.benchmarks import figures
from tests.e2e.test_journey import submission
from tests.support.lag import behind
from tests.support.running import RunningExchange, until

RATE_PER_MINUTE = 2000
SECONDS = float(os.environ.get("BENCH_SECONDS", "300"))
EVERY_S = 0.2
POLL_S = 0.02
PLAN, CLINIC = "golden-health-plan", "lakeview-health"
GOAL_P99_S = 0.5

pytestmark = [pytest.mark.real, pytest.mark.long]


async def visible(http: httpx.AsyncClient, referral: UUID) -> None:
    """Wait until the referral's recorded state is shown."""
    while True:
        answer = await http.get(f"/v1/referrals/{referral}")
        if answer.status_code == 200 and answer.json()["version"] > 0:
            return
        await asyncio.sleep(POLL_S)


async def probe(
    number: int, due: float, publisher: Any, plan: httpx.AsyncClient, clinic: httpx.AsyncClient
) -> float:
    """One referral, by Kafka and by HTTP in turn; seconds from due to visible."""
    await asyncio.sleep(max(0.0, due - time.monotonic()))
    name = f"PROBE-{time.time_ns()}-{number}"
    if number % 2:
        referral, reader = (await publisher.submit(submission(name))).id, plan
    else:
        answer = await clinic.post("/v1/referrals", json=submission(name))
        assert answer.status_code in (200, 202), answer.text
        referral, reader = ids.referral_id(CLINIC, name), clinic
    await visible(reader, referral)
    return time.monotonic() - due


async def drive(exchange: RunningExchange) -> list[float]:
    """Probes at their due times, over the whole run."""
    began, probes = time.monotonic() + 1, []
    async with (
        exchange.publisher(PLAN) as publisher,
        exchange.http(PLAN) as plan,
        exchange.http(CLINIC) as clinic,
    ):
        await publisher.submit(submission(f"WARM-{time.time_ns()}"))
        for number in count():
            due = began + number * EVERY_S
            if due > began + SECONDS:
                break
            await asyncio.sleep(max(0.0, due - time.monotonic() - 0.5))
            probes.append(asyncio.create_task(probe(number, due, publisher, plan, clinic)))
        async with asyncio.timeout(60):
            return list(await asyncio.gather(*probes))


async def received(exchange: RunningExchange) -> int:
    async with exchange.database() as database:
        return int(await database.fetchval("select count(*) from referral"))


async def test_a_busy_state_for_five_minutes(tmp_path_factory: pytest.TempPathFactory) -> None:
    started = time.monotonic()
    command = ("demo", "--rate", str(RATE_PER_MINUTE), "--seed", "7")
    async with RunningExchange(tmp_path_factory.mktemp("traffic"), workers=1, command=command) as exchange:
        before, began = await received(exchange), time.monotonic()
        seconds = await drive(exchange)
        minutes = (time.monotonic() - began) / 60
        rate = (await received(exchange) - before) / minutes
        lag_at_end = await behind(exchange)

        async def no_lag() -> bool:
            return await behind(exchange) < RATE_PER_MINUTE / 60

        await until(no_lag, timeout_s=30, every_s=0.2)
    shown = {"referrals a minute": round(rate), **figures.spread(seconds), "lag at end": lag_at_end}
    print(figures.table([shown]))
    goals = [f"{RATE_PER_MINUTE} a minute", f"p99 < {GOAL_P99_S * 1000:.0f} ms"]
    said = figures.environment(seed=7, seconds=SECONDS, goals=goals)
    figures.keep("traffic", [shown], said, took_s=round(time.monotonic() - started))
    assert rate >= RATE_PER_MINUTE * 0.95
    assert figures.quantile(seconds, 0.99) < GOAL_P99_S
