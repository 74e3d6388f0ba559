"""The books must balance: history against state, inbox and lanes in Postgres, and against referral.event in Kafka.

Comes in: the owner's connection and the administrator's login. Goes out: a list of violations, empty when all holds.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import structs

from avro_schemas import codec, topics
from infra.kafka import KafkaLogin
from infra.kafka_identity import partition_counts
from referrals.events import Event, Fact
from referrals.evolve import evolve
from referrals.state import Referral


async def violations(connection: asyncpg.Connection, login: KafkaLogin, acked: Collection[UUID]) -> list[str]:
    """Everything that is wrong, in words; `acked` are event ids the broker acknowledged."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = [*await _inbox(connection, acked), *await _lanes(connection), *await _states(connection)]
        facts = {
            (r["stream_id"], r["version"])
            for r in await connection.fetch("select stream_id, version from history where kind = 'referral'")
        }
    return [*found, *await _topic(login, facts)]


async def _inbox(connection: asyncpg.Connection, acked: Collection[UUID]) -> list[str]:
    rows = await connection.fetch("select event_id, count(*) as n from inbox group by event_id")
    seen = {r["event_id"]: r["n"] for r in rows}
    lost = [str(e) for e in acked if e not in seen]
    doubled = [str(e) for e, n in seen.items() if n > 1]
    idle = await connection.fetch(
        "select event_id from inbox i where outcome = 'applied' and not exists"
        " (select from history h where h.event_id = i.event_id)"
    )
    foreign = await connection.fetch(
        "select distinct event_id from history h where kind <> 'refusal' and not exists"
        " (select from inbox i where i.event_id = h.event_id)"
    )
    return [
        *([f"lost {len(lost)}: {lost[:3]}"] if lost else []),
        *([f"doubled {len(doubled)}: {doubled[:3]}"] if doubled else []),
        *([f"applied without a fact: {len(idle)}"] if idle else []),
        *([f"facts of unknown events: {len(foreign)}"] if foreign else []),
    ]


async def _lanes(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch(
        "select l.lane, l.seq, count(h.lane_seq) as n, coalesce(min(h.lane_seq), 1) as low,"
        " coalesce(max(h.lane_seq), 0) as high from lane l left join history h using (lane) group by l.lane, l.seq"
    )
    return [
        f"lane {r['lane']}: seq {r['seq']}, rows {r['n']}, {r['low']}..{r['high']}"
        for r in rows
        if not (r["seq"] == r["n"] == r["high"] and r["low"] == 1)
    ]


async def _states(connection: asyncpg.Connection) -> list[str]:
    """Fold every referral's facts anew and compare with the stored state and hops."""
    histories: dict[UUID, list[Any]] = defaultdict(list)
    for row in await connection.fetch(
        "select stream_id, version, at, data, sealed from history where kind = 'referral'"
        " order by stream_id, version"
    ):
        histories[row["stream_id"]].append(row)
    stored = {
        r["id"]: r for r in await connection.fetch("select id, state, sealed, version, status from referral")
    }
    hops = Counter(r["referral_id"] for r in await connection.fetch("select referral_id from hop"))
    found = []
    if set(histories) != set(stored):
        found.append(f"{len(set(histories) ^ set(stored))} referrals have facts or a state, not both")
    for id, rows in histories.items():
        if [r["version"] for r in rows] != list(range(1, len(rows) + 1)):
            found.append(f"{id}: versions {[r['version'] for r in rows]}")
            continue
        state: Referral | None = None
        for row in rows:
            state = evolve(
                state, id, Fact(msgspec.json.decode(row["data"], type=Event), row["sealed"]), row["at"]
            )
        assert state is not None
        kept = msgspec.json.decode(stored[id]["state"], type=Referral) if id in stored else None
        if (
            kept != structs.replace(state, sealed=b"", outcome_sealed=b"")
            or stored[id]["sealed"] != state.sealed
        ):
            found.append(f"{id}: the fold of its facts is not its state")
        if hops[id] != len(state.hops):
            found.append(f"{id}: {hops[id]} hop rows, {len(state.hops)} hops")
    return found


async def _topic(login: KafkaLogin, facts: set[tuple[UUID, int]]) -> list[str]:
    published = await read_all(login, topics.REFERRAL_EVENT)
    seen: Counter[tuple[UUID, int]] = Counter()
    newest: dict[UUID, int] = defaultdict(int)
    disorder = 0
    for record in published:
        id, version = UUID(record["referral_id"]), int(record["version"])
        seen[id, version] += 1
        disorder += version != newest[id] + 1
        newest[id] = version
    twice = [k for k, n in seen.items() if n > 1]
    return [
        *([f"referral.event lacks {len(facts - set(seen))} facts"] if facts - set(seen) else []),
        *([f"referral.event has {len(set(seen) - facts)} unknown facts"] if set(seen) - facts else []),
        *([f"referral.event has {len(twice)} facts twice"] if twice else []),
        *([f"referral.event has {disorder} facts out of order"] if disorder else []),
    ]


async def read_all(login: KafkaLogin, topic: str) -> list[dict[str, Any]]:
    """Every record of a topic as it is now, decoded, partition by partition."""
    consumer = AIOKafkaConsumer(**login.aiokafka(), enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        count = (await asyncio.to_thread(partition_counts, login))[topic]
        places = [TopicPartition(topic, n) for n in range(count)]
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        await consumer.seek_to_beginning()
        found: list[dict[str, Any]] = []
        while any([await consumer.position(p) < ends[p] for p in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [codec.decode(record.value, topics.LARGEST_TOLD)[1] for record in records]
        return found
    finally:
        await consumer.stop()
