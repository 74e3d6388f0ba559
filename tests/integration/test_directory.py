"""The directory on a real Postgres: a CBO's word is in force, imports are upserted, history makes the rows."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from cli import import_directory, rebuild
from cli.common import Exchange
from infra.kafka import KafkaLogin
from infra.settings import Settings
from producers import hsds
from producers.hsds.upsert import InForce, Plan, plan, records
from stream_processors.world import WorldKeeper
from tests.support.api import PASSWORD, Api, new
from tests.support.directory import Json, found, listing, publish, say, service_of
from tests.support.hsds_package import TABLES, write

pytestmark = pytest.mark.real
TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("directory")) as running:
        yield running


async def test_a_statement_is_in_force_with_its_answer_and_routing_keeps_to_it(api: Api) -> None:
    everyone = ("food-a", "food-b")
    for organization in everyone:
        closed = await say(api, organization, {"status": "no-capacity", "note": "Back soon"})
        assert closed.status_code == 200, closed.text
        assert closed.json()["capacity"]["status"] == "no-capacity"
    referral = await api.submitted()
    assert (referral["status"], referral["hops"]) == ("needs-review", [])
    async with api.http("clinic-a") as http:
        why = (await http.get(f"/v1/referrals/{referral['id']}/routing")).json()
    assert {c["excluded_by"]["rule"] for c in why["candidates"]} == {"capacity"}
    assert (await say(api, "food-a", {"available": 5})).json()["capacity"]["available"] == 5
    assert [h["organization"] for h in (await api.submitted())["hops"]] == ["food-a"]
    until = (TODAY + timedelta(days=2)).isoformat()
    shut = {"closures": [{"from": (TODAY - timedelta(days=1)).isoformat(), "to": until, "reason": "Moving"}]}
    assert (await say(api, "food-a", shut)).json()["capacity"]["closures"][0]["reason"] == "Moving"
    assert (await api.submitted())["status"] == "needs-review"
    for organization in everyone:
        assert (await say(api, organization, {"status": "capacity", "closures": []})).status_code == 200
    assert (await api.submitted())["status"] == "requested"


async def test_only_its_own_cbo_may_speak_for_a_service(api: Api) -> None:
    id = (await service_of(api, "food-a"))["id"]
    missing = await say(api, "food-b", {"status": "full"}, str(uuid4()))
    for said in ({"status": "full"}, {"nonsense": 1}):
        foreign = await say(api, "food-b", said, id)
        assert (foreign.status_code, foreign.content) == (404, missing.content)
    assert (await say(api, "food-b", {"status": "full"}, "not-an-id")).status_code == 404
    for organization in ("clinic-a", "operator", "hub"):
        assert (await say(api, organization, {"status": "full"}, id)).status_code in (403, 404)


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"status": "plenty"}, "/status"),
        ({"available": -1}, "/available"),
        ({"available": "many"}, "/available"),
        ({"status": "no-capacity", "available": 3}, "/available"),
        ({"closures": [{"from": "2026-02-30"}]}, "/closures/0/from"),
        ({"closures": [{"from": "2026-03-02", "to": "2026-03-01"}]}, "/closures/0/to"),
        ({"status": "capacity", "until": "2020-01-01"}, "/until"),
        ({}, ""),
    ],
)
async def test_what_is_wrong_is_said_with_its_place(api: Api, said: Json, pointer: str) -> None:
    got = await say(api, "food-a", said)
    assert got.status_code == 422
    assert [e["pointer"] for e in got.json()["errors"]] == [pointer]


async def test_a_statement_not_recorded_yet_is_taken_and_a_repeated_key_is_one_statement(api: Api) -> None:
    api.broker.holding = True
    key = {"Idempotency-Key": uuid4().hex}
    try:
        first = await say(api, "food-b", {"available": 7}, **key)
        assert first.status_code == 202
    finally:
        api.broker.holding = False
        await api.broker.release()
    again = await say(api, "food-b", {"available": 7}, **key)
    assert (again.status_code, again.json()["capacity"]["available"]) == (200, 7)
    assert again.json()["capacity"]["version"] == (await service_of(api, "food-b"))["capacity"]["version"]
    assert (await say(api, "food-b", {"available": 8}, **key)).status_code == 422


async def imported(api: Api, folder: Path, source: str | None = None) -> Plan:
    """What `refex import-directory` does, with the test's broker."""
    async with api.owner() as owner:
        rows = await owner.fetch(import_directory.SQL["services_in_force"])
    made = plan(hsds.read_path(folder), (InForce(*row) for row in rows), source)
    await api.broker.send(list(records(made, datetime.now(UTC))))
    return made


