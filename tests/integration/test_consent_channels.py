"""Revocations among readers on a real Postgres: what is asked for after the acknowledgement is answered with a stub.

A hundred people, each with a holder and a plan who read by every way in, by open streams and by exports, while the
clinic revokes, at random moments; the holder goes on writing, and notices wait in the outbox of deliveries.
"""

import asyncio
import csv
import io
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest

from infra.audit import records
from referrals import ids
from stream_processors.disclosing import WITHDRAWN
from tests.integration.test_consent import PERSONAL, relayed, under
from tests.support.api import PASSWORD, Api, answer
from tests.support.notices import hearing
from tests.support.running import until
from tests.support.streaming import Heard, listening

pytestmark = pytest.mark.real
ROUNDS, LEAD_S, AT_ONCE = 100, 0.03, 4
PLAN = "golden-health-plan"
BEHIND = f"/v1/contracts/{PLAN}-2026/measures/received/referrals.csv"
# What the plan counts by, without the person: a column more would have to be thought about here.
COUNTED = "id,received_at,numerator,immature,hours,withheld,sensitivity,notice"
STUBS = {"withheld", "payer-without-consent"}
DELIVERY = """
insert into delivery (id, tenant, recipient, kind, stream_id, version, type, status, at, next_attempt_at)
values ($1, 'clinic-a', $2, 'referral', $3, 3, 'note-added', 'accepted', now(), now() + $4 * interval '1 second')
"""


@pytest.fixture
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("channels")) as running:
        yield running


Look = tuple[str, float, str]


class Round:
    """One person: when the end of the consent was acknowledged, and every answer with the moment it was asked for.

    `spans`: when each request of all rounds was asked and answered; a list shows other people too.
    """

    def __init__(self, number: int, spans: list[tuple[datetime, datetime]]) -> None:
        self.spans = spans
        self.consent, self.person = f"C-{number}", f"P-{number}"
        self.referral = ""
        self.holder = ""
        self.hop = ""
        self.acknowledged = 0.0
        self.acknowledged_at = datetime.max.replace(tzinfo=UTC)
        self.looks: list[Look] = []
        self.noted: list[tuple[int, bool]] = []


async def test_what_is_asked_for_after_a_revocation_is_answered_without_the_person(api: Api) -> None:
    chance = random.Random(38)
    async with (
        hearing(api, PERSONAL) as heard,
        api.owner() as owner,
        _browser(api, "food-a") as food_a,
        _browser(api, "food-b") as food_b,
        AsyncExitStack() as open_streams,
    ):
        pages = {"food-a": food_a, "food-b": food_b}
        spans: list[tuple[datetime, datetime]] = []
        rounds = [await _held(api, number, spans) for number in range(ROUNDS)]
        notices = {}
        for one in rounds:
            notices[one.referral] = uuid4()
            wait = chance.uniform(0.0, 1.0)
            await owner.execute(DELIVERY, notices[one.referral], one.holder, UUID(one.referral), wait)
        hears = {
            who: await open_streams.enter_async_context(listening(api, who))
            for who in ("food-a", "food-b", PLAN, "clinic-a")
        }
        for start in range(0, ROUNDS, AT_ONCE):
            now = rounds[start : start + AT_ONCE]
            await asyncio.gather(*(_raced(api, one, pages[one.holder], chance) for one in now))
        pending = "select count(*) from delivery where delivered_at is null and failed_at is null"
        async with asyncio.timeout(20):
            while await owner.fetchval(pending):
                await asyncio.sleep(0.1)
        held = "select count(*) from delivery where last_error = $1 and id = any ($2::uuid[])"
        dropped = await owner.fetchval(held, WITHDRAWN, list(notices.values()))
        sent = await _disclosed(owner)
        await _streams_fell_silent(rounds, hears)
        await _accounted(api, rounds)
    told: Counter[str] = Counter()
    for one in rounds:
        for channel, asked_at, text in one.looks:
            when = "after" if asked_at >= one.acknowledged else "before"
            personal = any(name in text for name in PERSONAL)
            told[f"{channel} {when} {'personal' if personal else 'bare'}"] += 1
    assert not [key for key in told if key.endswith("after personal")], told
    for channel in ("one", "events", "list", "page", "plan", "counted", "accounted"):
        assert told[f"{channel} after bare"] > ROUNDS // 10, told
    for channel in ("one", "plan"):
        assert told[f"{channel} before personal"] > ROUNDS // 10, "readers did see the person before"
    ended = {one.referral: one.acknowledged_at for one in rounds}
    late = [referral for _, referral, at in sent if at > ended[referral]]
    assert late == [], "a notice was sent after its consent had ended"
    first = {delivery for delivery, _, _ in sent} & set(map(str, notices.values()))
    assert len(first) + dropped == ROUNDS and 0 < dropped < ROUNDS, (len(first), dropped)
    assert first <= set(heard)
    assert await relayed(api) == ROUNDS


