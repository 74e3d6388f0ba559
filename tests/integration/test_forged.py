"""Forms that another site sends in somebody's name: from every route of the table that changes something, refused."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import httpx
import pytest
from msgspec import structs

from api.app import routes
from api.routing import Route
from infra import roles
from referrals.words import OrganizationType
from tests.support.api import ORGANIZATIONS, Api
from tests.support.people import browser, enrolled, joined, token_of, unhurried

SAFE = ("GET", "HEAD")
CHANGING = [r for r in routes()[0] if r.method not in SAFE and r.action != "public"]
OWN = "http://test"
BROWSER = {"Origin": OWN, "Sec-Fetch-Site": "same-origin"}
INVESTIGATOR = "investigator"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
Forged = dict[str, Any]


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("forged")) as running:
        unhurried(running)
        yield running


@pytest.fixture(scope="module")
async def browsers(api: Api) -> AsyncIterator[dict[str, tuple[httpx.AsyncClient, str]]]:
    """A browser for each type of organization, logged in, and its token."""
    async with AsyncExitStack() as stack:
        found = {}
        for organization, type in {type: id for id, type in ORGANIZATIONS.items()}.items():
            known = [r for r in (roles.ADMIN, INVESTIGATOR) if roles.known(OrganizationType(organization), r)]
            email = await joined(api, type, known[0] if known else None)
            http = await stack.enter_async_context(browser(api, email))
            if INVESTIGATOR in known:
                await enrolled(http)  # who opens what is not theirs has a second step
            found[organization] = (http, await token_of(http))
        yield found


def path(route: Route) -> str:
    """An address of the route; nothing is behind the ids."""
    segments = [str(uuid4()) if s.startswith("{") else s for s in route.path.split("/")]
    return "/".join(segments)


def forgeries(route: Route, csrf: str) -> dict[str, Forged]:
    """What another site, or an older page, could make a browser send; each has a fault of its own."""
    page = route.door == "page"
    token = (
        {"headers": BROWSER, "data": {"csrf": csrf}}
        if page
        else {"headers": BROWSER | {"X-CSRF-Token": csrf}, "json": {}}
    )

    def but(**headers: str) -> Forged:
        return token | {"headers": {**token["headers"], **headers}}

    found: dict[str, Forged] = {
        "another origin": but(Origin="http://evil.example.org"),
        "an origin like ours": but(Origin="http://test.evil.example.org"),
        "another port": but(Origin="http://test:8081"),
        "no origin to tell": but(Origin="null"),
        "another site": but(**{"Sec-Fetch-Site": "cross-site"}),
        "a sister site": but(**{"Sec-Fetch-Site": "same-site"}),
    }
    if page:
        found["json for a form"] = {"headers": BROWSER | {"X-CSRF-Token": csrf}, "json": {"csrf": csrf}}
        found["text for a form"] = {
            "headers": BROWSER | {"Content-Type": "text/plain"},
            "content": f"csrf={csrf}",
        }
    else:
        found["a form for json"] = {"headers": BROWSER | FORM, "content": f"csrf={csrf}"}
    if not route.public:
        found["no token"] = {"headers": BROWSER, "data": {}} | ({"headers": BROWSER | FORM} if page else {})
        found["an empty token"] = {"headers": BROWSER, "data": {"csrf": ""}}
        found["a wrong token"] = {
            "headers": BROWSER | {"X-CSRF-Token": csrf[::-1]},
            "data": {"csrf": csrf[::-1]},
        }
        found["no headers, no token"] = {"data": {"a": "b"}}
    return found


def session_of(
    route: Route, browsers: dict[str, tuple[httpx.AsyncClient, str]]
) -> tuple[httpx.AsyncClient, str]:
    """A browser that may call the route."""
    type = next((t for t in browsers if t in route.principals), "clinic")
    return browsers[type]


@pytest.mark.parametrize("route", CHANGING, ids=lambda r: f"{r.method} {r.path}")
async def test_a_forged_request_is_refused_before_anything_happens(
    api: Api, browsers: dict[str, tuple[httpx.AsyncClient, str]], route: Route
) -> None:
    http, csrf = session_of(route, browsers)
    before = len(api.broker.sent)
    for kind, forged in forgeries(route, csrf).items():
        got = await http.request(route.method, path(route), **forged)
        assert got.status_code in (403, 415), (kind, got.status_code, got.text[:200])
        assert "set-cookie" not in got.headers, kind
    assert len(api.broker.sent) == before
    assert (await http.get("/v1/me")).status_code == 200, "and nobody was logged out"


@pytest.mark.parametrize("route", CHANGING, ids=lambda r: f"{r.method} {r.path}")
async def test_what_a_link_can_ask_changes_nothing(
    api: Api, browsers: dict[str, tuple[httpx.AsyncClient, str]], route: Route
) -> None:
    http, csrf = session_of(route, browsers)
    before = len(api.broker.sent)
    got = await http.get(path(route), params={"csrf": csrf, "reason": "need-met", "_method": route.method})
    declared = any(r.method == "GET" and r.path == route.path for r in routes()[0])
    assert got.status_code == 405 or (declared and got.status_code < 500), got.status_code
    assert len(api.broker.sent) == before
    assert (await http.get("/v1/me")).status_code == 200


@pytest.mark.parametrize(
    "route", [r for r in CHANGING if r.path != "/logout"], ids=lambda r: f"{r.method} {r.path}"
)
async def test_the_same_request_of_our_own_page_passes_the_wall(
    browsers: dict[str, tuple[httpx.AsyncClient, str]], route: Route
) -> None:
    """Else all of the above would be refused for another reason."""
    http, csrf = session_of(route, browsers)
    sent: Forged = (
        {"data": {"csrf": csrf}, "headers": BROWSER}
        if route.door == "page"
        else {"json": {}, "headers": BROWSER | {"X-CSRF-Token": csrf}}
    )
    got = await http.request(route.method, path(route), **sent)
    assert got.status_code not in (403, 405, 415) or route.path == "/login/code", got.text[:300]


async def test_cookies_are_bound_to_the_host_and_out_of_reach_of_scripts(api: Api) -> None:
    email = await joined(api, "clinic-a")
    found = api.app.state.context
    before, found.settings = (
        found.settings,
        structs.replace(found.settings, public_url="https://x.example.org"),
    )
    try:
        async with api.http() as http:
            got = await http.post("/login", data={"email": email, "password": "synthetic-password"})
    finally:
        found.settings = before
    cookie = got.headers["set-cookie"]
    assert cookie.startswith("__Host-refex-session=")
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Secure"} <= set(cookie.split("; "))
    assert "domain" not in cookie.lower()


def test_the_table_has_what_these_tests_are_about() -> None:
    assert len(CHANGING) > 25
    assert {r.door for r in CHANGING} == {"json", "fhir", "page"}
