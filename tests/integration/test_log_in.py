"""People log in: sessions that begin anew, roles, idle log-off, quotas, and all of it on record."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from api import logins
from api.limits import Buckets, Limits
from infra import people
from infra.audit import records
from tests.support.api import PASSWORD, Api
from tests.support.people import browser, entered, joined, token_of, unhurried

NAME = "refex-session"


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("log-in")) as running:
        yield running


@pytest.fixture(autouse=True)
def no_quotas(api: Api) -> None:
    unhurried(api)


async def sessions_of(api: Api, email: str) -> int:
    async with api.owner() as owner:
        query = "select count(*) from session s join app_user u on u.id = s.user_id where u.email = $1"
        found: int = await owner.fetchval(query, email)
    return found


async def test_every_log_in_begins_a_session_of_its_own(api: Api) -> None:
    email = await joined(api, "clinic-a")
    async with browser(api, email) as http:
        first = http.cookies[NAME]
        await entered(http, email)
        assert http.cookies[NAME] != first
        assert await sessions_of(api, email) == 1
        assert (await http.get("/v1/me")).status_code == 200
    async with api.http(Cookie=f"{NAME}={first}") as stolen:
        assert (await stolen.get("/v1/me")).status_code == 401


async def test_an_id_that_somebody_brings_along_is_not_taken_over(api: Api) -> None:
    email = await joined(api, "clinic-a")
    async with api.http(Cookie=f"{NAME}=planted") as http:
        got = await entered(http, email)
        assert "planted" not in got.headers["set-cookie"]
    async with api.http(Cookie=f"{NAME}=planted") as http:
        assert (await http.get("/v1/me")).status_code == 401


async def test_a_role_opens_what_it_may_and_nothing_else(api: Api) -> None:
    analyst = await joined(api, "golden-health-plan", "analyst")
    manager = await joined(api, "golden-health-plan", "care-manager")
    auditor = await joined(api, "clinic-a", "auditor")
    async with browser(api, analyst) as http:
        home = (await http.get("/", follow_redirects=True)).text
        assert "/clinic/new" not in home
        assert (await http.get("/mco")).status_code == 200
        assert (await http.get("/clinic/new")).status_code == 403
    async with browser(api, manager) as http:
        assert (await http.get("/clinic/new")).status_code == 200
    async with browser(api, auditor) as http:
        assert (await http.get("/")).headers["location"] == "/account"
        for path in ("/clinic", "/clinic/new", "/v1/referrals", "/v1/services", "/v1/events/stream"):
            assert (await http.get(path)).status_code == 403, path


Change = Callable[[asyncpg.Connection, str], Awaitable[object]]
CHANGES: dict[str, Change] = {
    "another role": lambda owner, email: people.set_role(owner, email, "admin"),
    "by hand": lambda owner, email: owner.execute(
        "update app_user set role = 'admin' where email = $1", email
    ),
    "shut out": people.disable,
    "a new password": people.reset,
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_of_role_ends_the_session_even_one_made_by_hand(api: Api, change: str) -> None:
    email = await joined(api, "clinic-a")
    async with browser(api, email) as http:
        assert (await http.get("/v1/me")).status_code == 200
        async with api.owner() as owner:
            await CHANGES[change](owner, email)
        assert (await http.get("/v1/me")).status_code == 401


@pytest.mark.parametrize("change", CHANGES)
async def test_a_log_in_that_was_under_way_lets_nobody_in_either(api: Api, change: str) -> None:
    """The password is still being checked when the person is changed: what was looked up is not so any more."""
    email = await joined(api, "clinic-a")
    async with api.http() as http, api.owner() as owner:
        async with logins.HASHING, logins.HASHING:
            under_way = asyncio.create_task(entered(http, email))
            await asyncio.sleep(0.3)
            await CHANGES[change](owner, email)
            assert not under_way.done()
        await under_way
        assert (await http.get("/v1/me")).status_code == 401
        await owner.execute("update app_user set active = true where email = $1", email)
        assert (await http.get("/v1/me")).status_code == 401, "nor when they may log in again"


async def test_a_role_that_nobody_knows_opens_nothing(api: Api) -> None:
    email = await joined(api, "clinic-a")
    async with api.owner() as owner:
        await owner.execute("update app_user set role = 'nonsense' where email = $1", email)
    async with browser(api, email) as http:
        assert (await http.get("/v1/me")).json()["scopes"] == []
        assert (await http.get("/v1/referrals")).status_code == 403


async def last_seen(api: Api, email: str, ago: timedelta | None = None) -> datetime:
    async with api.owner() as owner:
        who = "user_id = (select id from app_user where email = $1)"
        if ago is not None:
            await owner.execute(
                f"update session set last_seen_at = now() - $2::interval where {who}", email, ago
            )
        found: datetime = await owner.fetchval(f"select last_seen_at from session where {who}", email)
    return found


async def test_a_session_nobody_uses_ends_after_fifteen_minutes(api: Api) -> None:
    email = await joined(api, "clinic-a")
    async with browser(api, email) as http:
        await last_seen(api, email, timedelta(minutes=14, seconds=30))
        assert (await http.get("/clinic")).status_code == 200
        await last_seen(api, email, timedelta(minutes=15, seconds=1))
        assert (await http.get("/clinic")).headers["location"].startswith("/login")


async def test_an_open_page_alone_does_not_keep_its_session_alive(api: Api) -> None:
    email = await joined(api, "clinic-a")
    async with browser(api, email) as http:
        before = await last_seen(api, email, timedelta(minutes=10))
        assert (await http.get("/clinic", headers={"X-Fragment": "1"})).status_code == 200
        assert await last_seen(api, email) == before
        await http.get("/clinic")
        assert await last_seen(api, email) > before


async def test_guesses_at_one_account_are_bounded_wherever_they_come_from(api: Api) -> None:
    api.app.state.context.limits.accounts = Buckets(per_second=0.001, burst=3)
    email, answers = await joined(api, "clinic-a"), []
    for number in range(5):
        transport = httpx.ASGITransport(api.app, client=(f"10.0.0.{number}", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            answers.append((await entered(http, email, "wrong")).status_code)
    assert answers == [401, 401, 401, 429, 429]


async def test_guesses_from_one_address_are_bounded_whoever_they_are_at(api: Api) -> None:
    api.app.state.context.limits.addresses = Buckets(per_second=0.001, burst=3)
    async with api.http() as http:
        answers = [(await entered(http, f"{uuid4().hex}@x.org", "wrong")).status_code for _ in range(5)]
    assert answers == [401, 401, 401, 429, 429]


def test_the_quotas_of_log_ins_are_in_force() -> None:
    limits = Limits()
    for bucket, most in (
        (limits.logins, 20),
        (limits.accounts, 30),
        (limits.addresses, 100),
        (limits.codes, 5),
    ):
        assert [bucket.wait("x") > 0 for _ in range(most + 1)] == [False] * most + [True]


async def on_record(api: Api, http: httpx.AsyncClient, **data: Any) -> records.Request:
    request_id = uuid4().hex
    await http.post(data.pop("path", "/login"), data=data, headers={"X-Request-Id": request_id})
    async with api.owner() as owner:
        rows = await owner.fetch("select body from audit_record where kind = 'request'")
    kept = [records.record("request", row["body"]) for row in rows]
    found = [r for r in kept if isinstance(r, records.Request) and r.request == request_id]
    assert len(found) == 1
    return found[0]


async def test_log_ins_failed_ones_and_log_outs_are_on_record_with_their_person(api: Api) -> None:
    email = await joined(api, "clinic-a", "admin")
    async with api.owner() as owner:
        user: UUID = await owner.fetchval("select id from app_user where email = $1", email)
    async with api.http() as http:
        failed = await on_record(api, http, email=email, password="wrong")
        unknown = await on_record(api, http, email="nobody@x.org", password="wrong")
        right = await on_record(api, http, email=email, password=PASSWORD)
        out = await on_record(api, http, path="/logout", csrf=await token_of(http))
    person = ("clinic-a", "clinic", str(user), "admin", "log-in", "E")
    for record, status in ((failed, 401), (right, 303)):
        found = (record.organization, record.type, record.user, record.role, record.action, record.operation)
        assert (found, record.status) == (person, status)
    assert (unknown.organization, unknown.user, unknown.status) == (None, None, 401)
    assert (out.user, out.action, out.status) == (str(user), "log-out", 303)