async def _held(api: Api, number: int, spans: list[tuple[datetime, datetime]]) -> Round:
    """A referral whose holder has accepted it."""
    one = Round(number, spans)
    referral = await api.submitted("clinic-a", **under(one.consent, one.person))
    one.referral, one.holder = referral["id"], referral["hops"][-1]["organization"]
    one.hop = referral["hops"][-1]["hop"]
    assert (await answer(api, referral, "accept")).status_code == 200
    return one


async def _raced(api: Api, one: Round, page: httpx.AsyncClient, chance: random.Random) -> None:
    """The clinic revokes while the holder reads by every way in."""
    referral = f"/v1/referrals/{one.referral}"
    ways = {
        "one": referral,
        "events": f"{referral}/events",
        "list": "/v1/referrals?limit=10",
        "fhir": f"/fhir/Task/{one.referral}",
    }
    person = ids.person_key("clinic-a", one.person)
    async with (
        api.http("clinic-a") as clinic,
        api.http(one.holder) as holder,
        api.http(PLAN) as plan,
        api.http("operator") as operator,
    ):
        exports = (
            ("plan", plan, referral),
            ("counted", plan, BEHIND),
            ("accounted", operator, f"/v1/persons/{person}/disclosures.csv"),
        )

        async def revoke() -> None:
            await asyncio.sleep(chance.uniform(0.0, LEAD_S))
            said = await clinic.post(f"/v1/consents/{one.consent}/revoke", json={"person_id": one.person})
            assert said.status_code == 200, said.text
            one.acknowledged, one.acknowledged_at = time.monotonic(), datetime.now(UTC)

        async def look(channel: str, get: Callable[[str], Awaitable[httpx.Response]], path: str) -> None:
            for _ in range(3):
                await asyncio.sleep(chance.uniform(0.0, LEAD_S * 2))
                asked = datetime.now(UTC)
                at = time.monotonic() if not one.acknowledged else max(time.monotonic(), one.acknowledged)
                found = _own(channel, await _patient(get, path), one.referral)
                one.looks.append(
                    (channel, at if one.acknowledged and at >= one.acknowledged else -1.0, found)
                )
                one.spans.append((asked, datetime.now(UTC)))

        async def note() -> None:
            """The holder writes on: a fact about its own turn, which the plan and others could hear of."""
            asked, after = datetime.now(UTC), bool(one.acknowledged)
            said = {"action": "note", "hop": one.hop, "note": "went on"}
            got = await _patient(lambda path: holder.post(path, json=said), f"{referral}/responses")
            assert got.status_code == 200, got.text
            one.noted.append((got.json()["version"], after))
            one.spans.append((asked, datetime.now(UTC)))

        async def write() -> None:
            for _ in range(2):
                await asyncio.sleep(chance.uniform(0.0, LEAD_S))
                await note()

        reads: list[Any] = [look(name, holder.get, path) for name, path in ways.items()]
        reads.append(look("page", page.get, f"/cbo/referrals/{one.referral}"))
        reads += [look(name, http.get, path) for name, http, path in exports]
        await asyncio.gather(revoke(), write(), *reads)
        await note()
        for name, http, path in exports:
            one.looks.append(
                (name, time.monotonic(), _own(name, await _patient(http.get, path), one.referral))
            )
        for name, path in ways.items():
            one.looks.append(
                (name, time.monotonic(), _own(name, await _patient(holder.get, path), one.referral))
            )


