"""Exact capacity on a real Postgres: two workers, more people than places; records that add up over workers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import pytest

from infra.postgres import pool
from producers import envelope
from producers.envelope import Record, Said
from referrals import check, ids
from referrals.service_record import Record as Told
from stream_processors import service_record
from stream_processors.decode import Raw
from stream_processors.exchange import Exchange
from tests.support.api import Api
from tests.support.referrals import body, service
from tests.support.vault import vault

pytestmark = pytest.mark.real
CLINIC = "clinic-a"
NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
TOPIC = f"intake.{CLINIC}"
BATCH = 25
ANSWERS = "referral.response"


class Bench(NamedTuple):
    """Two workers on a fresh database, a pool like theirs, and its owner's connection."""

    workers: tuple[Exchange, Exchange]
    connections: asyncpg.Pool
    owner: asyncpg.Connection


@pytest.fixture
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with (
        Api(tmp_path_factory.mktemp("capacity")) as api,
        await pool(api.url, "worker") as one,
        await pool(api.url, "worker") as two,
        api.owner() as owner,
    ):
        for partition in (0, 1):
            await owner.execute("insert into progress values ($1, $2, 0, 'c', 't')", TOPIC, partition)
        yield Bench((Exchange(one, vault()), Exchange(two, vault())), one, owner)


async def states(bench: Bench, organization: str, number: int, at: datetime = NOW, **said: Any) -> None:
    """What a CBO says of its service's room, as the n-th such fact."""
    who = Said(ids.event_id(organization, "room", str(number)), organization, at)
    record = envelope.capacity_changed(who, UUID(service(organization).id), said)
    offset = await bench.owner.fetchval("select next_offset from progress where topic = 'directory.change'")
    await bench.workers[0].apply([Raw("directory.change", 0, offset, record.key, record.value, at)])


def submissions(count: int, partition: int, start: int = 0) -> list[Raw]:
    """People whose referrals fall in lanes of this parity: two workers then never wait for each other's lanes."""
    found: list[Raw] = []
    number = start
    while len(found) < count:
        number += 1
        name = f"SLOT-{partition}-{number}"
        if ids.lane(ids.referral_id(CLINIC, name)) % 2 != partition:
            continue
        made = body(name, person=body()["person"] | {"person_id": f"P-{partition}-{number}"})
        record = envelope.submitted(
            Said(ids.event_id(CLINIC, name), CLINIC, NOW), check.submission(made, NOW)
        )
        found.append(Raw(TOPIC, partition, len(found), record.key, record.value, NOW))
    return found


async def worked(exchange: Exchange, raws: list[Raw]) -> None:
    """In batches, one after another, as a worker does; what another worker's lock ended is tried again."""
    for first in range(0, len(raws), BATCH):
        for _ in range(20):
            try:
                await exchange.apply(raws[first : first + BATCH])
                break
            except asyncpg.DeadlockDetectedError:
                continue


async def asked(bench: Bench) -> Counter[str]:
    rows = await bench.owner.fetch("select recipient from hop where status = 'requested'")
    return Counter(r["recipient"] for r in rows)


async def statuses(bench: Bench) -> Counter[str]:
    return Counter(r["status"] for r in await bench.owner.fetch("select status from referral"))


async def taken(bench: Bench, version: int = 1) -> int | None:
    query = "select taken from service_capacity where tenant = 'food-a' and version = $1"
    found: int | None = await bench.owner.fetchval(query, version)
    return found


async def both(bench: Bench, count: int) -> None:
    one, two = bench.workers
    await asyncio.gather(worked(one, submissions(count, 0)), worked(two, submissions(count, 1)))


async def test_of_three_hundred_for_one_slot_one_gets_it_and_the_others_the_next_service(
    bench: Bench,
) -> None:
    await states(bench, "food-a", 0, available=1)
    await both(bench, 150)
    assert await asked(bench) == {"food-a": 1, "food-b": 299}
    assert await taken(bench) == 1
    why = await bench.owner.fetchval(
        "select decision::text from referral where recipients = '{food-b}' and decision::text like '%capacity%' limit 1"
    )
    assert "the one place of 2026-11-02 is taken" in why
    written = await bench.owner.fetchval("select count(*) from service_record where asked + accepted > 0")
    assert written == 0, "submissions write no record of a service"


