"""Revocations against routing, two workers on a real Postgres: never a revoked consent with an open hop.

Each round starts both at once, with a small random lead for one of them: a submission or a rejection that re-routes
here, the revocation there. What revocations write to the outbox is then applied as the relay would.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec
import pytest

from avro_schemas import topics
from producers import envelope
from producers.envelope import Record, Said
from referrals import check, ids
from stream_processors.outbox import outputs
from tests.support.api import Api
from tests.support.referrals import body
from tests.support.worker import Worker, two_workers

pytestmark = pytest.mark.real
CLINIC, ROUNDS, LEAD_S = "clinic-a", 1000, 0.004
INTAKE = topics.intake(CLINIC)
OPEN = "('requested', 'accepted', 'in-progress', 'on-hold')"


class Bench(NamedTuple):
    """Two workers on one fresh database, and its owner's connection."""

    router: Worker
    revoker: Worker
    owner: asyncpg.Connection


@pytest.fixture
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    read = (INTAKE, topics.RESPONSE, topics.CONSENT, topics.TIMER)
    async with Api(tmp_path_factory.mktemp("race")) as api:
        async with two_workers(api, *read) as (router, revoker), api.owner() as owner:
            yield Bench(router, revoker, owner)


def said(organization: str, *parts: str) -> Said:
    return Said(ids.event_id(organization, *parts), organization, datetime.now(UTC))


def submission(number: int, name: str = "RACE", consent: str = "C") -> Record:
    made = body(f"{name}-{number}", consent={"status": "active", "id": f"{consent}-{number}"})
    made["person"] = made["person"] | {"person_id": f"P-{number}"}
    return envelope.submitted(said(CLINIC, name, str(number)), check.submission(made, datetime.now(UTC)))


def revocation(number: int) -> Record:
    consent, person = ids.consent_id(CLINIC, f"C-{number}"), ids.person_key(CLINIC, f"P-{number}")
    content = msgspec.json.encode({"id": f"C-{number}", "person_id": f"P-{number}"})
    return envelope.consent_changed(said(CLINIC, "revoke", str(number)), consent, person, "revoke", content)


def referral(number: int) -> UUID:
    return ids.referral_id(CLINIC, f"RACE-{number}")


async def rejection(bench: Bench, number: int) -> Record:
    """The asked organization says no, so that routing asks the next."""
    asked = await bench.owner.fetchval("select recipient from hop where referral_id = $1", referral(number))
    return envelope.responded(
        said(asked, "no", str(number)), referral(number), "reject", reason="no-capacity"
    )


async def relay(bench: Bench) -> int:
    """Every command in the outbox reaches its referral; how many there were."""
    rows = await bench.owner.fetch(
        "select * from history where kind = 'consent-reach' order by lane, lane_seq"
    )
    found = [o for row in rows for o in outputs(dict(row), frozenset(), None) if o.topic == topics.TIMER]
    made = [Record(o.topic, o.key, 0, o.value, UUID(int=0)) for o in found]
    for start in range(0, len(made), 200):
        await bench.router.apply(*made[start : start + 200])
    return len(made)


async def test_a_revoked_consent_never_has_an_open_hop(bench: Bench) -> None:
    chance = random.Random(8)
    await bench.router.apply(*(submission(n) for n in range(1, ROUNDS, 2)))
    known = (
        submission(n, "OTHER", "O") for n in range(0, ROUNDS, 2)
    )  # new people are made one by one anyway
    await bench.router.apply(*known)
    for number in range(ROUNDS):
        routed = await rejection(bench, number) if number % 2 else submission(number)
        lead = chance.uniform(-LEAD_S, LEAD_S)
        await asyncio.gather(
            bench.router.apply(routed, lead=max(lead, 0.0)),
            bench.revoker.apply(revocation(number), lead=max(-lead, 0.0)),
        )
    told = await relay(bench)
    revoked = await bench.owner.fetchval(
        "select count(*) from person_consent where record -> 'consent' ->> 'status' = 'revoked'"
    )
    left = await bench.owner.fetch(
        "select r.sender_referral_id from hop h join referral r on r.id = h.referral_id"
        f" where h.status in {OPEN} and r.sender_referral_id like 'RACE-%'"
    )
    found = await bench.owner.fetch(
        "select status, count(*) as n from referral where sender_referral_id like 'RACE-%' group by status"
    )
    statuses = {r["status"]: r["n"] for r in found}
    assert (revoked, left) == (ROUNDS, []), "a revoked consent with an open hop"
    assert set(statuses) == {"refused", "cancelled"}, statuses
    assert 0 < statuses["refused"] < ROUNDS // 2 <= told < ROUNDS, "both orders were seen"


async def test_a_batch_of_both_orders_is_judged_in_its_own_order(bench: Bench) -> None:
    """Submission and revocation in one batch see each other in memory, before anything is saved."""
    await bench.router.apply(submission(1), revocation(1), revocation(2), submission(2))
    assert await relay(bench) == 1
    found = await bench.owner.fetch("select sender_referral_id, status from referral order by 1")
    assert [tuple(r) for r in found] == [("RACE-1", "cancelled"), ("RACE-2", "refused")]
