"""kill -9 of the worker, five times, while 20,000 events are published: nothing lost, nothing doubled.

Each kill is made with records in flight: the log end is ahead of the next offset in Postgres, and the test says by
how much. The worker comes back by the supervision of `refex up`.
"""

import asyncio
import os
import signal

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from avro_schemas import topics
from infra.kafka_identity import partition_counts
from tests.support.audit import violations
from tests.support.load import Sent, publish
from tests.support.running import RunningExchange, until

EVENTS, SECONDS, KILLS = 20_000, 66.0, 5
SENDERS = ("riverside-clinic", "golden-health-plan")

pytestmark = pytest.mark.real


async def behind(exchange: RunningExchange) -> int:
    """How many records are in the senders' topics that Postgres has not applied."""
    consumer = AIOKafkaConsumer(**exchange.kafka_login().aiokafka(), enable_auto_commit=False)
    await consumer.start()
    try:
        counts = await asyncio.to_thread(partition_counts, exchange.kafka_login())
        names = [topics.intake(s) for s in SENDERS]
        places = [TopicPartition(t, p) for t in names for p in range(counts[t])]
        ends = await consumer.end_offsets(places)
    finally:
        await consumer.stop()
    async with exchange.database() as database:
        rows = await database.fetch("select topic, partition, next_offset from progress")
    done = {TopicPartition(r["topic"], r["partition"]): r["next_offset"] for r in rows}
    return sum(end - done.get(place, 0) for place, end in ends.items())


async def kill_with_records_in_flight(exchange: RunningExchange, number: int) -> int:
    """Wait until the worker is behind, kill it, and return how much it was behind just then."""

    async def some_behind() -> int:
        return await behind(exchange)

    await until(some_behind, timeout_s=20, every_s=0.01)
    pid = exchange.pids["workers"][0]
    os.kill(pid, signal.SIGKILL)
    in_flight = await behind(exchange)

    async def another() -> bool:
        return bool(exchange.pids["workers"][0] != pid)

    await until(another, timeout_s=20)
    print(f"kill {number}: pid {pid}, log end - next offset = {in_flight}")
    return in_flight


async def relayed(exchange: RunningExchange) -> bool:
    """Whether everything is applied and published."""
    if await behind(exchange):
        return False
    async with exchange.database() as database:
        return bool(
            await database.fetchval(
                "select bool_and(l.seq < r.next_seq) from lane l join relay_position r using (lane)"
            )
        )


async def test_killing_the_worker_loses_and_doubles_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with RunningExchange(tmp_path_factory.mktemp("kills"), workers=1) as exchange:
        sent = {name: Sent() for name in SENDERS}
        publishing = [
            asyncio.create_task(publish(exchange, name, EVENTS // len(SENDERS), SECONDS, sent[name]))
            for name in SENDERS
        ]
        in_flight = []
        for number in range(KILLS):
            await asyncio.sleep(SECONDS / (KILLS + 1) - 1)
            in_flight.append(await kill_with_records_in_flight(exchange, number + 1))
        await asyncio.gather(*publishing)
        assert all(in_flight), f"every kill must hit records in flight: {in_flight}"
        await until(lambda: relayed(exchange), timeout_s=120, every_s=0.5)
        acked = {event for one in sent.values() for event in one.events}
        async with exchange.database() as database:
            assert await violations(database, exchange.kafka_login(), acked) == []
            referrals = await database.fetchval("select count(*) from referral")
        assert referrals == sum(len(one.referrals) for one in sent.values())
