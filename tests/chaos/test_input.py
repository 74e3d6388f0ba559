"""Input as bad networks and retrying senders make it: doubled, under other keys and partitions, out of order, late.

What one delivery in order makes of the same events is the measure. Where the rules promise it (a submission, and a
submission with its cancel in any order) the end is the same; a whole topic sent again has no effect at all.
"""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from avro_schemas import topics
from infra.kafka_identity import partition_counts
from producers.envelope import Record, Said, cancelled, submitted
from producers.producer import RecordProducer
from referrals import check, ids
from tests.support.load import synthetic
from tests.support.rig import SEED, Rig

pytestmark = pytest.mark.real
SENDER = "golden-health-plan"
WINDOW = 50
LATE = timedelta(days=7)
AT_ONCE = 200
STATE = (
    "select md5(string_agg(t::text, '|' order by t::text)) from (select id, version, status, state from referral"
    " where sender = $1) t"
)


def events(name: str, number: int) -> list[Record]:
    """The n-th referral: submitted, every third cancelled, every tenth told of a week late."""
    now = datetime.now(UTC)
    body = synthetic(number) | {"sender_referral_id": f"{name}-{number}"}
    person = {
        "person_id": f"{name}-{number}",
        "given_name": f"{name}{number}",
        "family_name": f"S{name}{number}",
    }
    body["person"] = body["person"] | person
    said = Said(ids.event_id(SENDER, name, str(number)), SENDER, now - LATE if number % 10 == 0 else now)
    made = [submitted(said, check.submission(body, now))]
    if number % 3 == 0:
        back = Said(ids.event_id(SENDER, name, "cancel", str(number)), SENDER, now)
        made.append(cancelled(back, f"{name}-{number}", "need-met"))
    return made


def worse(records: Sequence[Record], chance: random.Random) -> list[Record]:
    """Each one to five times, copies under another key and in another partition, all shuffled within a window."""
    copies = [
        record if copy == 0 else record._replace(key=str(uuid4()).encode(), lane=chance.randrange(ids.LANES))
        for record in records
        for copy in range(chance.randint(1, 5))
    ]
    places = sorted(range(len(copies)), key=lambda n: n + chance.random() * WINDOW)
    return [copies[n] for n in places]


async def send(rig: Rig, records: Sequence[Record]) -> None:
    """Through the sender's own login, in this order; each event intended first."""
    topic = topics.intake(SENDER)
    seqs = {r.event_id: await rig.ledger.intend(SENDER, topic, UUID(r.key.decode())) for r in first(records)}
    async with RecordProducer(rig.exchange.kafka_login(SENDER), "input", timeout_s=30) as producer:
        for start in range(0, len(records), AT_ONCE):
            some = records[start : start + AT_ONCE]
            for record, placed in zip(some, await producer.send(some), strict=True):
                if (seq := seqs.pop(record.event_id, None)) is not None:
                    await rig.ledger.acked(seq, record.event_id, placed.partition, placed.offset)


def first(records: Sequence[Record]) -> list[Record]:
    """One copy of each event, under its own key."""
    found: dict[UUID, Record] = {}
    for record in records:
        key = ids.lane(UUID(record.key.decode())) == record.lane
        if record.event_id not in found or key:
            found[record.event_id] = record
    return list(found.values())


async def ends_of(rig: Rig, name: str, count: int) -> Counter[tuple[int, str]]:
    """Referral number and how it ended."""
    numbers = {ids.referral_id(SENDER, f"{name}-{n}"): n for n in range(count)}
    async with rig.exchange.database() as database:
        rows = await database.fetch(
            "select id, status from referral where id = any ($1::uuid[])", list(numbers)
        )
    return Counter((numbers[r["id"]], r["status"]) for r in rows)


async def effects(rig: Rig) -> dict[str, Any]:
    """Everything that more input might have changed."""
    async with rig.exchange.database() as database:
        counted = {
            table: await database.fetchval(f"select count(*) from {table}")
            for table in ("history", "inbox", "dead_letter", "rejected_command", "referral", "hop")
        }
        return counted | {"state": await database.fetchval(STATE, SENDER)}


async def log_of(rig: Rig, topic: str) -> list[Record]:
    """Every record of a topic as it lies there."""
    login = rig.exchange.kafka_login()
    consumer = AIOKafkaConsumer(**login.aiokafka(), enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [
            TopicPartition(topic, n) for n in range((await asyncio.to_thread(partition_counts, login))[topic])
        ]
        last = await consumer.end_offsets(places)
        consumer.assign(places)
        found: list[Record] = []
        while any([await consumer.position(p) < last[p] for p in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [Record(topic, r.key, r.partition, r.value, ids.origin_id(*_at(r))) for r in records]
        return found
    finally:
        await consumer.stop()


def _at(record: Any) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset


async def bad_input(rig: Rig, count: int) -> None:
    """The same referrals once in order and once as bad as it gets; then the whole topic once more."""
    chance = random.Random(SEED)
    name = hashlib.sha256(str(rig.random.random()).encode()).hexdigest()[:6]
    good, bad = f"G{name}", f"B{name}"
    await send(rig, [record for n in range(count) for record in events(good, n)])
    made = worse([record for n in range(count) for record in events(bad, n)], chance)
    await send(rig, made)
    await rig.settled()
    wanted, found = await ends_of(rig, good, count), await ends_of(rig, bad, count)
    assert sum(wanted.values()) == count
    assert found == wanted, (
        f"other ends: {list((wanted - found).items())[:5]}, {list((found - wanted).items())[:5]}"
    )
    rig.tell("bad input", events=len(first(made)), records=len(made))

    before = await effects(rig)
    again = await log_of(rig, topics.intake(SENDER))
    chance.shuffle(again)
    async with RecordProducer(rig.exchange.kafka_login(SENDER), "again", timeout_s=30) as producer:
        for start in range(0, len(again), AT_ONCE):
            await producer.send(again[start : start + AT_ONCE])
    await rig.settled()
    assert await effects(rig) == before, "a whole topic sent again has no effect"
    rig.tell("whole topic again", records=len(again))


async def test_core_doubled_reordered_late_input_ends_as_one_delivery_in_order(core: Rig) -> None:
    await bad_input(core, 600)
    await core.verdict("input-core")


@pytest.mark.long
async def test_whole_twenty_thousand_events_of_bad_input(whole: Rig) -> None:
    await bad_input(whole, 15_000)
    await whole.verdict("input")
