"""A record that fails us parks its referral alone: the rest flows, later ones wait, a release applies each once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import pytest

from infra.postgres import pool
from producers import envelope
from producers.envelope import Record, Said
from referrals import check, ids
from stream_processors.decode import Raw
from stream_processors.exchange import Applied, Exchange
from stream_processors.poison import Limits
from stream_processors.release import release
from tests.support.api import Api
from tests.support.logs import written
from tests.support.people import browser, joined
from tests.support.referrals import body
from tests.support.vault import vault

pytestmark = pytest.mark.real
CLINIC = "clinic-a"
TOPIC, NOW = f"intake.{CLINIC}", datetime(2026, 11, 2, 18, tzinfo=UTC)
PLACE = (TOPIC, 0)
BOOM = "alter table referral add constraint boom check (sender_referral_id not like 'BOOM%') not valid"
MENDED = "alter table referral drop constraint boom"


class Bench(NamedTuple):
    """An exchange on a fresh database, its workers' pool, its owner's connection, and what was sent so far."""

    exchange: Exchange
    pool: asyncpg.Pool
    owner: asyncpg.Connection
    log: list[Raw]
    api: Api

    async def send(self, *records: Record) -> Applied:
        """Append them to the log, as one batch."""
        return await self.exchange.apply(self.append(records))

    def append(self, records: Sequence[Record]) -> list[Raw]:
        """The records at the end of the log."""
        start = len(self.log)
        self.log.extend(Raw(TOPIC, 0, start + n, r.key, r.value, NOW) for n, r in enumerate(records))
        return self.log[start:]

    async def parked(self) -> list[tuple[int, bool]]:
        """Offset, and whether it failed itself; in their order."""
        rows = await self.owner.fetch('select "offset", error from parked order by position')
        assert await self.owner.fetchval("select sum(parked) from lane") == len(rows), "the lanes count them"
        return [(r["offset"], r["error"] is not None) for r in rows]

    async def operator_releases(self) -> None:
        await self.owner.execute("update parked set released_at = now()")

    async def released(self) -> None:
        """What the worker does when the operator has released everything."""
        await self.operator_releases()
        await self.worker_applies()

    async def worker_applies(self) -> None:
        exchange = Exchange(self.pool, vault())
        while await release(exchange, self.pool):
            pass

    async def facts(self, name: str) -> list[str]:
        """The types of its facts, in order."""
        rows = await self.owner.fetch(
            "select type from history where kind = 'referral' and stream_id = $1 order by version", of(name)
        )
        return [r["type"] for r in rows]

    async def rows_of(self, table: str) -> int:
        return int(await self.owner.fetchval(f"select count(*) from {table}"))


@pytest.fixture
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """Tables, organizations and services as the API's tests have them."""
    async with Api(tmp_path_factory.mktemp("parking")) as api:
        async with await pool(api.url, "worker") as connections, api.owner() as owner:
            await owner.execute("insert into progress values ($1, 0, 0, 'cluster', 'topic')", TOPIC)
            await owner.execute(BOOM)
            exchange = Exchange(connections, vault(), limits=Limits(in_row=0, share=0))
            yield Bench(exchange, connections, owner, [], api)


def of(name: str) -> UUID:
    return ids.referral_id(CLINIC, name)


def submit(name: str, event: str = "", **changes: Any) -> Record:
    said = Said(ids.event_id(CLINIC, name, event), CLINIC, NOW)
    return envelope.submitted(said, check.submission(body(name) | changes, NOW))


def cancel(name: str) -> Record:
    return envelope.cancelled(Said(ids.event_id(CLINIC, name, "cancel"), CLINIC, NOW), name, "need-met")


