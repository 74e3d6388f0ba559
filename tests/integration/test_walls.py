"""Each wall between organizations alone: the catalogue, the pool, the queries of lists, the figures behind exports."""

from collections.abc import AsyncIterator

import pytest

from api import policy, views
from api.database import Database
from tests.integration.test_api_access import TABLES, allowed, principal
from tests.support.api import ORGANIZATIONS, Api

pytestmark = pytest.mark.real
FIGURE = "/v1/contracts/golden-health-plan-2026/measures/received"
OPEN = """
select c.relname from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped
where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
    and not (c.relrowsecurity and c.relforcerowsecurity)
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
