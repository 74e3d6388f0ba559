"""Nobody gets more than they have: scopes, roles, bodies, verbs and paths that try; generated from the tables."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from api import policy
from api.app import routes
from api.routing import Route
from infra import roles
from infra.scopes import SCOPES
from referrals import ids
from referrals.words import OrganizationType
from tests.support.api import ORGANIZATIONS, SECRET, Api, new
from tests.support.people import browser, joined, token_of, unhurried

EVERY_SCOPE = sorted({s for held in SCOPES.values() for s in held} | {roles.AUDIT, roles.PEOPLE})
DECLARED = routes()[0]
OWN = [r for r in DECLARED if not r.public]
FIRST = {
    kind: next(id for id, t in ORGANIZATIONS.items() if t == kind) for kind in set(ORGANIZATIONS.values())
}


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("escalation")) as running:
        unhurried(running)
        yield running


def path(route: Route) -> str:
    """An address of the route."""
    return "/".join(str(uuid4()) if s.startswith("{") else s for s in route.path.split("/"))


def let_in(got: httpx.Response) -> bool:
    """Whether an answer is more than a refusal: anything but an error or the way to the log-in."""
    return got.status_code < 400 and not got.headers.get("location", "").startswith("/login")


def is_barred(route: Route, held: frozenset[str]) -> bool:
    """Whether the route asks for a scope, and for none of those held."""
    action = policy.ACTIONS[route.action]
    return bool(action.scope) and not {action.scope, action.also} & held


def upgrades() -> Iterator[tuple[str, str]]:
    """A client and what it asks for beyond what it has."""
    for type, id in FIRST.items():
        held = SCOPES[OrganizationType(type)]
        for scope in EVERY_SCOPE:
            if scope not in held:
                yield id, scope
                yield id, f"{held[0]} {scope}"
        for scope in ("*", "system/*.cruds", "openid", f"{held[0]}:admin", held[0].upper()):
            yield id, scope


async def test_no_token_holds_a_scope_that_its_client_has_not(api: Api) -> None:
    cases, gained = list(upgrades()), []
    async with api.http() as http:
        for id, scope in cases:
            data = {"grant_type": "client_credentials", "scope": scope}
            got = await http.post("/oauth/token", data=data, auth=(f"{id}-client", SECRET))
            held = set(SCOPES[OrganizationType(ORGANIZATIONS[id])])
            if got.status_code < 400 and not set(got.json()["scope"].split()) <= held:
                gained.append((id, scope))
    assert len(cases) > 50 and gained == []


async def test_a_systems_token_opens_no_page(api: Api) -> None:
    pages = [r for r in OWN if r.door == "page"]
    opened, cases = [], 0
    for type, id in FIRST.items():
        async with api.http(id) as http:
            for route in pages:
                cases += 1
                sent: dict[str, Any] = {"data": {"csrf": "x"}} if route.method != "GET" else {}
                if let_in(await http.request(route.method, path(route), **sent)):
                    opened.append((type, route.path))
    assert cases > 150 and opened == []


async def test_a_role_opens_no_route_whose_scope_it_has_not(api: Api) -> None:
    opened, cases = [], 0
    for type, id in FIRST.items():
        usual = roles.names(OrganizationType(type))[0]
        for role in ("auditor", "analyst", usual) if type == "mco" else ("auditor", usual):
            held = roles.scopes(type, role)
            barred = [r for r in OWN if is_barred(r, held)]
            async with browser(api, await joined(api, id, role)) as http:
                csrf = await token_of(http)
                for route in barred:
                    cases += 1
                    body: dict[str, Any] = {"data": {"csrf": csrf}} if route.door == "page" else {"json": {}}
                    sent = body if route.method != "GET" else {}
                    headers = {"X-CSRF-Token": csrf}
                    got = await http.request(route.method, path(route), headers=headers, **sent)
                    if got.status_code not in (403, 404):
                        opened.append((type, role, route.path, got.status_code))
    assert cases > 150 and opened == []


async def test_nobody_reads_of_somebody_what_the_session_does_not_say(api: Api) -> None:
    """Headers, parameters and form fields that name another organization or role change nothing."""
    claims = {
        **dict.fromkeys(
            ("X-Organization", "X-Tenant", "X-Forwarded-User", "X-Refex-Organization"), "clinic-b"
        ),
        **dict.fromkeys(("X-Role", "X-Scopes"), "operator"),
    }
    email = await joined(api, "clinic-a", "auditor")
    async with api.http(**claims) as http:
        fields = {
            "role": "admin",
            "scopes": "referrals.read",
            "tenant": "clinic-b",
            "organization": "clinic-b",
        }
        await http.post("/login", data={"email": email, "password": "synthetic-password", **fields})
        me = (await http.get("/v1/me", params=fields)).json()
    held = sorted(roles.scopes(OrganizationType.CLINIC, "auditor"))
    assert (me["organization"]["id"], me["role"], me["scopes"]) == ("clinic-a", "auditor", held)


ASSIGNED: dict[str, Any] = {
    "id": str(uuid4()),
    "tenant": "clinic-b",
    "tenant_id": "clinic-b",
    "organization": "clinic-b",
    "sender": "clinic-b",
    "status": "completed",
    "version": 99,
    "role": "operator",
    "scopes": ["operations.read"],
    "payer": "valley-care-plan",
    "recipients": ["food-b"],
    "reviewed": True,
    "hub": "hub",
    "hops": [{"organization": "food-b", "status": "accepted"}],
    "outcome": {"code": "service-provided"},
    "authorization": {"status": "approved"},
    "event_id": str(uuid4()),
    "created_at": "2020-01-01T00:00:00Z",
}


def assigning() -> Iterator[tuple[str, dict[str, Any]]]:
    """A submission with one field more, on top or inside."""
    for name, value in ASSIGNED.items():
        yield name, new(coverage=None) | {name: value}
        for inside in ("person", "need", "consent"):
            sent = new(coverage=None)
            if name not in sent[inside] and (inside, name) != ("consent", "status"):
                yield f"{inside}.{name}", sent | {inside: sent[inside] | {name: value}}


async def test_fields_that_are_not_asked_for_assign_nothing(api: Api) -> None:
    cases = list(assigning())
    async with api.http("clinic-a") as http:
        for name, sent in cases:
            got = await http.post("/v1/referrals", json=sent)
            assert got.status_code in (200, 202, 422), (name, got.text)
            if got.status_code == 422:
                continue
            found = (await http.get(got.headers["location"])).json()
            assert found["id"] == str(ids.referral_id("clinic-a", sent["sender_referral_id"])), name
            assert (found["sender"], found["status"], found["coverage"]) == ("clinic-a", "requested", None), (
                name
            )
            assert found["version"] < 10 and found["created_at"] > "2021", name
            assert found["outcome"] is None and found["hops"][0]["status"] == "requested", name
    async with api.http("clinic-b") as http:
        assert (await http.get("/v1/referrals", params={"limit": 200})).json()["items"] == []
    assert len(cases) > 50


async def test_an_answer_in_anothers_name_is_not_taken(api: Api) -> None:
    referral = await api.submitted()
    own = referral["hops"][-1]["organization"]
    other = {"food-a": "food-b", "food-b": "food-a"}[own]
    claims = (
        {"organization": own},
        {"on_behalf_of": own, "channel": "phone"},
        {"tenant": own},
        {"role": "hub"},
    )
    async with api.http(other) as http:
        for claim in claims:
            body = {"action": "accept", "hop": referral["hops"][-1]["hop"], **claim}
            got = await http.post(f"/v1/referrals/{referral['id']}/responses", json=body)
            assert got.status_code == 404, claim
    async with api.http("clinic-a") as http:
        assert (await http.get(f"/v1/referrals/{referral['id']}")).json()["status"] == "requested"


STREAM = "/v1/events/stream"  # an answer without an end
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


async def test_a_verb_that_is_not_declared_does_nothing(api: Api) -> None:
    declared = {(r.method, r.path) for r in DECLARED}
    done, cases, before = [], 0, len(api.broker.sent)
    async with api.http("clinic-a") as http:
        for route in DECLARED:
            for verb in VERBS:
                if (verb, route.path) not in declared:
                    cases += 1
                    got = await http.request(verb, path(route))
                    if got.status_code < 400:
                        done.append((verb, route.path))
            for name in ("X-HTTP-Method-Override", "X-Method-Override") if route.path != STREAM else ():
                cases += 1
                await http.get(path(route), headers={name: "DELETE"}, params={"_method": "POST"})
    assert cases > 300 and done == [] and len(api.broker.sent) == before


def variants(address: str) -> list[str]:
    """Other spellings of an address that a careless wall lets through."""
    first, _, rest = address[1:].partition("/")
    return [
        f"{address}/",
        f"{address}//",
        f"/{address}",
        f"/./{address[1:]}",
        f"/livez/..{address}",
        f"/livez/%2e%2e{address}",
        f"/static/..%2f{address[1:]}",
        f"/{first.upper()}/{rest}".rstrip("/"),
        address.upper(),
        "/" + address[1:].replace("/", "%2f"),
        "/" + quote(address[1:], safe="").replace("%2F", "%252f"),
        f"{address}%20",
        f"{address}%00",
        f"{address};/livez",
        f"{address}.json",
        f"{address}?/livez",
    ]


async def test_no_other_spelling_of_a_path_goes_around_its_wall(api: Api) -> None:
    around, cases = [], 0
    auditor = await joined(api, "clinic-a", "auditor")
    async with api.http() as nobody, browser(api, auditor) as stranger:
        held = roles.scopes("clinic", "auditor")
        for route in OWN:
            for address in variants(path(route)):
                asked = [nobody]
                if is_barred(route, held):
                    asked.append(stranger)
                for http in asked:
                    cases += 1
                    got = await http.request(route.method, f"http://test{address}")
                    if let_in(got):
                        around.append((route.method, address, got.status_code))
    assert cases > 300 and around == []