async def _patient(get: Callable[[str], Awaitable[httpx.Response]], path: str) -> httpx.Response:
    """The answer, asked for again while there are too many requests."""
    while (got := await get(path)).status_code == 429:
        await asyncio.sleep(0.2)
    return got


def _own(channel: str, got: httpx.Response, referral: str) -> str:
    """Of a list, the referral's own entry: the others are other people's."""
    assert got.status_code == 200, got.text
    if channel == "counted":
        first, *rows = got.text.splitlines()
        assert first == COUNTED
        return str([row for row in rows if row.startswith(referral)])
    if channel != "list":
        return got.text
    return str([item for item in got.json()["items"] if item["id"] == referral])


async def _streams_fell_silent(rounds: list[Round], hears: dict[str, Heard]) -> None:
    """What was written after the acknowledgement reached the sender's stream and nobody else's."""
    written = {(one.referral, version) for one in rounds for version, _ in one.noted}

    async def all_told() -> bool:
        return written <= {(e["id"], e["version"]) for e in hears["clinic-a"].events()}

    await until(all_told, timeout_s=15)
    await asyncio.sleep(1)  # the others look as often as the sender does
    heard = {who: {(e["id"], e["version"]) for e in found.events()} for who, found in hears.items()}
    for found in hears.values():
        assert not any(name in found.text for name in PERSONAL)
    before, late = 0, []
    for one in rounds:
        for version, after in one.noted:
            news = (one.referral, version)
            others = [who for who in (one.holder, PLAN) if news in heard[who]]
            before += len(others) if not after else 0
            late += [(who, *news) for who in others if after]
    assert late == [], "told after the consent had ended"
    assert before > ROUNDS // 10, "streams did tell before"


async def _accounted(api: Api, rounds: list[Round]) -> None:
    """By the accounting itself: what was asked for after the acknowledgement was shown as stubs."""
    personal = stubs = 0
    async with api.http("clinic-a") as clinic:
        for one in rounds:
            path = f"/v1/persons/{ids.person_key('clinic-a', one.person)}/disclosures.csv"
            got = await _patient(clinic.get, path)
            under_way = (ended for asked, ended in one.spans if asked <= one.acknowledged_at)
            since = max([one.acknowledged_at, *under_way])
            for row in csv.DictReader(io.StringIO(got.text)):
                if row["recipient"] not in (one.holder, PLAN) or row["how"] == "notify":
                    continue
                later = datetime.fromisoformat(row["at"]) > since
                assert not later or row["what"] in STUBS, (one.referral, row)
                personal += row["what"] in ("holder", "payer")
                stubs += later
    assert personal > ROUNDS and stubs > ROUNDS, (personal, stubs)


@asynccontextmanager
async def _browser(api: Api, organization: str) -> AsyncIterator[httpx.AsyncClient]:
    """A person of the organization, logged in."""
    async with api.http() as client:
        said = {"email": f"staff@{organization}.example.org", "password": PASSWORD}
        assert (await client.post("/login", data=said)).status_code == 303
        yield client


async def _disclosed(owner: asyncpg.Connection) -> list[tuple[str, str, datetime]]:
    """Every notice that left: its delivery, the referral it is about, when that was decided on."""
    rows = await owner.fetch("select body from audit_record where kind = 'request' and chain like 'notify-%'")
    found = [msgspec.json.decode(row["body"], type=records.Request) for row in rows]
    return [(record.request, o.id, record.at) for record in found for o in record.objects]
