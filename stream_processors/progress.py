"""Where a partition goes on: the row in Postgres, checked against the log as it is now, and against every batch.

Comes in: newly assigned partitions; runs and the rows they meet. Goes out: an offset each, or Stopped with an
instruction: a recreated topic, an end below the row, a retention that overtook it; of records, those not yet applied.
Never skips, never starts over by itself.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.kafka import KafkaLogin
from infra.kafka_identity import Identity, identity
from infra.postgres import queries
from stream_processors.runs import Place, Run

SQL = queries("stream_processors", "progress.sql")
T = TypeVar("T")


class Stopped(str):
    """Why a partition must not go on by itself, and what the operator does about it."""

    __slots__ = ()


async def starting_offsets(
    consumer: AIOKafkaConsumer, login: KafkaLogin, pool: asyncpg.Pool, new: Collection[TopicPartition]
) -> dict[TopicPartition, int | Stopped]:
    """The next offset of every partition; rows are made for partitions never seen before."""
    if not new:
        return {}
    partitions = sorted(new)
    who = await asyncio.to_thread(identity, login, {p.topic for p in partitions})
    first = await consumer.beginning_offsets(partitions)
    topics, numbers = [p.topic for p in partitions], [p.partition for p in partitions]
    starts, ids = [first[p] for p in partitions], [who.topics[p.topic] for p in partitions]
    await pool.execute(SQL["first_seen"], topics, numbers, starts, ids, who.cluster)
    rows = await pool.fetch(SQL["rows"], topics, numbers)
    found = {TopicPartition(r["topic"], r["partition"]): r for r in rows}
    last = await consumer.end_offsets(partitions)  # after the rows, which another worker may still have moved
    judged = {p: judge(dict(found[p]), p.topic, who, first[p], last[p]) for p in partitions}
    well = [p for p, start in judged.items() if not isinstance(start, Stopped)]
    await pool.execute(SQL["goes_on"], [p.topic for p in well], [p.partition for p in well])
    return judged


async def stop(pool: asyncpg.Pool, place: TopicPartition, why: Stopped, held: bool) -> None:
    """Keep in its row why a partition stands still; `held`: until an operator lets it go on."""
    await pool.execute(SQL["stop"], place.topic, place.partition, str(why), held)


async def released(pool: asyncpg.Pool, stopped: Collection[TopicPartition]) -> list[TopicPartition]:
    """Those an operator lets go on."""
    topics, numbers = [p.topic for p in stopped], [p.partition for p in stopped]
    return [
        TopicPartition(r["topic"], r["partition"]) for r in await pool.fetch(SQL["released"], topics, numbers)
    ]


def judge(row: Mapping[str, object], topic: str, who: Identity, first: int, last: int) -> int | Stopped:
    """The row's offset if the log still holds it, else Stopped."""
    next_offset = int(str(row["next_offset"]))
    if (row["cluster_id"], row["topic_id"]) != (who.cluster, who.topics[topic]):
        return Stopped(f"{topic} was recreated, or this is another cluster; restore it, {_or_reset(topic)}")
    if last < next_offset:
        gone = f"{topic} ends at {last}, before offset {next_offset}; records were lost"
        return Stopped(f"{gone}: restore the log, {_or_reset(topic)}")
    if first > next_offset:
        return overtaken(topic, next_offset)
    return Stopped(str(row["stopped"])) if row["held"] else next_offset


def overtaken(topic: str, offset: int) -> Stopped:
    """The log no longer holds what comes next."""
    gone = f"retention of {topic} overtook offset {offset}; records are gone"
    return Stopped(f"{gone}: restore the log, {_or_reset(topic)}")


def _or_reset(topic: str) -> str:
    return f"or give them up with `refex progress reset {topic} --accept-loss`"


def fresh(
    batch: Iterable[Run[T]], before: Mapping[Place, int], holes: Collection[Place]
) -> tuple[list[T], dict[Place, int], dict[Place, int]]:
    """The records not yet applied, the offsets after them, and the places where an offset is missing."""
    after, gaps = dict(before), dict[Place, int]()
    found: list[T] = []
    for given in batch:
        place = given.place
        if place not in after or place in gaps:
            continue
        run = given.since(after[place])
        if not run.records:
            continue
        whole = len(run.records)
        taken = whole if place in holes else run.unbroken(after[place])
        if taken:
            after[place] = run.offsets[taken - 1] + 1
            found += run.records if taken == whole else run.records[:taken]
        if taken < whole:
            gaps[place] = after[place]
    return found, after, gaps
