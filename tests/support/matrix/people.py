"""Everybody who may ask: organizations by token and by log-in, tokens of one scope, credentials that ended.

Comes in: a running Api. Goes out: People with ready headers. Must never share a session between two of them.
"""

from typing import Any, NamedTuple

from infra.passwords import hashed
from tests.support.api import SECRET, Api
from tests.support.matrix.declared import BESIDE, PEOPLE, SCOPES
from tests.support.people import enrolled, entered, joined, token_of, unhurried

TOKENS = {
    "clinic-a": "clinic",
    "clinic-b": "clinic",
    "food-a": "cbo",
    "food-b": "cbo",
    "golden-health-plan": "mco",
    "valley-care-plan": "mco",
    "hub": "hub",
    "hub-b": "hub",
    "network": "platform",
    "state": "state",
    "operator": "operator",
}
# Who logs in: organization and role; the first of an organization has all that its type may do.
LOG_INS = (
    ("clinic-a", "staff"),
    ("clinic-a", "admin"),
    ("clinic-a", "auditor"),
    ("clinic-b", "staff"),
    ("food-a", "staff"),
    ("food-a", "admin"),
    ("food-b", "staff"),
    ("golden-health-plan", "care-manager"),
    ("golden-health-plan", "analyst"),
    ("valley-care-plan", "care-manager"),
    ("hub", "navigator"),
    ("hub-b", "navigator"),
    ("network", "staff"),
    ("state", "officer"),
    ("operator", "operator"),
    ("operator", "investigator"),
)
NARROWED = ("clinic-a", "food-a", "golden-health-plan", "hub", "operator")


class Who(NamedTuple):
    """One principal: `type` None = nobody, whatever it shows; `user` as the audit names it.

    `whole`: it has every scope of its type. `person`: it has a session, and pages are for persons alone.
    """

    name: str
    headers: dict[str, str]
    organization: str | None = None
    type: str | None = None
    scopes: frozenset[str] = frozenset()
    user: str | None = None
    whole: bool = False
    person: bool = False


async def everybody(api: Api) -> list[Who]:
    """All of them whose credentials hold, and nobody."""
    unhurried(api)
    found = [Who("anonymous", {})]
    found += [await _token(api, id, type) for id, type in TOKENS.items()]
    found += [await _log_in(api, id, TOKENS[id], role) for id, role in LOG_INS]
    found += [
        await _token(api, id, TOKENS[id], scope) for id in NARROWED for scope in sorted(SCOPES[TOKENS[id]])
    ]
    return found


async def _token(api: Api, id: str, type: str, scope: str | None = None) -> Who:
    form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
    async with api.http() as http:
        answer = await http.post("/oauth/token", data=form, auth=(f"{id}-client", SECRET))
    assert answer.status_code == 200, answer.text
    scopes = frozenset(answer.json()["scope"].split())
    assert scopes == (frozenset({scope}) if scope else SCOPES[type]), (id, scopes)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    name = f"{id} {scope}" if scope else id
    return Who(name, headers, id, type, scopes, f"{id}-client", whole=scope is None)


async def _log_in(api: Api, id: str, type: str, role: str) -> Who:
    """A person who has logged in through the page."""
    email = await joined(api, id, role)
    async with api.http() as http:
        answer = await entered(http, email)
        assert answer.status_code == 303, answer.text
        if role == "investigator":
            await enrolled(http)
        cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
        said: dict[str, Any] = (await http.get("/v1/me")).json()
        headers = {"Cookie": cookie, "X-CSRF-Token": await token_of(http)}
    scopes = frozenset(said["scopes"])
    assert (said["organization"]["type"], scopes <= SCOPES[type] | BESIDE) == (type, True), said
    assert (PEOPLE in scopes) == (role == "admin")
    whole = scopes >= SCOPES[type]
    return Who(f"{id} {role}", headers, id, type, scopes, said["user"], whole, person=True)


# Credentials that were good: what ends them.
ENDS = {
    "expired token": "update access_token set expires_at = now() - interval '1 second' where token_sha256 = $1",
    "revoked client": "update client set active = false where client_id ="
    " (select client_id from access_token where token_sha256 = $1)",
    "disabled user": "update app_user set active = false where id ="
    " (select user_id from session where token_sha256 = $1)",
    "idle session": "update session set last_seen_at = now() - interval '1 day' where token_sha256 = $1",
}


async def ended(api: Api) -> list[Who]:
    """Callers whose credentials were good a moment ago."""
    found = []
    for how, sql in ENDS.items():
        if "user" in how or "session" in how:
            who = await _log_in(api, "clinic-b", "clinic", "staff")
            shown = who.headers["Cookie"].partition("=")[2]
        else:
            who = await _token(api, "cedar-health-plan", "mco")  # its client is nobody else's here
            shown = who.headers["Authorization"].removeprefix("Bearer ")
        async with api.owner() as owner:
            assert await owner.execute(sql, hashed(shown)) == "UPDATE 1", how
        found.append(Who(how, {k: v for k, v in who.headers.items() if k != "X-CSRF-Token"}))
    return found