async def test_where_there_is_no_next_service_a_person_at_the_hub_looks(bench: Bench) -> None:
    await states(bench, "food-a", 0, available=7)
    await states(bench, "food-b", 1, status="no-capacity")
    await both(bench, 60)
    assert await statuses(bench) == {"requested": 7, "needs-review": 113}
    assert await asked(bench) == {"food-a": 7}
    assert await bench.owner.fetchval("select count(*) from inbox where topic = $1", TOPIC) == 120


async def answered(bench: Bench, action: str, offset: int, at: datetime = NOW, **fields: Any) -> UUID:
    """The CBO food-a answers the referral it was asked first of those open; returns the referral's id."""
    row = await bench.owner.fetchrow(
        "select referral_id from hop where recipient = 'food-a' and status in ('requested', 'accepted') limit 1"
    )
    assert row is not None
    said = Said(ids.event_id("food-a", action, str(offset)), "food-a", at)
    record: Record = envelope.responded(said, row["referral_id"], action, **fields)
    await bench.workers[0].apply([Raw(ANSWERS, 0, offset, record.key, record.value, at)])
    found: UUID = row["referral_id"]
    return found


async def test_a_place_given_back_is_taken_again_and_a_new_statement_counts_anew(bench: Bench) -> None:
    await states(bench, "food-a", 0, available=1)
    await states(bench, "food-b", 1, status="no-capacity")
    first, second, third, fourth = submissions(4, 0)
    worker = bench.workers[0]
    await worker.apply([first, second])
    assert await statuses(bench) == {"requested": 1, "needs-review": 1}
    await answered(bench, "reject", 0, reason="not-eligible")
    assert (await asked(bench), await taken(bench)) == ({}, 0)
    await worker.apply([third])
    assert (await asked(bench), await taken(bench)) == ({"food-a": 1}, 1)
    await states(bench, "food-a", 2, available=1)
    await worker.apply([fourth])
    assert await asked(bench) == {"food-a": 2}
    assert (await taken(bench), await taken(bench, 2)) == (1, 1)


async def test_a_service_that_said_it_has_no_room_is_not_asked_until_it_says_it_has(bench: Bench) -> None:
    first, second, third = submissions(3, 0)
    worker = bench.workers[0]
    await states(bench, "food-b", 0, status="no-capacity")
    await worker.apply([first])
    await answered(bench, "reject", 0, reason="no-capacity", details={"close_service": True})
    await worker.apply([second])
    assert await asked(bench) == {}
    await states(bench, "food-a", 1, NOW + timedelta(minutes=1), status="open")
    await worker.apply([third])
    assert await asked(bench) == {"food-a": 1}


async def test_what_two_workers_tell_of_a_service_adds_up_and_a_third_reads_all_of_it(bench: Bench) -> None:
    owner = (service("food-a").id, "food-a")
    times = [NOW + timedelta(minutes=n) for n in range(24)]

    async def tell(some: list[datetime]) -> None:
        for at in some:
            told = service_record.Told()
            told.records[owner] = Told(asked=1, expired=1, expiries=(at,), answered_at=at - timedelta(days=1))
            async with bench.connections.acquire() as connection, connection.transaction():
                await service_record.save(connection, told, frozenset(), "hub", 5)

    await asyncio.gather(tell(times[::2]), tell(times[1::2]))
    async with bench.connections.acquire() as connection:
        seen, found = await service_record.changed_records(connection, "0")
        assert found == {
            owner: Told(
                asked=24,
                expired=24,
                answered_at=times[-1] - timedelta(days=1),
                expiries=tuple(sorted(times, reverse=True)[:10]),
            )
        }
        assert (await service_record.changed_records(connection, seen))[1] == {}
