"""An admin manages the organization's people through the page: added, given a role, shut out, let in, reset."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from msgspec import structs

from api.mail import Mail
from tests.support.api import Api
from tests.support.managing import deed, new, person, recorded, shown_password
from tests.support.people import browser, entered, joined, unhurried
from tests.support.smtp import MailServer


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


async def test_the_list_shows_the_organizations_own_people_and_no_secret(
    api: Api, admin: httpx.AsyncClient
) -> None:
    email = await joined(api, "clinic-a", "auditor")
    page = (await admin.get("/people")).text
    assert email in page and "Auditor" in page and "Never" in page
    assert "clinic-b.example.org" not in page and "argon2" not in page
    async with browser(api, email):
        assert (await admin.get("/people")).text.count("just now") >= 2, "oneself and who has just logged in"
    async with browser(api, await joined(api, "clinic-b", "admin")) as alone:
        assert "clinic-a.example.org" not in (await alone.get("/people")).text


async def test_a_long_list_is_turned_page_by_page(api: Api) -> None:
    async with browser(api, await joined(api, "network", "admin")) as http, api.owner() as owner:
        insert = "insert into app_user (id, tenant, email, name, role, password_hash)"
        insert += " values ($1, 'network', $2, $3, 'staff', 'x')"
        for n in range(60):
            await owner.execute(insert, uuid4(), f"p{n}@network.example.org", f"Same Name {n % 3}")
        found: list[str] = []
        path = "/people"
        while path:
            page = (await http.get(path)).text
            found += re.findall(r"p\d+@network", page)
            following = re.search(r'href="(/people\?cursor=[^"]+)"', page)
            path = following[1] if following else ""
    assert len(found) == 60 == len(set(found))


async def test_somebody_new_gets_a_password_that_is_shown_once(api: Api, admin: httpx.AsyncClient) -> None:
    email = f"new-{uuid4().hex[:8]}@clinic-a.example.org"
    got = await new(admin, email, "auditor", "Núria O'Neil <b>")
    assert got.status_code == 200 and got.headers["cache-control"] == "no-store"
    password = shown_password(got.text)
    made = await person(api, email)
    assert (made["tenant"], made["role"], made["active"]) == ("clinic-a", "auditor", True)
    async with api.http() as http:
        assert (await entered(http, email, password)).status_code == 303
    assert password not in (await admin.get(f"/people/{made['id']}")).text
    [record] = [r for r in await recorded(api) if any(o.id == str(made["id"]) for o in r.objects)][:1]
    assert (record.route, record.operation, record.status) == ("POST /people/new", "C", 200)
    assert {(o.kind, o.id) for o in record.objects} == {("user", str(made["id"])), ("role", "auditor")}
    assert email not in str(record)


@pytest.mark.parametrize(
    ("email", "role", "name"),
    [
        ("no address", "staff", "Ana"),
        ("a@x.org\nBcc: b@x.org", "staff", "Ana"),
        ("a@" + "x" * 300, "staff", "Ana"),
        ("ana@clinic-a.example.org", "navigator", "Ana"),
        ("ana@clinic-a.example.org", "operator", "Ana"),
        ("ana@clinic-a.example.org", "", "Ana"),
        ("ana@clinic-a.example.org", "staff", ""),
        ("ana@clinic-a.example.org", "staff", "x" * 101),
        ("ana@clinic-a.example.org", "staff", "A\u202enna"),
        ("STAFF@clinic-a.example.org", "staff", "Ana"),
        ("staff@clinic-b.example.org", "staff", "Ana"),
    ],
)
async def test_what_cannot_be_added_is_said_beside_its_field(
    api: Api, admin: httpx.AsyncClient, email: str, role: str, name: str
) -> None:
    async with api.owner() as owner:
        before = await owner.fetchval("select count(*) from app_user")
        got = await new(admin, email, role, name)
        assert got.status_code == 422 and 'class="error"' in got.text
        assert await owner.fetchval("select count(*) from app_user") == before


async def test_an_address_is_refused_alike_whoever_has_it(admin: httpx.AsyncClient) -> None:
    own, other = "staff@clinic-a.example.org", "staff@clinic-b.example.org"
    pages = [(await new(admin, email)).text.replace(email, "#") for email in (own, other)]
    assert pages[0] == pages[1]


async def test_where_mail_is_set_a_link_is_sent_and_no_password_shown(
    api: Api, admin: httpx.AsyncClient
) -> None:
    context, email = api.app.state.context, f"mail-{uuid4().hex[:8]}@clinic-a.example.org"
    async with MailServer() as server:
        before, context.mail = (
            context.mail,
            Mail(structs.replace(context.settings, smtp_url=server.url), context.database),
        )
        try:
            got = await new(admin, email)
            assert got.status_code == 303 and "person-invited" in got.headers["location"]
            assert await context.mail.send_one()
            message = await server.message()
        finally:
            context.mail = before
    assert message["To"] == email and "administrator" in message.get_content()
    found = re.search(r"http://\S+?(/login/link/\S+)", message.get_content())
    assert found is not None
    async with api.owner() as owner:
        held = await owner.fetchval("select expires_at - now() from login_link where invited")
        assert timedelta(hours=11) < held <= timedelta(hours=12)
    async with api.http() as http:
        assert (await http.post(found[1], data={"csrf": ""})).status_code == 303
        assert (await http.get("/v1/me")).json()["role"] == "staff"
        assert (await http.post(found[1], data={"csrf": ""})).status_code == 401


async def test_another_role_ends_the_sessions_and_is_on_record(api: Api, admin: httpx.AsyncClient) -> None:
    email = await joined(api, "clinic-a", "staff")
    found = await person(api, email)
    async with browser(api, email) as http:
        assert (await http.get("/people")).status_code == 403
        assert (await deed(admin, found["id"], "role", role="admin")).status_code == 303
        assert (await http.get("/v1/me")).status_code == 401
        await entered(http, email)
        assert (await http.get("/people")).status_code == 200
    record = next(r for r in await recorded(api) if r.route == "POST /people/{id}/role" and r.status == 303)
    objects = {(o.kind, o.id) for o in record.objects}
    assert objects == {("user", str(found["id"])), ("role", "admin")}
    assert (record.organization, record.role, record.operation) == ("clinic-a", "admin", "U")
    for role in ("navigator", "operator", "root", ""):
        assert (await deed(admin, found["id"], "role", role=role)).status_code == 422, role
    assert (await person(api, email))["role"] == "admin"


async def test_somebody_is_shut_out_at_once_and_let_in_again(api: Api, admin: httpx.AsyncClient) -> None:
    email = await joined(api, "clinic-a")
    id = (await person(api, email))["id"]
    async with browser(api, email) as http:
        assert (await deed(admin, id, "shut-out")).status_code == 303
        assert (await http.get("/v1/me")).status_code == 401
        assert (await entered(http, email)).status_code == 401
        assert (await deed(admin, id, "let-in")).status_code == 303
        assert (await http.get("/v1/me")).status_code == 401, "no old session comes back"
        assert (await entered(http, email)).status_code == 303


async def test_a_reset_ends_password_second_step_links_and_sessions(
    api: Api, admin: httpx.AsyncClient
) -> None:
    email = await joined(api, "clinic-a")
    id = (await person(api, email))["id"]
    async with api.owner() as owner:
        factor = "insert into second_factor (user_id, tenant, secret, confirmed_at) values ($1, 'clinic-a', 'x', now())"
        link = "insert into login_link (id, tenant, user_id, language, asked_at, next_at)"
        link += " values ($1, 'clinic-a', $1, 'en', now(), now())"
        await owner.execute(factor, id)
        await owner.execute(link, id)
        assert "Set up" in (await admin.get(f"/people/{id}")).text
        got = await deed(admin, id, "reset")
        assert await owner.fetchval("select count(*) from second_factor where user_id = $1", id) == 0
        assert await owner.fetchval("select count(*) from login_link where user_id = $1", id) == 0
    async with api.http() as http:
        assert (await entered(http, email)).status_code == 401
        assert (await entered(http, email, shown_password(got.text))).status_code == 303
