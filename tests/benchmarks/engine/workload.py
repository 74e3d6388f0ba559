"""The common workload: referral life cycles as flat Avro events, with duplicates, disorder and poison, from one seed.

Comes in: how many records, a seed. Goes out: records by partition, and what the tables must hold afterwards.
Must never depend on a contestant.
"""

import hashlib
import io
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import fastavro
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from infra.kafka import KafkaLogin

Row = tuple[Any, ...]
PARTITIONS = 4
STEPS = (
    "received",
    "requested",
    "accepted",
    "in-progress",
    "on-hold",
    "in-progress",
    "in-progress",
    "completed",
)
DUPLICATES, DISORDER, POISON = 0.03, 0.01, 0.001
FRAME = b"\x00\x00\x00\x00\x63"
FIELDS = [
    {"name": name, "type": type}
    for name, type in (
        ("event_id", "string"),
        ("referral_id", "string"),
        ("seq", "int"),
        ("type", "string"),
        ("status", "string"),
        ("organization", "string"),
        ("contract", "string"),
        ("at", "long"),
        ("payload", "bytes"),
    )
]
SCHEMA: Any = fastavro.parse_schema({"type": "record", "name": "BenchEvent", "fields": FIELDS})


class Manifest(NamedTuple):
    """What every contestant's tables must hold when all records are through."""

    records: int
    events: int
    dead: int
    totals: dict[str, int]
    states: str


def encode(event: dict[str, Any]) -> bytes:
    """Confluent framing, then Avro."""
    out = io.BytesIO()
    out.write(FRAME)
    fastavro.schemaless_writer(out, SCHEMA, event)
    return out.getvalue()


def decode(value: bytes) -> dict[str, Any]:
    """One event; raises ValueError for anything that is none."""
    if value[:5] != FRAME:
        raise ValueError("not an event of this workload")
    event = fastavro.schemaless_reader(io.BytesIO(value[5:]), SCHEMA, None)
    if not isinstance(event, dict):
        raise TypeError("a record was expected")
    return event


def row(value: bytes) -> Row:
    """One event as the row that every Python contestant writes; raises ValueError for poison.

    Ids stay text: asyncpg turns them into a uuid in C, which uuid.UUID does in 0.8 us each.
    """
    e = decode(value)
    at = datetime.fromtimestamp(e["at"] / 1000, UTC)
    texts = (e["type"], e["status"], e["organization"], e["contract"])
    return (e["event_id"], e["referral_id"], e["seq"], *texts, at, e["payload"])


def made(records: int, seed: int) -> tuple[list[list[bytes]], Manifest]:
    """The values of every partition in order, and the manifest."""
    rng = random.Random(seed)
    log: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
    totals, latest, events, dead = Counter[str](), dict[str, tuple[int, str]](), 0, 0
    for partition, event in _shuffled(_events(records, rng), rng):
        if rng.random() < POISON:
            log[partition].append(b"\x00poison" + rng.randbytes(20))
            dead += 1
        value = encode(event)
        log[partition].append(value)
        events += 1
        totals[event["contract"]] += 1
        latest[event["referral_id"]] = max(
            latest.get(event["referral_id"], (0, "")), (event["seq"], event["status"])
        )
        if rng.random() < DUPLICATES:
            log[partition].append(value)
    text = ",".join(f"{id}:{seq}:{status}" for id, (seq, status) in sorted(latest.items()))
    states = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return log, Manifest(sum(map(len, log)), events, dead, dict(totals), states)


def _events(records: int, rng: random.Random) -> list[tuple[int, dict[str, Any]]]:
    """Eight steps each of many referrals, several hundred of them open at a time."""
    found: list[tuple[int, dict[str, Any]]] = []
    open_now: list[tuple[UUID, int, int]] = []
    for _ in range(records):
        if len(open_now) < 500:
            open_now.append((UUID(int=rng.getrandbits(128), version=4), 1, rng.randrange(8)))
        place = rng.randrange(len(open_now))
        referral, seq, contract = open_now[place]
        event = {
            "event_id": str(UUID(int=rng.getrandbits(128), version=4)),
            "referral_id": str(referral),
            "seq": seq,
            "type": f"referral-{STEPS[seq - 1]}",
            "status": STEPS[seq - 1],
            "organization": f"cbo-{rng.randrange(200)}",
            "contract": f"contract-{contract}",
            "at": 1_790_000_000_000 + len(found),
            "payload": rng.randbytes(110),
        }
        found.append((referral.int % PARTITIONS, event))
        if seq == len(STEPS):
            open_now[place] = open_now[-1]
            open_now.pop()
        else:
            open_now[place] = (referral, seq + 1, contract)
    return found


def _shuffled(events: list[tuple[int, Any]], rng: random.Random) -> list[tuple[int, Any]]:
    """One in a hundred events comes some places late."""
    for n in range(len(events) - 20):
        if rng.random() < DISORDER:
            m = n + rng.randint(1, 20)
            events[n], events[m] = events[m], events[n]
    return events


async def publish(login: KafkaLogin, topic: str, log: list[list[bytes]]) -> None:
    """All of it, durably, before the first contestant starts."""
    producer = AIOKafkaProducer(**login.aiokafka(), acks="all", enable_idempotence=True, linger_ms=5)
    await producer.start()
    try:
        for partition, values in enumerate(log):
            batch = producer.create_batch()
            for value in values:
                if batch.append(key=None, value=value, timestamp=None) is None:
                    await producer.send_batch(batch, topic, partition=partition)
                    batch = producer.create_batch()
                    batch.append(key=None, value=value, timestamp=None)
            await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()


def places(topic: str) -> list[TopicPartition]:
    """Every partition of the topic."""
    return [TopicPartition(topic, n) for n in range(PARTITIONS)]
