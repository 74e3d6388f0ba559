"""What the oracle asks Kafka: ends and committed offsets, and whether the topics of facts are history, lane by lane.

Comes in: an administrator's login, the owner's snapshot. Goes out: offsets, a Rule. Memory holds a digest per lane.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from hashlib import sha256
from typing import Any, NamedTuple

import asyncpg
from confluent_kafka import ConsumerGroupTopicPartitions

from cli.ledger_checks import NAMED, SQL, Place, Rule
from infra import topics
from infra.kafka import KafkaLogin
from stream_processors import logreading

TIMEOUT_S = 20.0


class Offsets(NamedTuple):
    """Where the consumed topics end, and what the exchange's group has committed, at one moment."""

    ends: dict[Place, int]
    committed: dict[Place, int]


async def offsets(login: KafkaLogin, group: str) -> Offsets:
    """Read before the snapshot: Postgres may only have moved on since. Raises TopicsError."""
    committed = await asyncio.to_thread(_committed, login, group)
    listed = await topics.listing(login)
    ends = {
        (t.name, n): end for t in listed for n, end in enumerate(t.end_offsets) if end > t.start_offsets[n]
    }
    return Offsets(ends, committed)


def _committed(login: KafkaLogin, group: str) -> dict[Place, int]:
    broker = topics.administrator(login)
    asked = broker.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group)], request_timeout=TIMEOUT_S
    )
    found = asked[group].result(TIMEOUT_S).topic_partitions
    return {(p.topic, p.partition): p.offset for p in found if p.offset >= 0}


class _Lane:
    """What one topic holds of one lane: how many facts in order, and their digest."""

    def __init__(self) -> None:
        self.facts = 0
        self.newest = 0
        self.disorder = 0
        self._digest = sha256()

    def add(self, lane_seq: int, *content: object) -> None:
        """One fact; one that is not above the newest is published twice or out of order."""
        if lane_seq <= self.newest:
            self.disorder += 1
            return
        self.facts += 1
        self.newest = lane_seq
        self._digest.update(repr((lane_seq, *content)).encode())

    def differs(self, other: "_Lane") -> int:
        """How many facts the other has more or less or in disorder; 1 when only their content differs."""
        count = abs(self.facts - other.facts) + self.disorder + other.disorder
        return count or int(self._digest.digest() != other._digest.digest())


Lanes = dict[tuple[bool, int], _Lane]


async def published(connection: asyncpg.Connection, login: KafkaLogin) -> Rule:
    """Whether both topics hold history up to where it is published: each fact once, in order, byte for byte."""
    upto = {r["lane"]: r["upto"] for r in await connection.fetch(SQL["relayed"])}
    recorded = await _recorded(connection, upto)
    read = await _read(login, upto)
    wrong = {key: recorded[key].differs(read[key]) for key in recorded}
    named = [
        f"{'referral.event' if key[0] else 'exchange.event'} lane {key[1]}" for key, n in wrong.items() if n
    ]
    return Rule(sum(lane.facts for lane in recorded.values()), sum(wrong.values()), named[:NAMED])


def _empty(upto: dict[int, int]) -> Lanes:
    return {(referral, lane): _Lane() for referral in (True, False) for lane in upto}


async def _recorded(connection: asyncpg.Connection, upto: dict[int, int]) -> Lanes:
    found = _empty(upto)
    for lane, end in upto.items():
        async for r in connection.cursor(SQL["lane_facts"], lane, end, prefetch=2000):
            content: tuple[Any, ...] = (*r.values(),)
            found[r["kind"] == "referral", lane].add(*content)
    return found


async def _read(login: KafkaLogin, upto: dict[int, int]) -> Lanes:
    found = _empty(upto)
    async with aclosing(logreading.facts(login)) as batches:
        async for lane, seq, row in _one_by_one(batches):
            if seq <= upto.get(lane, 0):
                content = (row.kind, row.stream_id, row.version, row.type, row.event_id, row.data, row.sealed)
                found[row.kind == "referral", lane].add(seq, *content)
    return found


async def _one_by_one(batches: AsyncIterator[list[logreading.Fact]]) -> AsyncIterator[logreading.Fact]:
    async for batch in batches:
        for fact in batch:
            yield fact
