"""The accounting of disclosures: the list is the ledger, exactly; for whom; as JSON, CSV, a page and a command."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from cli.audit import disclosed
from infra.audit import records
from infra.audit.trail import Trail
from infra.postgres import pool
from referrals import ids
from referrals.state import Referral
from stream_processors.disclosing import About, on_record
from tests.support.api import PASSWORD, Api, answer

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("disclosures")) as running:
        yield running


async def person(api: Api, organization: str = "clinic-a") -> tuple[UUID, list[dict[str, Any]]]:
    """A new person with two referrals, seen by the holder, others and the plan."""
    name = f"P-{uuid4().hex[:8]}"
    made: dict[str, Any] = {
        "person_id": name,
        "given_name": "Test",
        "family_name": "Synthetic",
        "birth_date": "1980-02-01",
    }
    made |= {"address": {"postal_code": "94607"}}
    found = [await api.submitted(organization, person=made) for _ in range(2)]
    for referral in found:
        await answer(api, referral, "accept")
        for reader in (referral["hops"][-1]["organization"], "golden-health-plan", "operator", organization):
            async with api.http(reader) as http:
                for path in (f"/v1/referrals/{referral['id']}", "/v1/referrals?limit=5"):
                    assert (await http.get(path)).status_code == 200
    return ids.person_key(organization, name), found


async def scanned(owner: asyncpg.Connection, key: UUID) -> list[tuple[Any, ...]]:
    """The same by another way: every record read whole, and what it showed of the person to another."""
    rows = await owner.fetch("select body from audit_record where kind = 'request'")
    found = [msgspec.json.decode(row["body"], type=records.Request) for row in rows]
    return sorted(
        (r.at, o.id, r.organization or "", o.shown or "", o.basis or "", o.rule or "", r.action)
        for r in found
        if r.status < 400
        for o in r.objects
        if o.kind == "referral" and o.person == key and o.owner != r.organization
    )


def listed(items: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What an answer says, to be compared."""
    names = ("referral", "recipient", "what", "under", "rule", "how")
    return sorted((datetime.fromisoformat(i["at"]), *(i[n] for n in names)) for i in items)


async def everything(api: Api, organization: str, key: UUID) -> list[dict[str, Any]]:
    """Page by page, to the end."""
    found: list[dict[str, Any]] = []
    cursor = ""
    async with api.http(organization) as http:
        while True:
            page = (await http.get(f"/v1/persons/{key}/disclosures?limit=3&cursor={cursor}")).json()
            found += page["items"]
            if not (cursor := page["next_cursor"] or ""):
                return found


async def test_the_list_is_the_ledger_exactly(api: Api) -> None:
    key, found = await person(api)
    other, _ = await person(api)
    items = await everything(api, "clinic-a", key)
    async with api.owner() as owner:
        assert listed(items) == await scanned(owner, key) != []
        assert listed(await everything(api, "clinic-a", other)) == await scanned(owner, other)
    holder = found[0]["hops"][-1]["organization"]
    assert {i["recipient"] for i in items} == {
        holder,
        found[1]["hops"][-1]["organization"],
        "golden-health-plan",
        "operator",
    }
    seen = next(i for i in items if i["recipient"] == holder and i["what"] == "holder")
    assert "person.family_name" in seen["fields"] and "person.race_ethnicity" not in seen["fields"]
    assert (seen["purpose"], seen["under"]) == ("TREAT", "consent said with it")
    assert seen["rule"].startswith("default@sharing-"), seen


async def test_a_notice_is_a_disclosure_too(api: Api) -> None:
    key, found = await person(api)
    referral = found[0]

    async with await pool(api.url, "worker") as connections, connections.acquire() as connection:
        stored = await connection.fetchval("select state from referral where id = $1", UUID(referral["id"]))
        about = About(msgspec.json.decode(stored, type=Referral))
        now = datetime.fromisoformat(referral["created_at"])
        due = {"id": uuid4(), "kind": "referral", "stream_id": referral["id"], "recipient": "safe-a"}
        async with connection.transaction():
            await Trail("notify", uuid4(), now).add(connection, [on_record(about, due, now)])
    (told,) = [i for i in await everything(api, "clinic-a", key) if i["recipient"] == "safe-a"]
    assert (told["what"], told["fields"], told["how"]) == ("notice", ["id", "version", "status"], "notify")


async def test_it_is_for_the_sender_and_whoever_audits(api: Api) -> None:
    key, _ = await person(api)
    mine = await everything(api, "clinic-a", key)
    assert listed(await everything(api, "operator", key)) == listed(mine)
    assert await everything(api, "clinic-b", key) == [] == await everything(api, "hub", key)
    assert await everything(api, "clinic-b", uuid4()) == [], "foreign and nonexistent are the same"
    for organization, status in (("food-a", 403), ("state", 403), (None, 401)):
        async with api.http(organization) as http:
            got = await http.get(f"/v1/persons/{key}/disclosures.csv")
        assert got.status_code in (status, 404), organization


async def test_csv_page_and_command_say_the_same(api: Api) -> None:
    key, found = await person(api)
    items = await everything(api, "clinic-a", key)
    async with api.http("clinic-a") as http:
        text = (await http.get(f"/v1/persons/{key}/disclosures.csv")).text
    async with api.http() as http:
        await http.post("/login", data={"email": "staff@clinic-a.example.org", "password": PASSWORD})
        page = await http.get(f"/clinic/referrals/{found[0]['id']}/disclosures")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [r["recipient"] for r in rows] == [i["recipient"] for i in items]
    assert "Synthetic" not in text and "1980-02-01" not in text
    assert page.status_code == 200 and page.text.count('<tr role="row">') == 1 + min(len(items), 25)
    told = await disclosed(api.url, key)
    assert [(t["at"].isoformat(), t["recipient"]) for t in told] == [
        (datetime.fromisoformat(i["at"]).isoformat(), i["recipient"]) for i in items
    ]
