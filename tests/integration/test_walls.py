"""Each wall between organizations alone: the catalogue, the pool, the queries of lists, the figures behind exports."""

import asyncio
import random
from collections.abc import AsyncIterator

import httpx
import pytest

from api import policy, views
from api.database import Database
from tests.integration.test_api_access import TABLES, allowed, principal
from tests.support.api import ORGANIZATIONS, Api
from tests.support.people import unhurried

pytestmark = pytest.mark.real
FIGURE = "/v1/contracts/golden-health-plan-2026/measures/received"
OPEN = """
select c.relname from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped
where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
    and not (c.relrowsecurity and c.relforcerowsecurity)
union all
select c.relname from pg_class c
where c.relkind in ('v', 'm') and c.relnamespace = 'public'::regnamespace
    and not coalesce(c.reloptions @> '{security_invoker=true}', false)
"""


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("walls")) as running:
        yield running


async def test_row_level_security_is_on_and_forced_on_every_tenant_table(api: Api) -> None:
    async with api.owner() as owner:
        assert [r["relname"] for r in await owner.fetch(OPEN)] == []
        assert await owner.fetchval("select count(*) from pg_policies") > 50, "the catalogue is the right one"


async def test_a_returned_connection_knows_nobody(api: Api) -> None:
    await api.submitted()
    database = Database(api.url, size=1)
    await database.open()
    try:
        async with database.reading(principal("clinic-a", "clinic")) as connection:
            assert await connection.fetchval("select count(*) from referral") > 0
        async with database.own() as connection:  # the same one: there is no other
            found = {t: await connection.fetchval(f"select count(*) from {t}") for t in TABLES}
    finally:
        await database.close()
    assert found == dict.fromkeys(TABLES, 0)


ASKED, CANCELLED, AT_ONCE = 1_000, 50, 8


async def test_interleaved_and_cancelled_requests_on_two_connections_mix_nobody_up(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose list is whose, while some callers leave in the middle of their query."""
    own = {who: (await api.submitted(who))["id"] for who in ("clinic-a", "clinic-b")}
    small = Database(api.url, size=2)
    await small.open()
    monkeypatch.setattr(api.app.state.context, "database", small)
    unhurried(api)
    drawn, places = random.Random(7), asyncio.Semaphore(AT_ONCE)
    left: list[str] = []

    async def ask(who: str, http: httpx.AsyncClient) -> None:
        async with places:
            asking = asyncio.create_task(http.get("/v1/referrals", params={"limit": 200}))
            leaves = len(left) < CANCELLED and drawn.random() < 0.15
            if leaves:
                await asyncio.sleep(drawn.random() * 0.01)
                if asking.cancel():
                    left.append(who)
            try:
                listed = await asking
            except asyncio.CancelledError:
                return
            assert listed.status_code == 200
            found = {item["id"]: item["sender"] for item in listed.json()["items"]}
            assert own[who] in found and set(found.values()) == {who}

    try:
        async with api.http("clinic-a") as a, api.http("clinic-b") as b:
            callers = (("clinic-a", a), ("clinic-b", b))
            await asyncio.gather(*(ask(*callers[n % 2]) for n in range(ASKED)))
        assert len(left) >= CANCELLED  # who is on the way when it is reached may leave too
        async with small.own() as connection:
            found = {t: await connection.fetchval(f"select count(*) from {t}") for t in TABLES}
    finally:
        monkeypatch.undo()
        await small.close()
    assert found == dict.fromkeys(TABLES, 0)


async def test_a_list_shows_strangers_nothing_when_only_its_query_filters(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    referral = await api.submitted()
    monkeypatch.setattr(policy, "relations", lambda principal, target: frozenset(policy.PARTIES))
    monkeypatch.setattr(views, "kind_of", lambda principal, seen: "sender")
    async with api.owner() as owner:
        await owner.execute("alter table referral disable row level security")
        try:
            for organization in set(ORGANIZATIONS) - allowed(referral):
                async with api.http(organization) as http:
                    listed = await http.get("/v1/referrals", params={"limit": 200})
                assert referral["id"] not in listed.text, organization
        finally:
            await owner.execute("alter table referral enable row level security")


async def test_the_referrals_behind_a_figure_are_for_its_payer_alone(api: Api) -> None:
    referral = await api.submitted()
    shown = []
    for organization in ORGANIZATIONS:
        async with api.http(organization) as http:
            listed = [await http.get(f"{FIGURE}/referrals{end}") for end in ("", ".csv")]
        if any(referral["id"] in answer.text for answer in listed):
            shown.append(organization)
    assert shown == ["golden-health-plan"]
