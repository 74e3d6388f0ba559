"""What no admin can do: reach another organization, end the last admin or themselves, change people off the record."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from starlette.requests import Request

from api.database import Database
from api.deeds import Deeds
from api.limits import Buckets
from tests.integration.test_api_access import principal
from tests.integration.test_escalation import ASSIGNED
from tests.support.api import Api
from tests.support.managing import DEEDS, deed, new, person
from tests.support.people import browser, joined, token_of, unhurried

MISSING = "00000000-dead-4bad-8bad-0000deadbeef"


class Processes:
    """As if each deed came in at another process: one process orders its own, and knows of no other's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def done(self, request: Request, status: int) -> AbstractAsyncContextManager[asyncpg.Connection]:
        return Deeds(self._database).done(request, status)


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("managed")) as running:
        yield running


@pytest.fixture(autouse=True)
def no_quotas(api: Api) -> None:
    unhurried(api)


@pytest.fixture
async def admin(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(api, await joined(api, "clinic-a", "admin")) as http:
        yield http


PERSONS: dict[str, str] = {
    **{name: str(value) for name, value in ASSIGNED.items() if name not in ("organization", "role")},
    "organization": "clinic-b",
    "user_id": str(uuid4()),
    "active": "false",
    "password": "chosen-by-me",
    "password_hash": "x",
    "second_step": "off",
    "email[]": "b@clinic-b.example.org",
    "Role": "admin",
}


async def test_a_form_about_people_takes_its_own_fields_alone(api: Api) -> None:
    email = await joined(api, "clinic-a", "admin")
    async with api.owner() as owner:
        person = str(
            await owner.fetchval("select id from app_user where email = 'staff@clinic-a.example.org'")
        )
        before = await owner.fetch("select * from app_user order by id")
    forms: dict[str, dict[str, Any]] = {
        "/people/new": {"name": "Ana", "email": "ana@clinic-a.example.org", "role": "staff"},
        f"/people/{person}/role": {"role": "auditor"},
        **{f"/people/{person}/{deed}": {} for deed in ("shut-out", "let-in", "reset")},
    }
    cases = 0
    async with browser(api, email) as http:
        csrf = await token_of(http)
        for address, fields in forms.items():
            more: list[dict[str, Any]] = [{name: value} for name, value in PERSONS.items()]
            more += [{name: [value, value]} for name, value in fields.items()]  # which of the two?
            for sent in more:
                cases += 1
                got = await http.post(address, data={"csrf": csrf, **fields, **sent})
                assert got.status_code == 422, (address, sent, got.status_code)
    async with api.owner() as owner:
        assert await owner.fetch("select * from app_user order by id") == before
    assert cases > 100


async def test_another_organizations_people_are_as_if_they_were_not(
    api: Api, admin: httpx.AsyncClient
) -> None:
    email = await joined(api, "clinic-b", "staff")
    before = await person(api, email)
    async with browser(api, email) as theirs:
        for path, sent in [("", None), *((f"/{name}", {"role": "admin"}) for name in DEEDS)]:
            said = []
            for id in (str(before["id"]), MISSING):
                data = {"csrf": await token_of(admin), **(sent or {})}
                address = f"/people/{id}{path}"
                got = await (admin.post(address, data=data) if sent else admin.get(address))
                assert got.status_code == 404, (path, id)
                said.append(got.text.replace(id, "#"))
            assert said[0] == said[1], path
        assert (await theirs.get("/v1/me")).status_code == 200
    assert await person(api, email) == before


async def test_an_admin_does_not_end_themselves(api: Api) -> None:
    email = await joined(api, "food-b", "admin")
    me = await person(api, email)
    async with browser(api, email) as http:
        for name, said in (("shut-out", "shut yourself out"), ("reset", "do this to yourself")):
            got = await deed(http, me["id"], name)
            assert got.status_code == 409 and said in got.text
        got = await deed(http, me["id"], "role", role="staff")
        assert got.status_code == 409 and "only administrator" in got.text
        assert (await http.get("/people")).status_code == 200, "what was refused has ended nothing"
        other = await joined(api, "food-b", "admin")
        assert (await deed(http, me["id"], "role", role="staff")).headers["location"] == "/login"
        assert (await http.get("/v1/me")).status_code == 401
    assert (await person(api, email))["role"] == "staff" and (await person(api, other))["role"] == "admin"


async def test_two_admins_cannot_end_each_other(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    context = api.app.state.context
    monkeypatch.setattr(context, "deeds", Processes(context.database))
    for attempt in range(10):
        name = ("role", "shut-out")[attempt % 2]
        emails = [await joined(api, "safe-a", "admin") for _ in range(2)]
        ids = [(await person(api, email))["id"] for email in emails]
        async with browser(api, emails[0]) as one, browser(api, emails[1]) as two:
            tokens = [await token_of(http) for http in (one, two)]
            answers = await asyncio.gather(
                *(
                    http.post(f"/people/{id}/{name}", data={"csrf": csrf, **fields})
                    for http, id, csrf in ((one, ids[1], tokens[0]), (two, ids[0], tokens[1]))
                    for fields in ({"role": "staff"} if name == "role" else {},)
                )
            )
        left = [p for p in [await person(api, e) for e in emails] if p["role"] == "admin" and p["active"]]
        assert len(left) == 1, [a.status_code for a in answers]
        async with api.owner() as owner:
            await owner.execute("update app_user set active = false where tenant = 'safe-a'")


async def test_without_its_record_nothing_is_changed(api: Api, admin: httpx.AsyncClient) -> None:
    email = await joined(api, "clinic-a")
    before = await person(api, email)
    csrf = await token_of(admin)
    async with api.owner() as owner, browser(api, email) as http:
        await owner.execute("revoke insert on audit_record from refex_api")
        try:
            got = await admin.post(f"/people/{before['id']}/role", data={"csrf": csrf, "role": "admin"})
            assert got.status_code >= 500
            got = await admin.post(f"/people/{before['id']}/shut-out", data={"csrf": csrf})
            assert got.status_code >= 500
        finally:
            await owner.execute("grant insert on audit_record to refex_api")
        assert await person(api, email) == before
        assert (await http.get("/v1/me")).status_code == 200, "nor was anybody logged out"


async def test_an_admin_who_is_one_no_more_changes_nothing_that_was_on_its_way(api: Api) -> None:
    email, other = await joined(api, "clinic-a", "admin"), await joined(api, "clinic-a")
    before = await person(api, other)
    async with browser(api, email) as http, api.owner() as owner:
        csrf = await token_of(http)
        await owner.execute("begin")
        await owner.execute("update app_user set role = 'staff' where email = $1", email)
        asked = asyncio.create_task(http.post(f"/people/{before['id']}/shut-out", data={"csrf": csrf}))
        await asyncio.sleep(0.3)
        await owner.execute("commit")
        assert (await asked).status_code == 403
    assert await person(api, other) == before


async def test_the_database_alone_keeps_the_api_to_its_own_organizations_people_and_columns(api: Api) -> None:
    email = await joined(api, "clinic-b")
    other = (await person(api, email))["id"]
    forbidden = {
        "update app_user set email = 'x' where id = $1": asyncpg.InsufficientPrivilegeError,
        "update app_user set tenant = 'clinic-a' where id = $1": asyncpg.InsufficientPrivilegeError,
        "delete from app_user where id = $1": asyncpg.InsufficientPrivilegeError,
        "insert into app_user (id, tenant, email, name, role, password_hash)"
        " values (gen_random_uuid(), 'clinic-b', $1::uuid::text, 'x', 'admin', 'x')": (
            asyncpg.InsufficientPrivilegeError
        ),
    }
    database = api.app.state.context.database
    async with browser(api, await joined(api, "clinic-a", "admin")) as http:
        me = (await http.get("/v1/me")).json()
    assert me["organization"]["id"] == "clinic-a"
    who = principal("clinic-a", "clinic")
    for sql, error in forbidden.items():
        with pytest.raises(error):
            async with database.keeping(who) as connection:
                await connection.execute(sql, other)
    async with database.keeping(who) as connection:
        assert (
            await connection.execute("update app_user set role = 'admin' where id = $1", other) == "UPDATE 0"
        )
        assert await connection.fetchval("select count(*) from app_user where tenant <> 'clinic-a'") == 0
    async with database.own() as connection:  # before a caller is known nobody is changed
        assert await connection.execute("update app_user set role = 'admin'") == "UPDATE 0"
        assert await connection.execute("delete from second_factor") == "DELETE 0"


async def test_how_often_people_are_changed_is_bounded_for_the_organization(
    api: Api, admin: httpx.AsyncClient
) -> None:
    api.app.state.context.limits.people = Buckets(per_second=0.001, burst=3)
    answers = [(await new(admin, "staff@clinic-b.example.org")).status_code for _ in range(5)]
    assert answers == [422, 422, 422, 429, 429]
    assert (await admin.get("/people")).status_code == 200
