"""The SDK on a real broker: a sender publishes, hears back, amends, cancels, and outlives a killed broker."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from producers.feedback import Feedback, FeedbackReader
from producers.producer import RecordProducer
from producers.publisher import NotPermitted, ReferralPublisher
from referrals import ids
from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real
ME = "lakeview-health"


def body(**more: Any) -> dict[str, Any]:
    name = f"SDK-{uuid4()}"
    return {
        "sender_referral_id": name,
        "person": {
            "person_id": f"P-{name}",
            "given_name": "Ana",
            "family_name": "Ruiz-Test",
            "birth_date": "1980-02-01",
            "address": {"postal_code": "94607"},
        },
        "need": {"domain": "food-insecurity"},
        "consent": {"status": "active"},
    } | more


@asynccontextmanager
async def reader(exchange: RunningExchange, name: str = "") -> AsyncIterator[FeedbackReader]:
    login = exchange.kafka_login(ME)
    async with FeedbackReader(
        bootstrap=login.bootstrap,
        organization=ME,
        username=login.username,
        password=login.password,
        name=name or f"test-{uuid4()}",
    ) as found:
        yield found


async def heard(exchange: RunningExchange, referral: str, status: str) -> list[Feedback]:
    """What the sender hears about a referral until it has that status."""
    facts: list[Feedback] = []
    async with asyncio.timeout(30), reader(exchange) as listening:
        async for fact in listening:
            if fact.referral_id == referral:
                facts.append(fact)
                if fact.status == status:
                    return facts
    raise AssertionError("unreachable")


async def test_a_referral_is_published_amended_and_cancelled_and_its_sender_hears_it(
    exchange: RunningExchange,
) -> None:
    mine = body()
    async with exchange.publisher(ME) as publisher:
        sent = await publisher.submit(mine)
        assert (await publisher.submit(mine)).id == sent.id
        await publisher.amend(mine | {"priority": "urgent"})
        await publisher.cancel(mine["sender_referral_id"], "need-met")
    facts = await heard(exchange, str(sent.id), "cancelled")
    assert [f.version for f in facts] == list(range(1, len(facts) + 1))
    kinds = [f.type for f in facts]
    assert kinds[0] == "referral-received" and kinds.count("referral-received") == 1
    assert "referral-amended" in kinds and kinds[-1] == "referral-cancelled"


async def test_records_lie_where_a_java_client_would_put_them(exchange: RunningExchange) -> None:
    async with exchange.publisher(ME) as publisher:
        sent = await publisher.submit_many([body() for _ in range(20)])
    for one in sent:
        assert one.topic == f"intake.{ME}"
        assert one.partition == (ids.murmur2(str(one.id).encode()) & 0x7FFFFFFF) % 8
    assert len({one.partition for one in sent}) > 1


async def test_a_record_that_cannot_be_read_is_refused_with_its_place(exchange: RunningExchange) -> None:
    from producers.envelope import Record

    event = uuid4()
    record = Record(f"intake.{ME}", str(event).encode(), ids.lane(event), b"not avro", event)
    async with RecordProducer(exchange.kafka_login(ME)) as producer:
        placed = (await producer.send([record]))[0]
    async with asyncio.timeout(30), reader(exchange) as listening:
        async for fact in listening:
            if fact.is_refusal and (fact.partition, fact.offset) == (placed.partition, placed.offset):
                break
    assert fact.topic == f"intake.{ME}" and fact.reason == "undecodable" and fact.detail


async def test_a_reader_goes_on_where_it_ended_and_repeats_what_was_not_handled(
    exchange: RunningExchange,
) -> None:
    name = f"test-{uuid4()}"
    async with exchange.publisher(ME) as publisher:
        await publisher.submit_many([body() for _ in range(5)])
    seen: list[str] = []
    async with asyncio.timeout(40):
        async with reader(exchange, name) as first:
            async for fact in first:
                seen.append(fact.event_id + fact.type)
                if len(seen) == 3:
                    break
        with pytest.raises(RuntimeError, match="crash"):
            async with reader(exchange, name) as crashing:
                async for fact in crashing:
                    failed = fact.event_id + fact.type
                    raise RuntimeError("crash")
        again: list[str] = []
        async with reader(exchange, name) as second:
            async for fact in second:
                again.append(fact.event_id + fact.type)
                if failed in again:
                    break
    assert failed in again
    assert not set(seen) & set(again)


async def test_another_organization_is_not_served(exchange: RunningExchange) -> None:
    login = exchange.kafka_login(ME)
    async with ReferralPublisher(
        bootstrap=login.bootstrap,
        organization="riverside-clinic",
        username=login.username,
        password=login.password,
    ) as publisher:
        with pytest.raises(NotPermitted):
            await publisher.submit(body())


async def test_a_killed_broker_loses_nothing_that_was_promised(exchange: RunningExchange) -> None:
    before = exchange.pids["kafka"]
    many = [body() for _ in range(60)]
    async with exchange.publisher(ME) as publisher:
        await publisher.submit(many[0])
        os.kill(before, signal.SIGKILL)
        sent = await asyncio.gather(*(publisher.submit(one) for one in many))

    async def all_there() -> bool:
        async with exchange.database() as connection:
            wanted = [s.id for s in sent]
            return bool(
                await connection.fetchval(
                    "select count(*) = 60 from referral where id = any ($1::uuid[])", wanted
                )
            )

    await until(all_there, timeout_s=60)
    after = exchange.pids["kafka"]
    assert after != before
    async with exchange.database() as connection:
        wanted = [s.id for s in sent]
        versions = await connection.fetch(
            "select stream_id from history where stream_id = any ($1::uuid[]) and type = 'referral-received'",
            wanted,
        )
    assert len(versions) == 60
