"""Publish -> visible, open loop, through HTTP and through the stream, at several rates on one running exchange.

BENCH_RATES (200,500,1000), BENCH_DOORS (http,sse), BENCH_LATENCY_SECONDS (30) for each rate and door, BENCH_SAMPLES (15
a second). With the defaults about 6 minutes. Result: build/bench/latency.json.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.benchmarks import figures
from tests.benchmarks.latency import schedule
from tests.benchmarks.latency.running import caught_up, mixed, pids
from tests.benchmarks.latency.schedule import SENDERS, Event
from tests.benchmarks.latency.talk import Helper, Task
from tests.support.lag import behind
from tests.support.running import RunningExchange

RATES = [int(r) for r in os.environ.get("BENCH_RATES", "200,500,1000").split(",")]
DOORS = os.environ.get("BENCH_DOORS", "http,sse").split(",")
SECONDS = float(os.environ.get("BENCH_LATENCY_SECONDS", "30"))
SAMPLES_A_SECOND = float(os.environ.get("BENCH_SAMPLES", "15"))
SEED = 23
WARM_RATE, WARM_S = 200, 20.0
"""Before the first figure: the broker's machine code and every connection's statements are made."""
GOALS_MS = {("http", 500): 50.0, ("http", 1000): 100.0}
pytestmark = [pytest.mark.real, pytest.mark.long]


def task_of(
    exchange: RunningExchange, tokens: dict[str, str], events: list[Event], warm: list[Event]
) -> Task:
    """What the load and the probe are told."""
    login = exchange.kafka_login()
    assert login.username is not None and login.password is not None
    return Task(exchange.url, tokens, login.bootstrap, login.username, login.password, warm, events)


async def measure(
    exchange: RunningExchange, folder: Path, door: str, rate: int, runs: Iterator[int], seconds: float
) -> dict[str, Any]:
    """One rate through one door: how soon events were visible, and what everything used meanwhile."""
    events = await mixed(exchange, rate, seconds, runs, int(SAMPLES_A_SECOND * seconds))
    tokens = {sender: await exchange.token(sender) for sender in SENDERS}
    task = folder / f"{door}-{rate}.task"
    warm = list(schedule.submissions(next(runs), 64, datetime.now(UTC)))
    task.write_bytes(msgspec.msgpack.encode(task_of(exchange, tokens, events, warm)))
    load, probe = Helper("load", task), Helper(f"probe_{door}", task)
    try:
        await asyncio.gather(load.start(), probe.start())
        await caught_up(exchange)
        cpu = figures.Cpu(pids(exchange))
        start = time.monotonic() + 0.5
        going = asyncio.gather(load.go(start), probe.go(start))
        await asyncio.sleep(start + seconds - time.monotonic())
        used = cpu.used()
        lag = await behind(exchange)
        sent, seen = await going
    finally:
        load.end()
        probe.end()
    await caught_up(exchange)
    what: dict[str, Any] = {
        "door": door,
        "rate": rate,
        "seconds": seconds,
        "lag at end": lag,
        "seen": seen,
        "sent": sent,
        "cpu": used,
    }
    return {**what, **seen["visible"]}


def row(found: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the table; `others` is what ran on this machine besides, in CPU seconds too."""
    names = ("door", "rate", "count", "p50", "p95", "p99", "max")
    shown = {name: found.get(name, "") for name in names}
    shown |= {"unseen": found["seen"]["unseen"], "lag at end": found["lag at end"]}
    shown |= {"blur p50": found["seen"].get("blur", {}).get("p50", "")}
    shown |= {f"acked {q}": found["sent"]["acked"][q] for q in ("p50", "p99")}
    used = dict(found["cpu"])
    busy = used.pop("machine busy") * (os.cpu_count() or 1) * found["seconds"]
    used |= {name: round(found[part]["cpu_s"], 1) for name, part in (("load", "sent"), ("probe", "seen"))}
    return shown | used | {"others": round(max(0.0, busy - sum(used.values())), 1)}


def goals(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was wanted of these rows, and whether it was reached."""
    return [
        f"{one['door']} {one['rate']}/s p99 <= {ms:.0f} ms ({'reached' if one['p99'] <= ms else 'not reached'})"
        for one in rows
        if (ms := GOALS_MS.get((one["door"], one["rate"])))
    ]


async def test_how_soon_an_event_is_visible(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    began = time.monotonic()
    runs = iter(range(SEED * 100, SEED * 100 + 99))
    found = []
    async with RunningExchange(tmp_path_factory.mktemp("latency"), workers=1) as exchange:
        await measure(exchange, tmp_path, DOORS[0], WARM_RATE, runs, WARM_S)
        for rate in RATES:
            for door in DOORS:
                found.append(await measure(exchange, tmp_path, door, rate, runs, SECONDS))
                print(figures.table([row(found[-1])]))
    rows = [row(one) for one in found]
    said = figures.environment(seed=SEED, seconds_a_rate=SECONDS, goals=goals(rows))
    assert all(one["count"] for one in rows), "nothing was ever visible"
    print(figures.table(rows))
    figures.keep("latency", rows, said, runs=found, took_s=round(time.monotonic() - began))