async def test_its_referral_waits_in_order_while_the_others_flow(bench: Bench) -> None:
    names = ["GOOD-0", "BOOM-1", "GOOD-2", "BOOM-1", "GOOD-3"]
    sent = [submit(n, str(k), priority="urgent" if k == 3 else "routine") for k, n in enumerate(names)]
    applied = await bench.send(*sent)
    assert (applied.next_offsets, applied.parked, applied.dead) == ({PLACE: 5}, 2, 0)
    again = await bench.exchange.apply(bench.log)
    assert (again.records, again.parked) == (0, 0), "read again, nothing is parked twice"
    await bench.send(submit("BOOM-1", "later", priority="asap"), submit("GOOD-4"))
    assert await bench.parked() == [(1, True), (3, False), (5, False)]
    assert await bench.rows_of("referral") == 4 and await bench.rows_of("dead_letter") == 0
    assert await bench.rows_of("rejected_command") == 0, "nothing was refused"
    await bench.owner.execute(MENDED)
    await bench.released()
    await bench.released()
    assert await bench.parked() == []
    facts = await bench.facts("BOOM-1")
    assert facts[0] == "referral-received" and facts.count("referral-amended") == 2
    state = await bench.owner.fetchrow("select priority, sender from referral where id = $1", of("BOOM-1"))
    assert state is not None and state["priority"] == "asap", "the last that was sent counts"
    await bench.send(submit("BOOM-1", "after", priority="routine"))
    assert (await bench.facts("BOOM-1")).count("referral-amended") == 3, "it flows again"


async def test_what_failed_happens_when_it_is_released_not_when_it_was_sent(bench: Bench) -> None:
    await bench.send(submit("BOOM-1"))
    await bench.owner.execute(MENDED)
    await bench.released()
    due = await bench.owner.fetchval(
        "select bool_and(due_at > now()) from hop where referral_id = $1", of("BOOM-1")
    )
    assert due, "its organization has the whole time to answer"


async def test_a_cancel_passes_what_waits(bench: Bench) -> None:
    await bench.send(submit("BOOM-1"), submit("BOOM-1", "again"), cancel("BOOM-1"))
    assert await bench.parked() == [(0, True), (1, False)]
    assert await bench.owner.fetchval("select count(*) from stream where kind = 'tombstone'") == 1
    await bench.owner.execute(MENDED)
    await bench.released()
    status = await bench.owner.fetchval("select status from referral where id = $1", of("BOOM-1"))
    assert status == "cancelled", "it is closed at once, nobody was asked"
    assert await bench.rows_of("hop") == 0


async def test_what_fails_again_waits_again_and_its_followers_with_it(bench: Bench) -> None:
    await bench.send(submit("BOOM-1"), submit("BOOM-2"), submit("BOOM-1", "again"), submit("BOOM-2", "again"))
    await bench.owner.execute(MENDED)
    still = BOOM.replace("BOOM%", "BOOM-1%")
    await bench.owner.execute(still)
    await bench.released()
    assert await bench.parked() == [(0, True), (2, False)]
    assert await bench.rows_of("referral") == 1 and await bench.facts("BOOM-2")
    assert await bench.owner.fetchval("select count(*) from parked where released_at is not null") == 0


async def test_what_comes_behind_a_released_record_is_released_with_it(bench: Bench) -> None:
    await bench.send(submit("BOOM-1"))
    await bench.owner.execute(MENDED)
    await bench.operator_releases()
    await bench.send(submit("BOOM-1", "again", priority="urgent"))
    assert await bench.parked() == [(0, True), (1, False)]
    await bench.worker_applies()
    assert await bench.parked() == []
    assert "referral-amended" in await bench.facts("BOOM-1")


