"""Coverage on a real Postgres: a spell against a submission in flight, and what each plan is shown after a change.

A worker applies submissions, another what the relay copies to coverage.change; the teller looks for open referrals.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import pytest

from avro_schemas import codec, topics
from infra.postgres import connect
from producers import envelope
from producers.envelope import Record, Said
from referrals import check, ids
from referrals.coverage import member_key, today
from stream_processors.coverage import tell
from tests.support.api import Api, answer
from tests.support.referrals import body
from tests.support.worker import Worker, two_workers

pytestmark = pytest.mark.real
CLINIC, GOLDEN, VALLEY = "clinic-a", "golden-health-plan", "valley-care-plan"
SECRET, ROUNDS, LEAD_S = b"synthetic", 400, 0.006
FIRST = date(2026, 1, 1)
A_DAY = timedelta(days=1)


class Bench(NamedTuple):
    """Two workers on one fresh database, the teller's connection and what it has sent."""

    api: Api
    clinic: Worker
    plans: Worker
    teller: asyncpg.Connection
    sent: list[Record]

    async def tell(self) -> None:
        async def send(records: Sequence[Record]) -> None:
            self.sent.extend(records)

        while await tell(self.teller, send):
            pass

    async def delivered(self) -> None:
        """What the teller has sent reaches the referrals."""
        found = self.sent[:]
        self.sent.clear()
        if found:
            await self.clinic.apply(*found)


@pytest.fixture
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    read = (topics.intake(CLINIC), topics.COVERAGE, topics.TIMER)
    async with Api(tmp_path_factory.mktemp("coverage")) as api:
        async with two_workers(api, *read, match_secret=SECRET) as (clinic, plans):
            teller = await connect(api.url, "worker")
            try:
                yield Bench(api, clinic, plans, teller, [])
            finally:
                await teller.close()


def submission(number: int) -> Record:
    made = body(f"R-{number}", coverage={"payer": GOLDEN, "member_id": f"M{number}"})
    made["person"] = made["person"] | {
        "person_id": f"P-{number}",
        "birth_date": f"1980-01-{number % 28 + 1:02}",
    }
    said = Said(ids.event_id(CLINIC, "submit", str(number)), CLINIC, datetime.now(UTC))
    return envelope.submitted(said, check.submission(made, datetime.now(UTC)))


def spell(plan: str, number: int, first: date, last: date | None = None, version: int = 1) -> Record:
    """A plan's spell as the relay copies it."""
    member = member_key(plan, f"M{number}", SECRET)
    event = ids.event_id(plan, "spell", str(number), str(version))
    fields = {
        "event_id": str(event),
        "occurred_at": 1_790_000_000_000,
        "payer": plan,
        "spell_id": str(ids.event_id(plan, "spell", str(number))),
        "spell_version": version,
        "member": str(member),
        "from": first.isoformat(),
        "to": last.isoformat() if last else "",
    }
    value = codec.encode("coverage_changed.v1", fields)
    return Record(topics.COVERAGE, str(member).encode(), ids.lane(member), value, event)


async def test_no_submission_in_flight_misses_a_change_of_plan(bench: Bench) -> None:
    chance, day = random.Random(9), today(datetime.now(UTC))
    for number in range(ROUNDS):
        lead = chance.uniform(-LEAD_S, LEAD_S)
        changed = [spell(GOLDEN, number, FIRST, day - A_DAY), spell(VALLEY, number, day)]

        async def change(records: Sequence[Record], lead: float) -> None:
            await bench.plans.apply(*records, lead=lead)
            await bench.tell()

        await asyncio.gather(
            bench.clinic.apply(submission(number), lead=max(lead, 0.0)), change(changed, max(-lead, 0.0))
        )
    told = len(bench.sent)
    await bench.delivered()
    async with bench.api.owner() as owner:
        found = await owner.fetch("select payer, count(*) as n from referral group by payer")
        left = await owner.fetchval("select count(*) from history where type = 'coverage-changed'")
    assert {r["payer"]: r["n"] for r in found} == {VALLEY: ROUNDS}
    assert 0 < left <= told and left < ROUNDS, "both orders were seen"


async def test_a_day_on_which_a_spell_begins_comes_by_itself(bench: Bench) -> None:
    day = today(datetime.now(UTC))
    await bench.clinic.apply(submission(1))
    await bench.plans.apply(spell(GOLDEN, 1, FIRST, day), spell(VALLEY, 1, day + A_DAY))
    await bench.tell()
    await bench.delivered()
    async with bench.api.owner() as owner:
        assert await owner.fetchval("select payer from referral") == GOLDEN
        next_at = await owner.fetchval("select due_at from coverage_due")
        assert today(next_at) == day + A_DAY, "asked again when the next spell begins"
        await owner.execute("update coverage_due set due_at = now()")
    await bench.tell()
    assert len(bench.sent) == 1


async def test_the_plan_before_sees_what_stood_and_the_next_sees_it_from_then_on(bench: Bench) -> None:
    api, day = bench.api, today(datetime.now(UTC))
    await bench.clinic.apply(submission(1))
    id = ids.referral_id(CLINIC, "R-1")
    async with api.http(CLINIC) as http:
        referral = (await http.get(f"/v1/referrals/{id}")).json()
    assert referral["flags"] == ["coverage-unverified"]
    async with api.http(VALLEY) as http:
        assert (await http.get(f"/v1/referrals/{id}")).status_code == 404
    await bench.plans.apply(spell(GOLDEN, 1, FIRST, day - A_DAY), spell(VALLEY, 1, day))
    await bench.tell()
    await bench.delivered()
    assert (await answer(api, referral, "accept")).status_code == 200
    before, now = await shown(api, GOLDEN, id), await shown(api, VALLEY, id)
    assert (before["status"], before["person"], before["coverage"]) == ("requested", None, None)
    assert (now["status"], now["coverage"]["payer"]) == ("accepted", VALLEY)
    assert now["person"]["given_name"] == "Test"
    assert await types(api, GOLDEN, id) == ["referral-received", "routing-decided", "hop-requested"]
    assert await types(api, VALLEY, id) == ["coverage-changed", "hop-accepted"]
    for plan in (GOLDEN, VALLEY):
        async with api.http(plan) as http:
            listed = (await http.get("/v1/referrals")).json()["items"]
        assert [item["id"] for item in listed] == [str(id)]


async def shown(api: Api, who: str, id: UUID) -> dict[str, Any]:
    async with api.http(who) as http:
        found = await http.get(f"/v1/referrals/{id}")
    assert found.status_code == 200, found.text
    view: dict[str, Any] = found.json()
    return view


async def types(api: Api, who: str, id: UUID) -> list[str]:
    async with api.http(who) as http:
        found = await http.get(f"/v1/referrals/{id}/events")
    return [event["type"] for event in found.json()["items"]]
