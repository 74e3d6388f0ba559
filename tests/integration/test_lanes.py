"""Three workers, commands for the same referrals on different topics and wrong partitions at once.

Kafka's placement is never relied on: histories must stay 1..n and legal whatever partition a sender chose.
"""

import asyncio
import random
from datetime import UTC, datetime
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer

from producers import envelope
from producers.envelope import Record, Said
from referrals import check, ids
from tests.support.audit import violations
from tests.support.lag import relayed
from tests.support.load import synthetic
from tests.support.running import RunningExchange, until

REFERRALS = 40
pytestmark = pytest.mark.real
CLINIC = "lakeview-health"


def said(organization: str, *parts: str) -> Said:
    return Said(ids.event_id(organization, "lanes", *parts), organization, datetime.now(UTC))


def commands(number: int, organizations: list[str]) -> list[Record]:
    """Everything at once: the submission twice by two doors, an amendment, answers by every CBO, a cancel."""
    body = synthetic(number) | {"sender_referral_id": f"LANES-{number}"}
    now = datetime.now(UTC)
    first, second = check.submission(body, now), check.submission(body | {"priority": "urgent"}, now)
    referral = ids.referral_id(CLINIC, first.sender_referral_id)
    made = [
        envelope.submitted(said(CLINIC, str(number), "kafka"), first),
        envelope.submitted(said(CLINIC, str(number), "api")._replace(channel="api"), first, "intake.api"),
        envelope.submitted(said(CLINIC, str(number), "amend"), second),
    ]
    for action, reason in (("accept", None), ("reject", "no-capacity"), ("accept", None), ("start", None)):
        for organization in organizations:
            name = said(organization, str(number), action, str(len(made)))
            made.append(envelope.responded(name, referral, action, reason=reason))
    if number % 4 == 0:
        made.append(
            envelope.cancelled(said(CLINIC, str(number), "cancel"), first.sender_referral_id, "need-met")
        )
    return made


async def scatter(exchange: RunningExchange, records: list[Record], seed: int) -> None:
    """Send every record to a partition drawn at random, in random order, from several producers."""
    chance = random.Random(seed)
    chance.shuffle(records)
    producer = AIOKafkaProducer(**exchange.kafka_login().aiokafka(), acks="all", enable_idempotence=True)
    await producer.start()
    try:
        sends = []
        for record in records:
            partitions = sorted(await producer.partitions_for(record.topic))
            place = chance.choice(partitions)
            sends.append(await producer.send(record.topic, record.value, record.key, partition=place))
        await asyncio.gather(*sends)
    finally:
        await producer.stop()


async def test_histories_stay_whole_whatever_the_partition(exchange: RunningExchange) -> None:
    cbos = [o["id"] for o in exchange.organizations if o["type"] == "cbo"][:6]
    records = [record for number in range(REFERRALS) for record in commands(number, cbos)]
    events: set[UUID] = {record.event_id for record in records}
    assert len(exchange.pids["workers"]) == 3
    await asyncio.gather(*(scatter(exchange, records[n::3], seed=n) for n in range(3)))

    async def all_answered() -> bool:
        async with exchange.database() as database:
            found = await database.fetchval(
                "select count(*) from inbox where event_id = any ($1::uuid[])", events
            )
        return bool(found == len(events))

    await until(all_answered, timeout_s=60)

    await until(lambda: relayed(exchange), timeout_s=30)
    async with exchange.database() as database:
        assert await violations(database, exchange.kafka_login(), events) == []
