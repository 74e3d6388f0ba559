"""One person at two senders, on a real Postgres: flagged, proposed, confirmed by the hub alone, found from then on."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from referrals import ids
from stream_processors import linker, persons
from tests.support.api import PASSWORD, Api
from tests.support.referrals import body
from tests.support.vault import vault

pytestmark = pytest.mark.real
FLAG = "likely-duplicate"


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("persons")) as running:
        yield running


def person(name: str, **changes: Any) -> dict[str, Any]:
    made = body()["person"] | {"family_name": name, "birth_date": "1975-11-23", "person_id": uuid4().hex}
    return {k: v for k, v in (made | changes).items() if v is not None}


async def compared(api: Api) -> int:
    """Let the linker look once at everybody who waits; how many it proposed."""
    async with api.owner() as owner:
        waiting = await owner.fetch(linker.SQL["waiting"], 100)
        records = await linker.proposals(owner, vault(), [r["person_key"] for r in waiting])
        await api.broker.send(records)
        await linker.done(owner, waiting)
        assert await owner.fetchval("select count(*) from person_unlinked") == 0
    return len(records)


async def links(api: Api, who: str = "hub", **query: str) -> list[dict[str, Any]]:
    async with api.http(who) as http:
        found = await http.get("/v1/persons/links", params=query)
    assert found.status_code == 200, found.text
    items: list[dict[str, Any]] = found.json()["items"]
    return items


async def test_from_two_senders_to_a_confirmed_link(api: Api) -> None:
    one, two = person("Guzmanova"), person("Guzmannova", phone="(510) 555-0100")
    first = await api.submitted("clinic-a", person=one)
    second = await api.submitted("clinic-b", person=two)
    assert FLAG not in first["flags"] and FLAG in second["flags"]
    assert second["status"] == "requested", "flagged, and on its way all the same"
    assert await compared(api) == 1 and await compared(api) == 0
    [link] = [found for found in await links(api) if set(found["senders"]) == {"clinic-a", "clinic-b"}]
    assert (link["status"], link["alike"]) == ("proposed", ["family_name"])
    async with api.http("hub") as http:
        confirmed = await http.post(f"/v1/persons/links/{link['id']}/confirm", json={"reason": "both say so"})
        again = await http.post(f"/v1/persons/links/{link['id']}/confirm")
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "confirmed")
    assert (again.status_code, again.json()["version"]) == (200, 2)
    keys = {who: ids.person_key(who, p["person_id"]) for who, p in (("clinic-a", one), ("clinic-b", two))}
    async with api.owner() as owner:
        found = await persons.linked(owner, [keys["clinic-a"]])
    assert found == {keys["clinic-a"]: frozenset({keys["clinic-b"]})}
    moved = person("Otherwise", birth_date="1999-09-09", person_id=two["person_id"], phone=None, address=None)
    moved["address"] = {"postal_code": "94607"}
    third = await api.submitted("clinic-b", person=moved, need={"domain": "food-insecurity"})
    assert FLAG in third["flags"]
    async with api.http("hub") as http:
        undone = await http.post(f"/v1/persons/links/{link['id']}/reject")
    assert undone.json()["status"] == "rejected"
    async with api.owner() as owner:
        assert await persons.linked(owner, [keys["clinic-a"]]) == {}


async def test_a_chain_of_links_is_followed_to_its_end(api: Api) -> None:
    async with api.owner() as owner:
        a, b, c, d = (uuid4() for _ in range(4))
        for one, other, status in ((a, b, "confirmed"), (b, c, "confirmed"), (c, d, "rejected")):
            data = f'{{"persons": ["{one}", "{other}"], "status": "{status}"}}'
            await owner.execute(
                "insert into stream (kind, id, tenant, version, type, data, at)"
                " values ('person-link', $1, 'hub', 1, 'person-link-decided', $2, now())",
                uuid4(),
                data,
            )
        found = await persons.linked(owner, [a, c, d])
    assert found == {a: frozenset({b, c}), c: frozenset({a, b})}


async def test_the_earlier_referral_is_named_to_those_alone_who_may_see_it(api: Api) -> None:
    first = await api.submitted("clinic-a", person=person("Isolde"))
    second = await api.submitted("clinic-b", person=person("Isolde"))
    own = await api.submitted("clinic-b", person=person("Isolde"))
    doubts = {}
    for who, id in (("clinic-b", second["id"]), ("operator", second["id"])):
        async with api.http(who) as http:
            events = (await http.get(f"/v1/referrals/{id}/events")).json()["items"]
        assert "match_keys" not in str(events)
        doubts[who] = next(e["data"] for e in events if e["type"] == "duplicate-suspected")
    assert "earlier" not in doubts["clinic-b"] and first["id"] not in str(doubts["clinic-b"])
    assert doubts["clinic-b"]["same"] == ["given_name", "family_name", "birth_date", "phone", "address"]
    async with api.http("clinic-b") as http:
        events = (await http.get(f"/v1/referrals/{own['id']}/events")).json()["items"]
    doubt = next(e["data"] for e in events if e["type"] == "duplicate-suspected")
    assert doubt["earlier"] == second["id"], "the newer of two alike, and its own"


async def test_a_sensitive_referral_of_another_sender_is_neither_told_nor_compared(api: Api) -> None:
    one, two = person("Nightingale"), person("Nightingale")
    await api.submitted("clinic-a", person=one, sensitivity=["part2"])
    second = await api.submitted("clinic-b", person=two)
    assert FLAG not in second["flags"]
    await compared(api)
    known = {p for found in await links(api, limit="200") for p in found["persons"]}
    assert known and str(ids.person_key("clinic-b", two["person_id"])) not in known


async def decide(http: httpx.AsyncClient, id: Any) -> int:
    return (await http.post(f"/v1/persons/links/{id}/confirm")).status_code


async def test_links_are_the_hubs_alone(api: Api) -> None:
    await api.submitted("clinic-a", person=person("Umber"))
    await api.submitted("clinic-b", person=person("Umber"))
    await compared(api)
    [link] = await links(api, status="proposed", limit="1")
    for other in ("clinic-a", "golden-health-plan", "food-a", "state", "operator"):
        async with api.http(other) as http:
            assert (await http.get("/v1/persons/links")).status_code == 403
            assert await decide(http, link["id"]) == 403
    async with api.http("hub") as http:
        assert await decide(http, uuid4()) == await decide(http, "nonsense") == 404
        assert (await http.get("/v1/persons/links", params={"status": "maybe"})).status_code == 422
        wrong = await http.post(f"/v1/persons/links/{link['id']}/reject", json={"reason": "x" * 301})
        assert wrong.status_code == 422 and wrong.json()["errors"][0]["pointer"] == "/reason"
    async with api.owner() as owner:
        told = await owner.fetch("select data::text as data from stream where kind = 'person-link'")
    assert told and not any(word in row["data"] for row in told for word in ("Umber", "1975-11", "Test St"))
    assert all(UUID(p) for p in link["persons"])


async def test_the_hub_answers_on_its_page(api: Api) -> None:
    await api.submitted("clinic-a", person=person("Vesper"))
    await api.submitted("clinic-b", person=person("Vesper"))
    await compared(api)
    async with api.http() as http:
        await http.post("/login", data={"email": "staff@hub.example.org", "password": PASSWORD})
        page = (await http.get("/hub")).text
        assert "The same person?" in page and "Vesper" not in page.partition("The same person?")[2]
        path = page.partition('action="/hub/links/')[2].partition("/confirm")[0]
        csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
        done = await http.post(f"/hub/links/{path}/confirm", data={"csrf": csrf})
        assert (done.status_code, done.headers["location"]) == (303, "/hub?done=linked")
        missing = await http.post(f"/hub/links/{uuid4()}/confirm", data={"csrf": csrf})
        assert missing.status_code == 404
    assert path in {found["id"] for found in await links(api, status="confirmed")}