async def test_a_thousand_released_twice_by_two_workers_are_a_thousand_effects_in_order(bench: Bench) -> None:
    steps, names = ("routine", "urgent", "asap", "stat"), [f"BOOM-{n}" for n in range(250)]
    for priority in steps:
        await bench.send(*(submit(name, priority, priority=priority) for name in names))
    assert len(await bench.parked()) == 1000
    await bench.owner.execute(MENDED)
    for _ in range(2):
        await bench.operator_releases()
        await asyncio.gather(bench.worker_applies(), bench.worker_applies())
    assert await bench.parked() == []
    rows = await bench.owner.fetch(
        "select r.priority, (select string_agg(h.type, ' ' order by version) from history h"
        " where h.stream_id = r.id and h.type in ('referral-received', 'referral-amended')) as told from referral r"
    )
    told = " ".join(["referral-received", *["referral-amended"] * 3])
    assert [tuple(r) for r in rows] == [("stat", told)] * 250
    assert await bench.owner.fetchval("select count(*) from inbox where topic = $1", TOPIC) == 1000


async def test_its_sender_sees_it_as_received_and_operator_and_hub_see_that_it_waits(bench: Bench) -> None:
    await bench.send(submit("BOOM-1"), submit("GOOD-1", consent={"status": "absent"}))
    assert await bench.owner.fetchval("select status from referral") == "needs-review"
    await bench.owner.execute("alter table referral add constraint stat check (priority <> 'stat')")
    await bench.send(submit("GOOD-1", "again", priority="stat", consent={"status": "absent"}))
    assert await bench.parked() == [(0, True), (2, True)]
    async with bench.api.http(CLINIC) as http:
        seen = await http.get(f"/v1/referrals/{of('BOOM-1')}")
        assert (seen.status_code, seen.json()["status"]) == (200, "received")
        told = (await http.get("/metrics")).text
        assert "refex_parked_records 2.0" in told and "refex_parked_streams 2.0" in told
    async with bench.api.http("clinic-b") as http:
        assert (await http.get(f"/v1/referrals/{of('BOOM-1')}")).status_code == 404
    async with browser(bench.api, "staff@hub.example.org") as http:
        page = (await http.get("/hub")).text
        assert str(of("GOOD-1")) in page and "held up by a fault of ours" in page
        assert str(of("BOOM-1")) not in page, "the hub was never asked about this one"
    async with browser(bench.api, await joined(bench.api, "operator", "operator")) as http:
        page = (await http.get("/operator")).text
        assert "our-failure: CheckViolationError" in page and "Waiting because we failed" in page


async def test_nothing_of_a_body_is_logged_or_kept_as_its_error(bench: Bench) -> None:
    person = body()["person"] | {"given_name": "Canaria-Quetzalcoatl"}
    with written() as log:
        await bench.send(submit("BOOM-1", person=person))
        await bench.released()
    told = [line for line in log.lines() if line["event"] == "a released record failed again"]
    assert [line["error"] for line in told] == ["CheckViolationError 23514"]
    errors = await bench.owner.fetchval("select string_agg(error, ' ') from parked")
    assert errors == "CheckViolationError" and "Canaria" not in log.getvalue()


async def test_a_bad_release_stops_the_partition_instead_of_emptying_it(bench: Bench) -> None:
    exchange = Exchange(bench.pool, vault(), limits=Limits(in_row=5))
    batch = bench.append([submit(f"BOOM-{n}") for n in range(40)])
    applied = await exchange.apply(batch)
    assert (applied.parked, applied.next_offsets) == (5, {PLACE: 5})
    assert "5 records in a row failed us" in applied.stops[PLACE]
    assert len(await bench.parked()) == 5
    await bench.owner.execute(MENDED)
    rest = await exchange.apply(batch)
    assert (rest.records, rest.parked, rest.stops) == (35, 0, {}), "nothing was lost"


async def test_nobody_writes_while_the_projections_are_made_anew(bench: Bench) -> None:
    await bench.owner.execute("insert into rebuilding (by_whom) values ('test')")
    batch = bench.append([submit("GOOD-1")])
    with pytest.raises(RuntimeError, match="refex rebuild --replace"):
        await bench.exchange.apply(batch)
    await bench.owner.execute("delete from rebuilding")
    assert (await bench.exchange.apply(batch)).records == 1
