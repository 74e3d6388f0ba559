"""kill -9 of a worker under load, BENCH_KILLS (3) times: how soon its successor applies events and lag falls again.

Open loop at BENCH_KILL_RATE (200) events a second, a kill every 12 s; about 90 s. Result: build/bench/recovery.json.
"""

import asyncio
import os
import signal
import time
from typing import Any

import asyncpg
import pytest

from producers.producer import RecordProducer
from tests.benchmarks import figures
from tests.benchmarks.latency.running import APPLIED, caught_up, mixed
from tests.benchmarks.latency.schedule import Event
from tests.benchmarks.latency.talk import until
from tests.support.running import RunningExchange

RATE = int(os.environ.get("BENCH_KILL_RATE", "200"))
KILLS = int(os.environ.get("BENCH_KILLS", "3"))
EVERY_S, SEED, GOAL_S = 12.0, 31, 5.0
pytestmark = [pytest.mark.real, pytest.mark.long]


async def load(producer: RecordProducer, events: list[Event], start: float) -> None:
    """Each when it is due, whether or not anybody applies them."""
    at = 0
    while at < len(events):
        await until(start + events[at].due)
        first, now = at, time.monotonic() - start
        while at < len(events) and events[at].due <= now:
            at += 1
        await producer.send([event.record for event in events[first:at]])


async def recovery(
    database: asyncpg.Connection, exchange: RunningExchange, start: float, before: int
) -> dict[str, Any]:
    """Kill the worker now; seconds until anything is applied again, and until lag has been at its highest."""
    os.kill(exchange.pids["workers"][0], signal.SIGKILL)
    killed = time.monotonic()
    first: float | None = None
    applied = highest = 0
    peak = 0.0
    while time.monotonic() - killed < EVERY_S - 2:
        done = await database.fetchval(APPLIED) - before
        now = time.monotonic()
        if now - killed < 0.2:  # what it had committed before it died may still become visible
            applied = done
        elif first is None and done > applied:
            first = now - killed
        lag = round((now - start) * RATE) - done
        if lag > highest:
            highest, peak = lag, now - killed
        await asyncio.sleep(0.02)
    assert first is not None, "no successor within the time"
    return {"applies after s": round(first, 2), "lag falls after s": round(peak, 2), "highest lag": highest}


async def test_a_killed_worker_is_followed_soon(tmp_path_factory: pytest.TempPathFactory) -> None:
    began, runs, found = time.monotonic(), iter(range(SEED * 100, SEED * 100 + 9)), []
    async with (
        RunningExchange(tmp_path_factory.mktemp("recovery"), workers=1) as exchange,
        exchange.database() as database,
        RecordProducer(exchange.kafka_login()) as producer,
    ):
        events = await mixed(exchange, RATE, (KILLS + 0.5) * EVERY_S, runs)
        await caught_up(exchange)
        before = await database.fetchval(APPLIED)
        start = time.monotonic()
        loading = asyncio.create_task(load(producer, events, start))
        for number in range(KILLS):
            await until(start + (number + 0.5) * EVERY_S)
            found.append({"kill": number + 1} | await recovery(database, exchange, start, before))
        await loading
        caught = round(await caught_up(exchange), 1)
    print(figures.table(found))
    reached = max(one["lag falls after s"] for one in found) <= GOAL_S
    goal = f"lag falls again <= {GOAL_S:.0f} s ({'reached' if reached else 'not reached'})"
    said = figures.environment(seed=SEED, rate=RATE, goals=[goal])
    figures.keep("recovery", found, said, caught_up_s=caught, took_s=round(time.monotonic() - began))
    assert max(one["lag falls after s"] for one in found) <= 2 * GOAL_S
