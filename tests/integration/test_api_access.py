"""Who gets in and who sees what: tokens, sessions, the tenant matrix from the route table, RLS as second wall."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from api import auth, logins, policy, sessions, views
from api.app import ROUTES
from api.database import Database
from api.principal import Principal
from api.routing import ANYONE, Route
from infra.passwords import hashed
from tests.support.api import ORGANIZATIONS, PASSWORD, SECRET, Api


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("api")) as running:
        yield running


GRANT = {"grant_type": "client_credentials"}


async def ask(api: Api, data: dict[str, str], who: tuple[str, str] | None = None) -> httpx.Response:
    async with api.http() as http:
        return await http.post("/oauth/token", data=data, auth=who or httpx.USE_CLIENT_DEFAULT)


async def test_a_token_by_basic_and_by_post(api: Api) -> None:
    basic = await ask(api, GRANT, ("food-a-client", SECRET))
    post = await ask(api, GRANT | {"client_id": "food-a-client", "client_secret": SECRET})
    for got in (basic, post):
        assert got.status_code == 200
        assert got.json()["token_type"] == "Bearer"
        assert got.json()["expires_in"] >= 900
        assert got.headers["cache-control"] == "no-store"
    narrowed = await ask(api, GRANT | {"scope": "referrals.read referrals.write"}, ("food-a-client", SECRET))
    assert narrowed.json()["scope"] == "referrals.read"
    async with api.http(Authorization=f"Bearer {narrowed.json()['access_token']}") as http:
        assert (await http.get("/v1/me")).json()["scopes"] == ["referrals.read"]
        assert (await http.post(f"/v1/referrals/{uuid4()}/responses", json={})).status_code == 403


@pytest.mark.parametrize(
    ("data", "who", "status", "error"),
    [
        (GRANT, ("food-a-client", "wrong"), 401, "invalid_client"),
        (GRANT, ("nobody", "wrong"), 401, "invalid_client"),
        (GRANT, None, 401, "invalid_client"),
        ({"grant_type": "password"}, ("food-a-client", SECRET), 400, "unsupported_grant_type"),
        (GRANT | {"scope": "referrals.write"}, ("food-a-client", SECRET), 400, "invalid_scope"),
        (GRANT | {"client_secret": SECRET}, ("food-a-client", SECRET), 400, "invalid_request"),
        (GRANT | {"client_id": "a\x00", "client_secret": "b"}, None, 400, "invalid_request"),
    ],
)
async def test_token_errors_are_rfc_6749(
    api: Api, data: dict[str, str], who: tuple[str, str] | None, status: int, error: str
) -> None:
    got = await ask(api, data, who)
    assert (got.status_code, got.json()["error"]) == (status, error)
    assert ("www-authenticate" in got.headers) == (status == 401)


async def test_sixty_token_requests_a_minute(api: Api) -> None:
    answers = [(await ask(api, GRANT, ("valley-care-plan-client", "wrong"))).status_code for _ in range(62)]
    assert answers[:60] == [401] * 60
    assert answers[61] == 429
    api.app.state.context.limits.tokens._levels.clear()  # or the next test would meet this one's quota


async def test_a_hundred_requests_a_second(api: Api) -> None:
    token = await api.token("state")
    async with api.http(Authorization=f"Bearer {token}") as http:
        answers = [await http.get("/v1/me") for _ in range(400)]
    refused = [a for a in answers if a.status_code == 429]
    assert refused or answers[-1].elapsed.total_seconds() > 0.01
    assert all(int(a.headers["retry-after"]) >= 1 for a in refused)


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", "Basic eDp5", "nonsense", "Bearer \x00"])
async def test_credentials_that_are_none_are_401(api: Api, header: str) -> None:
    async with api.http(Authorization=header) as http:
        got = await http.get("/v1/me")
    assert (got.status_code, got.headers["content-type"]) == (401, "application/problem+json")
    assert got.headers["www-authenticate"].startswith("Bearer")


async def test_an_expired_or_withdrawn_token_is_401(api: Api) -> None:
    token = (await ask(api, GRANT, ("food-b-client", SECRET))).json()["access_token"]
    async with api.http(Authorization=f"Bearer {token}") as http:
        assert (await http.get("/v1/me")).status_code == 200
        async with api.owner() as owner:
            await owner.execute(
                "update access_token set expires_at = now() - interval '1 second' where token_sha256 = $1",
                hashed(token),
            )
        assert (await http.get("/v1/me")).status_code == 401


def request_of(api: Api, cookies: dict[str, str] | None = None) -> Request:
    header = "; ".join(f"{k}={v}" for k, v in (cookies or {}).items())
    scope = {
        "type": "http",
        "app": api.app,
        "headers": [(b"cookie", header.encode())],
        "client": ("127.0.0.1", 1),
    }
    return Request(scope | {"method": "POST", "path": "/", "query_string": b""})


async def test_a_person_logs_in_acts_with_the_forms_token_and_logs_out(api: Api) -> None:
    assert await logins.by_password(request_of(api), "staff@food-a.example.org", "wrong") is None
    assert await logins.by_password(request_of(api), "nobody@food-a.example.org", PASSWORD) is None
    begun = await logins.by_password(request_of(api), "Staff@food-a.example.org", PASSWORD)
    assert begun is not None and not begun.pending
    token, response = begun.token, Response()
    sessions.give_cookie(request_of(api), response, token)
    cookie = response.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    name = sessions.cookie_name(request_of(api))
    request = request_of(api, {name: token})
    principal = await auth.identify(request, auth.presented(request), required=True)
    assert principal is not None
    assert (principal.organization, principal.role, principal.channel) == ("food-a", "staff", "web")
    path = f"/v1/referrals/{uuid4()}/responses"
    async with api.http(Cookie=f"{name}={token}") as http:
        assert (await http.get("/v1/me")).json()["organization"]["id"] == "food-a"
        assert (await http.post(path, json={"action": "accept"})).status_code == 403
        assert (await http.post(path, json={}, headers={"X-CSRF-Token": "wrong"})).status_code == 403
        assert (await http.post(path, data={"csrf": "wrong"})).status_code == 403
        assert principal.csrf is not None
        right = {"X-CSRF-Token": principal.csrf}
        assert (await http.post(path, json={"action": "accept"}, headers=right)).status_code == 404
        assert (await http.post(path, data={"csrf": principal.csrf})).status_code == 403, (
            "a form is for pages"
        )
        await sessions.end(request_of(api, {name: token}))
        assert (await http.get("/v1/me")).status_code == 401


IDS = {"{id}": "referral", "{measure}": "measure"}


def address(route: Route, referral: str) -> str:
    """The route with a referral's (or a contract's) id in it."""
    id = "golden-health-plan-2026" if "contracts" in route.path else referral
    return route.path.replace("{id}", id).replace("{measure}", "accepted")


OBJECT_ROUTES = [r for r in ROUTES if "{" in r.path and r.principals != ANYONE and "consents" not in r.path]


async def cell(api: Api, organization: str | None, route: Route, id: str) -> httpx.Response:
    token = f"Bearer {await api.token(organization)}" if organization else ""
    async with api.http(Authorization=token) as http:
        return await http.request(
            route.method, address(route, id), json={} if route.method != "GET" else None
        )


def allowed(referral: dict[str, Any]) -> set[str]:
    """Who sees this referral at all."""
    return {"clinic-a", "golden-health-plan", "operator", *(h["organization"] for h in referral["hops"])}


@pytest.mark.parametrize("route", OBJECT_ROUTES, ids=lambda r: f"{r.method} {r.path}")
async def test_foreign_and_nonexistent_are_the_same_bytes(api: Api, route: Route) -> None:
    referral = await api.submitted()
    api.app.state.context.limits.requests._levels.clear()
    for organization in ORGANIZATIONS:
        foreign = await cell(api, organization, route, referral["id"])
        missing = await cell(api, organization, route, str(uuid4()))
        if organization not in allowed(referral) and "contracts" not in route.path:
            assert foreign.status_code in (403, 404), (organization, foreign.text)
            assert foreign.content == missing.content
        assert foreign.status_code < 500
        assert missing.status_code < 500
    assert (await cell(api, None, route, referral["id"])).status_code == 401


async def test_a_list_shows_every_caller_its_own_alone(api: Api) -> None:
    referral = await api.submitted()
    for organization in ORGANIZATIONS:
        async with api.http(organization) as http:
            got = await http.get("/v1/referrals", params={"limit": 200})
        ids = [r["id"] for r in got.json().get("items", [])]
        assert (referral["id"] in ids) == (organization in allowed(referral)), organization


async def test_a_cbo_cannot_find_others_by_filtering(api: Api) -> None:
    referral = await api.submitted()
    first = referral["hops"][0]
    async with api.http(first["organization"]) as http:
        await http.post(
            f"/v1/referrals/{referral['id']}/responses", json={"action": "reject", "reason": "no-capacity"}
        )
        other = {"food-a": "food-b", "food-b": "food-a"}[first["organization"]]
        for filters in ({"organization": other}, {"status": "requested"}):
            items = (await http.get("/v1/referrals", params={"limit": 200, **filters})).json()["items"]
            assert referral["id"] not in [r["id"] for r in items]


async def test_another_organizations_hop_and_no_hop_are_answered_alike(api: Api) -> None:
    referral = await api.submitted()
    first = referral["hops"][0]
    path = f"/v1/referrals/{referral['id']}/responses"
    async with api.http(first["organization"]) as http:
        await http.post(path, json={"action": "reject", "reason": "no-capacity"})
        async with api.http("clinic-a") as sender:
            second = (await sender.get(f"/v1/referrals/{referral['id']}")).json()["hops"][1]
        foreign = await http.post(path, json={"action": "accept", "hop": second["hop"]})
        missing = await http.post(path, json={"action": "accept", "hop": str(uuid4())})
    assert foreign.status_code == missing.status_code == 409
    assert foreign.content == missing.content


def principal(organization: str, type: str) -> Principal:
    from datetime import UTC, datetime

    return Principal(
        organization=organization,
        type=type,
        name="",
        user="",
        scopes=frozenset(),
        expires_at=datetime.now(UTC),
        credential=b"",
    )


TABLES = ("referral", "hop", "history", "inbox", "rejected_command", "stream", "idempotency")


async def test_row_level_security_alone_keeps_strangers_out(api: Api) -> None:
    referral = await api.submitted()
    database: Database = api.app.state.context.database
    strangers = [("clinic-b", "clinic"), ("safe-a", "cbo"), ("hub", "hub"), ("state", "state"), ("", "")]
    for organization, type in strangers:
        async with database.reading(principal(organization, type)) as connection:
            assert (
                await connection.fetchval("select count(*) from referral where id = $1", referral["id"]) == 0
            )
            assert (
                await connection.fetchval("select count(*) from history where stream_id = $1", referral["id"])
                == 0
            )
            assert (
                await connection.fetchval("select count(*) from hop where referral_id = $1", referral["id"])
                == 0
            )
    async with database.own() as connection:
        for table in TABLES:
            assert await connection.fetchval(f"select count(*) from {table}") == 0, table


async def test_the_api_may_not_write_referral_state(api: Api) -> None:
    import asyncpg

    database: Database = api.app.state.context.database
    for table in (
        "referral",
        "hop",
        "history",
        "inbox",
        "stream",
        "service",
        "organization",
        "client",
        "app_user",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.writing(principal("clinic-a", "clinic")) as connection:
                await connection.execute(f"delete from {table}")


async def test_the_same_answers_when_only_row_level_security_filters(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    referral = await api.submitted()
    monkeypatch.setattr(policy, "relations", lambda principal, target: frozenset(policy.PARTIES))
    monkeypatch.setattr(views, "kind_of", lambda principal, seen: "sender")
    for organization in set(ORGANIZATIONS) - allowed(referral):
        async with api.http(organization) as http:
            assert (await http.get(f"/v1/referrals/{referral['id']}")).status_code == 404
            listed = await http.get("/v1/referrals", params={"limit": 200})
            assert referral["id"] not in listed.text