async def test_an_import_is_upserted_by_source_and_what_is_gone_ends_as_a_fact(
    api: Api, tmp_path: Path
) -> None:
    write(tmp_path, TABLES)
    assert len((await imported(api, tmp_path, "county")).changed) == 2
    again = await imported(api, tmp_path, "county")
    assert (again.changed, again.unchanged, again.ended) == ([], 2, [])
    assert len((await imported(api, tmp_path, "city")).changed) == 2
    assert len(await found(api, q="harvest pantry")) == 2
    write(tmp_path, TABLES | {"services.csv": TABLES["services.csv"][1:]})
    gone = await imported(api, tmp_path, "county")
    assert [(row.source, row.source_id, row.version) for row in gone.ended] == [("county", "s1", 1)]
    (left,) = await found(api, q="harvest pantry")
    assert left["provenance"]["source"] == "city" and left["provenance"]["imported_at"]
    assert left["assured_date"] == "2026-01-02"
    async with api.owner() as owner:
        facts = await owner.fetch(
            "select version, type from history where stream_id = $1 order by version", UUID(gone.ended[0].id)
        )
        body = await owner.fetchval("select body from service where id = $1", UUID(gone.ended[0].id))
    assert [tuple(f) for f in facts] == [(1, "service-changed"), (2, "service-ended")]
    assert json.loads(body)["ended_on"] == TODAY.isoformat()
    assert (await imported(api, tmp_path, "county")).ended == []
    write(tmp_path, TABLES)
    back = await imported(api, tmp_path, "county")
    assert [(one.service.name, version) for one, version in back.changed] == [("Groceries", 2)]
    assert len(await found(api, q="harvest pantry")) == 2


async def test_a_cbo_that_closed_stays_closed_when_its_directory_is_imported_again(
    api: Api, tmp_path: Path
) -> None:
    first = await publish(api, "food-b", listing("food-b", 50))
    assert (await say(api, "food-b", {"status": "no-capacity"}, first[0])).status_code == 200
    room = {"capacities": [{"available": 9, "updated": "2099-01-01T00:00:00Z", "unit": {"name": "places"}}]}
    assert await publish(api, "food-b", listing("food-b", 50, description="Anew", **room)) == first
    (again,) = await found(api, q="anew")
    assert again["capacity"]["status"] == "no-capacity"
    async with api.owner() as owner:
        world = await WorldKeeper().current(owner)
    assert world.directory.services[first[0]].capacity_status == "no-capacity"


async def test_a_cbo_says_it_on_its_page(api: Api) -> None:
    (id,) = await publish(api, "safe-a", listing("safe-a", 70))
    (foreign,) = await publish(api, "food-b", listing("food-b", 71))
    path = f"/cbo/services/{id}"
    async with api.http() as http:
        await http.post("/login", data={"email": "staff@safe-a.example.org", "password": PASSWORD})
        listed = (await http.get("/cbo/services")).text
        assert path in listed and foreign not in listed
        form = (await http.get(path)).text
        token = {"csrf": form.partition('name="csrf" value="')[2].partition('"')[0]}
        done = await http.post(path, data=token | {"status": "capacity", "available": "2", "note": "Ring"})
        assert (done.status_code, done.headers["location"]) == (303, f"{path}?done=room")
        assert "2 free places" in (await http.get(path)).text
        shut = {"closed_from": TODAY.isoformat(), "closed_to": "", "closed_reason": "Flood"}
        assert (await http.post(path, data=token | shut)).status_code == 303
        page = (await http.get(path)).text
        assert "Flood" in page and f'value="{TODAY.isoformat()}/"' in page
        wrong = await http.post(path, data=token | {"status": "no-capacity", "available": "many"})
        assert wrong.status_code == 422 and 'href="#available"' in wrong.text
        wrong = await http.post(path, data=token | {"closed_from": "2026-12-05", "closed_to": "2026-12-04"})
        assert wrong.status_code == 422 and 'href="#closed_to"' in wrong.text
        assert (await http.post(path, data={"status": "capacity"})).status_code == 403, "no token"
        for other in (foreign, str(uuid4()), "x"):
            assert (await http.get(f"/cbo/services/{other}")).status_code == 404
            said = await http.post(f"/cbo/services/{other}", data=token | {"status": "capacity"})
            assert said.status_code == 404
        assert (await http.post(path, data=token | {"reopen": f"{TODAY.isoformat()}/"})).status_code == 303
    (now,) = await found(api, q="safe 70")
    assert (now["capacity"]["available"], now["capacity"]["closures"]) == (2, [])


async def test_history_alone_makes_every_row_of_the_directory(api: Api) -> None:
    await publish(api, "food-a", listing("food-a", 90))
    exchange = Exchange(Settings(), api.url, KafkaLogin(bootstrap=""), "")
    result = await rebuild.alone(exchange, "rebuilt_directory", "archive", True)
    assert result.differences == []
    compared = {t.table: t.rows for t in result.tables}
    assert compared["service"] >= 5 and compared["stream"] > compared["service"]


async def test_new_submissions_see_what_changed_and_nothing_else_is_read(api: Api) -> None:
    async with api.owner() as owner:
        version = await owner.fetchval("select version from directory_version")
        assert (await say(api, "food-a", {"available": 2})).status_code == 200
        changed = await owner.fetch("select id from directory_change where version > $1", version)
    assert len(changed) == 1
    async with api.http("clinic-a") as http:
        assert (await http.post("/v1/referrals", json=new())).status_code in (200, 202)
