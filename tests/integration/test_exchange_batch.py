"""One batch, one transaction, on a real Postgres: redelivery, holes, the fence, and the record that fails us."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
import pytest

from infra.postgres import pool
from producers import envelope
from producers.envelope import Said
from referrals import check, ids
from stream_processors import store
from stream_processors.decode import Raw
from stream_processors.exchange import Exchange, is_transient
from tests.support.api import Api
from tests.support.referrals import body
from tests.support.vault import vault

pytestmark = pytest.mark.real
CLINIC = "clinic-a"
TOPIC, NOW = f"intake.{CLINIC}", datetime(2026, 11, 2, 18, tzinfo=UTC)
PLACE = (TOPIC, 0)


class Bench(NamedTuple):
    """An exchange on a fresh database, its pool, and its owner's connection."""

    exchange: Exchange
    connections: asyncpg.Pool
    owner: asyncpg.Connection


@pytest.fixture
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """Tables, organizations and services as the API's tests have them."""
    async with Api(tmp_path_factory.mktemp("batch")) as api:
        async with await pool(api.url, "worker") as connections, api.owner() as owner:
            await owner.execute("insert into progress values ($1, 0, 0, 'cluster', 'topic')", TOPIC)
            yield Bench(Exchange(connections, vault()), connections, owner)


def raw(number: int, offset: int | None = None) -> Raw:
    """The n-th submission, at its own offset unless another is said."""
    name = f"BATCH-{number}"
    said = Said(ids.event_id(CLINIC, name), CLINIC, NOW)
    record = envelope.submitted(said, check.submission(body(name), NOW))
    return Raw(TOPIC, 0, number if offset is None else offset, record.key, record.value, NOW)


async def count(bench: Bench, table: str) -> int:
    return int(await bench.owner.fetchval(f"select count(*) from {table} where topic = $1", TOPIC))


async def test_a_batch_read_again_has_no_effect(bench: Bench) -> None:
    batch = [raw(n) for n in range(5)]
    first = await bench.exchange.apply(batch)
    again = await bench.exchange.apply(batch)
    assert (first.records, again.records) == (5, 0)
    assert first.next_offsets == again.next_offsets == {PLACE: 5}
    assert await count(bench, "inbox") == 5


async def test_once_the_inbox_is_pruned_a_whole_topic_read_again_has_no_effect(bench: Bench) -> None:
    topic = [raw(n) for n in range(20)]
    await bench.exchange.apply(topic)
    facts = await bench.owner.fetchval("select count(*) from history")
    assert await bench.owner.execute("delete from inbox where topic = $1", TOPIC) == "DELETE 20"
    parts = (topic[:7], topic[7:])
    again = [await bench.exchange.apply(part) for part in parts]
    assert [(a.records, a.facts, a.next_offsets) for a in again] == [(0, 0, {PLACE: 20})] * 2
    assert await bench.owner.fetchval("select count(*) from history") == facts
    assert await count(bench, "inbox") == 0, "the rows of progress alone know that it was applied"


async def test_a_missing_offset_is_not_stepped_over_until_it_is_known_to_be_none(bench: Bench) -> None:
    batch = [raw(0), raw(2), raw(3)]
    held = await bench.exchange.apply(batch)
    assert (held.next_offsets, held.gaps) == ({PLACE: 1}, {PLACE: 1})
    passed = await bench.exchange.apply(batch, frozenset({PLACE}))
    assert (passed.next_offsets, passed.records, passed.gaps) == ({PLACE: 4}, 2, {})


async def test_the_one_record_that_fails_us_is_found_and_the_others_are_applied(bench: Bench) -> None:
    await bench.owner.execute(
        "alter table referral add constraint boom check (sender_referral_id <> 'BATCH-3')"
    )
    applied = await bench.exchange.apply([raw(n) for n in range(8)])
    assert (applied.next_offsets, applied.parked, applied.dead) == ({PLACE: 8}, 1, 0)
    waiting = await bench.owner.fetch('select error, "offset", value from parked where topic = $1', TOPIC)
    assert [(r["error"], r["offset"]) for r in waiting] == [("CheckViolationError", 3)]
    assert waiting[0]["value"] == raw(3).value, "kept whole, to be released"
    assert await count(bench, "inbox") == 7


FAILS = """
create function fails() returns trigger language plpgsql as
$$ begin raise exception 'for now' using errcode = '40001'; end $$;
create trigger fails before insert on history execute function fails()
"""


async def test_what_fails_for_now_moves_nothing_and_is_tried_again(bench: Bench) -> None:
    await bench.owner.execute(FAILS)
    with pytest.raises(asyncpg.SerializationError) as failed:
        await bench.exchange.apply([raw(n) for n in range(4)])
    assert is_transient(failed.value), "tried again, by whoever holds the partition"
    assert await bench.owner.fetchval("select next_offset from progress where topic = $1", TOPIC) == 0
    await bench.owner.execute("drop trigger fails on history")
    applied = await bench.exchange.apply([raw(n) for n in range(4)])
    assert (applied.records, applied.dead, applied.parked, applied.next_offsets) == (4, 0, 0, {PLACE: 4})
    assert await count(bench, "inbox") == 4


async def test_whoever_slept_through_its_successor_moves_nothing(bench: Bench) -> None:
    """The lock makes this impossible today; the fence holds also where the lock was lost."""
    async with bench.connections.acquire() as successor:
        await store.save_progress(successor, {PLACE: 0}, {PLACE: 9})
    async with bench.connections.acquire() as zombie:
        with pytest.raises(store.Overtaken):
            await store.save_progress(zombie, {PLACE: 0}, {PLACE: 5})
    assert await bench.owner.fetchval("select next_offset from progress where topic = $1", TOPIC) == 9


async def test_what_fails_us_says_nothing_of_the_person_anywhere(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    await bench.owner.execute("alter table referral add constraint boom check (person_key is null)")
    applied = await bench.exchange.apply([raw(0), raw(1)])
    assert applied.parked == 2
    waiting = await bench.owner.fetch("select error, key from parked where topic = $1", TOPIC)
    said = "".join(capfd.readouterr()) + str([dict(row) for row in waiting])
    assert "CheckViolationError" in said and "Synthetic" not in said and "1980-02-01" not in said
