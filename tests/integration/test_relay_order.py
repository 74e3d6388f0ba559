"""The relay against a real Postgres and a broker that takes all or nothing: order, and when a position moves."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError

from infra.kafka import KafkaLogin
from infra.postgres import connect, pool
from producers import envelope
from producers.envelope import Record, Said
from referrals import check, ids
from stream_processors.decode import Raw
from stream_processors.exchange import Exchange
from stream_processors.outbox import HEADER
from stream_processors.relay import GROUPS, Relay
from tests.support.api import Api
from tests.support.referrals import body
from tests.support.vault import vault

pytestmark = pytest.mark.real
CLINIC, TOPIC = "clinic-a", "intake.clinic-a"
NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
REFERRAL = ids.referral_id(CLINIC, "R-1")
GROUP = ids.lane(REFERRAL) % GROUPS
PENDING = """
select count(*) from history join relay_position using (lane) where lane_seq >= next_seq and lane % 4 = $1
"""
NOTHING: frozenset[tuple[str, int, int]] = frozenset()


class Placed(NamedTuple):
    """What a broker answers."""

    topic: str
    partition: int
    offset: int


class Broker:
    """Takes every record, or refuses the acknowledgement of every one."""

    def __init__(self, away: bool = False) -> None:
        self._away = away
        self.taken: list[tuple[str, int, int]] = []

    async def partitions_for(self, topic: str) -> set[int]:
        return {0}

    async def send(self, topic: str, *, headers: list[tuple[str, bytes]], **_: Any) -> asyncio.Future[Placed]:
        lane, seq = dict(headers)[HEADER].decode().split(":")
        answer: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()
        if self._away:
            answer.set_exception(KafkaConnectionError())
        else:
            self.taken.append((topic, int(lane), int(seq)))
            answer.set_result(Placed(topic, 0, len(self.taken)))
        return answer


class Bench(NamedTuple):
    """One lane group's relay, its session, and the owner's connection; a referral's facts wait to be published."""

    relay: Relay
    session: asyncpg.Connection
    owner: asyncpg.Connection

    async def step(self, broker: Broker, published: frozenset[tuple[str, int, int]] = NOTHING) -> bool:
        return await self.relay._step(self.session, broker, published)

    async def pending(self) -> int:
        return int(await self.owner.fetchval(PENDING, GROUP))


@pytest.fixture
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with Api(tmp_path_factory.mktemp("relay")) as api:
        async with await pool(api.url, "worker") as connections, api.owner() as owner:
            for partition in (0, 1):
                await owner.execute("insert into progress values ($1, $2, 0, 'c', 't')", TOPIC, partition)
            exchange = Exchange(connections, vault())
            submitted = envelope.submitted(
                Said(ids.event_id(CLINIC, "s"), CLINIC, NOW), check.submission(body(), NOW)
            )
            cancelled = envelope.cancelled(Said(ids.event_id(CLINIC, "x"), CLINIC, NOW), "R-1", "need-met")
            await exchange.apply([_raw(submitted, 1, NOW)])
            await exchange.apply([_raw(cancelled, 0, NOW - timedelta(hours=1))])
            session = await connect(api.url, "relay")
            yield Bench(Relay(api.url, KafkaLogin(bootstrap=""), GROUP), session, owner)
            await session.close()


def _raw(record: Record, partition: int, at: datetime) -> Raw:
    """Later in its lane, but of a partition whose log is an hour behind."""
    return Raw(TOPIC, partition, 0, record.key, record.value, at)


async def test_facts_leave_in_the_order_of_their_lane(bench: Bench) -> None:
    broker = Broker()
    assert await bench.step(broker)
    numbers = [seq for topic, lane, seq in broker.taken if lane == ids.lane(REFERRAL)]
    assert len(numbers) >= 4 and numbers == sorted(numbers)
    assert await bench.pending() == 0


async def test_what_the_broker_did_not_take_is_still_to_be_published(bench: Bench) -> None:
    waiting = await bench.pending()
    with pytest.raises(KafkaConnectionError):
        await bench.step(Broker(away=True))
    assert await bench.pending() == waiting > 0
    broker = Broker()
    assert await bench.step(broker) and not await bench.step(broker)
    assert len({(lane, seq) for _, lane, seq in broker.taken}) == waiting


async def test_what_was_published_before_is_not_published_again(bench: Bench) -> None:
    before = Broker()
    await bench.step(before)
    await bench.owner.execute("update relay_position set next_seq = 1")  # it died before this was saved
    again = Broker()
    assert await bench.step(again, frozenset(before.taken))
    assert again.taken == [] and await bench.pending() == 0
