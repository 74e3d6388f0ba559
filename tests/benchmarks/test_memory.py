"""What a worker holds in memory over many events: the engine over a million, the whole exchange over its own mix.

BENCH_MEMORY_EVENTS (1,000,000) through the product's engine, about 90 s; BENCH_MEMORY_EXCHANGE (60,000) through a
worker of a running exchange, about a minute for every 60,000. Result: build/bench/memory.json.
"""

import asyncio
import os
import time
from typing import Any

import asyncpg
import pytest
from msgspec import structs

from infra.embedded.services import EmbeddedServices
from infra.migrate import migrate
from producers.producer import RecordProducer
from tests.benchmarks import figures, memory
from tests.benchmarks.engine import rounds
from tests.benchmarks.latency.running import caught_up, mixed, publish
from tests.benchmarks.test_engine import SEED, prepared
from tests.benchmarks.test_engine import services as services
from tests.support.running import RunningExchange

EVENTS = int(os.environ.get("BENCH_MEMORY_EVENTS", "1000000"))
EXCHANGE = int(os.environ.get("BENCH_MEMORY_EXCHANGE", "60000"))
AT_ONCE_RATE, AT_ONCE_S = 1000, 10.0
GOAL_MB = 250
pytestmark = [pytest.mark.real, pytest.mark.long]


async def through_the_engine(services: EmbeddedServices) -> dict[str, Any]:
    """The product's engine drains a topic; its memory meanwhile."""
    await migrate(services.postgres.url)
    owner = await asyncpg.connect(services.postgres.url)
    await owner.execute(rounds.SQL["create"])
    task, manifest = await prepared(services, "memory", EVENTS)
    await owner.execute(rounds.SQL["clear"])
    task = structs.replace(task, group="memory-0")
    who = rounds.python("product")
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(*who.arguments, env=os.environ | task.environment())
    try:
        async with memory.sampled({"engine": process.pid}) as used:
            while await owner.fetchval(rounds.SQL["progress"], task.topic) < task.records:
                assert process.returncode in (None, 0), "the engine ended too soon"
                await asyncio.sleep(0.2)
    finally:
        await rounds.end(process)
        await owner.close()
    seconds = round(time.monotonic() - began)
    row = used["engine"].row(manifest.records)
    return {"what": "engine, minimal rows", "events": manifest.records, "seconds": seconds, **row}


async def through_the_exchange(exchange: RunningExchange) -> dict[str, Any]:
    """New referrals and their answers, a few thousand at a time; the worker's memory meanwhile."""
    runs = iter(range(SEED * 1000, SEED * 1000 + 999))
    worker, done, began = exchange.pids["workers"][0], 0, time.monotonic()
    async with memory.sampled({"worker": worker}) as used, RecordProducer(exchange.kafka_login()) as producer:
        while done < EXCHANGE:
            events = await mixed(exchange, AT_ONCE_RATE, AT_ONCE_S, runs)
            await publish(producer, events)
            await caught_up(exchange)
            async with exchange.database() as database:
                done = await database.fetchval("select count(*) from inbox")
    assert exchange.pids["workers"] == [worker], "the worker was started anew meanwhile"
    seconds = round(time.monotonic() - began)
    return {"what": "worker, whole exchange", "events": done, "seconds": seconds, **used["worker"].row(done)}


async def test_memory_is_bounded_and_flat(
    services: EmbeddedServices, tmp_path_factory: pytest.TempPathFactory
) -> None:
    began = time.monotonic()
    found = [await through_the_engine(services)]
    async with RunningExchange(tmp_path_factory.mktemp("memory"), workers=1) as exchange:
        found.append(await through_the_exchange(exchange))
    print(figures.table(found))
    reached = [f"{one['what']} {'reached' if one['most MB'] <= GOAL_MB else 'not reached'}" for one in found]
    said = figures.environment(goals=[f"<= {GOAL_MB} MB over a million events, flat ({', '.join(reached)})"])
    figures.keep("memory", found, said, took_s=round(time.monotonic() - began))
    assert found[0]["most MB"] <= GOAL_MB
