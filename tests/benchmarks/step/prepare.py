"""What every run begins with: a directory, referrals that were asked, and the traffic to come in its Kafka topics.

Comes in: a migrated database, a broker, sizes, a seed. Goes out: a database to copy for each run, records to drain.
Made by the real exchange step.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
from aiokafka import AIOKafkaProducer

from avro_schemas import topics
from infra.kafka import KafkaLogin
from infra.kafka_identity import identity
from infra.postgres import pool
from producers.envelope import Record
from referrals import ids
from stream_processors.decode import Raw
from stream_processors.exchange import Exchange
from stream_processors.runs import runs
from tests.benchmarks.step import workload
from tests.support.engine import make_topic
from tests.support.vault import vault

PARTITIONS = 4
BATCH = 1000
SECRET = b"a key for the match keys of synthetic people"
TOPICS = (*(topics.intake(sender) for sender in workload.SENDERS), topics.RESPONSE)


class Sizes(NamedTuple):
    """How many services, referrals from before, and new ones in the traffic."""

    services: int
    before: int
    new: int


class Wanted(NamedTuple):
    """Event ids and dead letters, those from before included."""

    inbox: int
    dead: int


async def organizations(owner: asyncpg.Connection, cbos: Iterable[str]) -> None:
    """The participants; two of the clinics have a webhook."""
    kinds = {s: "mco" if s.endswith("plan") else "clinic" for s in workload.SENDERS} | {workload.HUB: "hub"}
    kinds |= dict.fromkeys(cbos, "cbo")
    told = dict.fromkeys(workload.SENDERS[:2], "https://receiver.example/hook")
    rows = [(id, id, kind, told.get(id)) for id, kind in kinds.items()]
    await owner.executemany(
        "insert into organization (id, name, type, webhook_url) values ($1, $2, $3, $4)", rows
    )


async def filled(url: str, sizes: Sizes, seed: int) -> list[Record]:
    """Everything before the traffic, applied; the traffic itself, in the order it is sent."""
    services = workload.directory(sizes.services, seed)
    owner = await asyncpg.connect(url)
    async with await pool(url, "worker") as connections:
        await organizations(owner, sorted({s.organization for s in services}))
        exchange, source = Exchange(connections, vault(), SECRET), "preparation"
        await owner.execute("insert into progress values ($1, 0, 0, 'none', 'none')", source)
        offset = 0
        for records in (workload.described(services), workload.submissions(0, sizes.before, seed)):
            for n in range(0, len(records), BATCH):
                batch = [_raw(r, source, offset + i) for i, r in enumerate(records[n : n + BATCH])]
                offset += len(batch)
                await exchange.write(
                    runs(exchange.read(b)._replace(raw=b._replace(topic=source)) for b in batch)
                )
    rows = await owner.fetch(
        "select referral_id, hop::text as hop, recipient from hop where status = 'requested' order by hop"
    )
    asked = [workload.Asked(r["referral_id"], r["hop"], r["recipient"]) for r in rows]
    await owner.execute("delete from progress where topic = $1", source)
    await owner.execute("analyze")
    await owner.close()
    submitted = [[r] for r in workload.submissions(sizes.before, sizes.new, seed)]
    return list(workload.mixed([*workload.answers(asked, seed), *submitted], seed))


def _raw(record: Record, source: str, offset: int) -> Raw:
    return Raw(record.topic, 0, offset, record.key, record.value, datetime.now(UTC))


async def wanted(url: str, records: Sequence[Record]) -> Wanted:
    """What the tables must hold after the traffic."""
    owner = await asyncpg.connect(url)
    before = await owner.fetchval("select count(*) from inbox")
    await owner.close()
    broken = sum(r.value.startswith(workload.BROKEN) for r in records)
    return Wanted(before + len({(r.topic, r.event_id) for r in records}), broken)


async def publish(login: KafkaLogin, url: str, records: Sequence[Record]) -> None:
    """The traffic, durably in its topics; the rows that say from where to read."""
    for topic in TOPICS:
        make_topic(login, topic, PARTITIONS)
    producer = AIOKafkaProducer(**login.aiokafka(), acks="all", enable_idempotence=True, linger_ms=5)
    await producer.start()
    try:
        sent = [
            await producer.send(r.topic, r.value, key=r.key, partition=ids.partition(r.lane, PARTITIONS))
            for r in records
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
    who = await asyncio.to_thread(identity, login, set(TOPICS))
    owner = await asyncpg.connect(url)
    await owner.executemany(
        "insert into progress (topic, partition, next_offset, cluster_id, topic_id) values ($1, $2, 0, $3, $4)",
        [(t, p, who.cluster, who.topics[t]) for t in TOPICS for p in range(PARTITIONS)],
    )
    await owner.close()


@asynccontextmanager
async def copied(superuser: str, url: str, name: str) -> AsyncIterator[str]:
    """A copy of the prepared database for one run; dropped after it. Only the superuser may copy databases."""
    base, _, prepared = url.rpartition("/")
    admin = await asyncpg.connect(superuser)
    try:
        await admin.execute(f"drop database if exists {name} with (force)")
        await admin.execute(f"create database {name} template {prepared} owner refex_owner")
        await admin.execute("checkpoint")
        yield f"{base}/{name}"
    finally:
        await admin.execute(f"drop database if exists {name} with (force)")
        await admin.close()
