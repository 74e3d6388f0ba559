"""Everybody who may ask: organizations by token and by log-in, tokens of one scope, credentials that ended.

Comes in: a running Api. Goes out: People with ready headers. Must never share a session between two of them.
"""

import re
from typing import Any, NamedTuple
from uuid import uuid4

from api import auth
from infra import passwords
from tests.support.api import PASSWORD, SECRET, Api
from tests.support.matrix.declared import SCOPES

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
CSRF = re.compile(r'name="csrf" value="([^"]+)"')
# Who logs in: organization and role.
LOG_INS = (
    ("clinic-a", "staff"),
    ("clinic-a", "admin"),
    ("food-a", "staff"),
    ("food-a", "admin"),
    ("golden-health-plan", "analyst"),
    ("golden-health-plan", "care-manager"),
    ("hub", "navigator"),
    ("state", "officer"),
    ("operator", "operator"),
)


class Who(NamedTuple):
    """One principal: `type` None = nobody, whatever it shows; `user` as the audit names it."""

    name: str
    headers: dict[str, str]
    organization: str | None = None
    type: str | None = None
    scopes: frozenset[str] = frozenset()
    user: str | None = None
    whole: bool = False
    session: bool = False


async def everybody(api: Api) -> list[Who]:
    """All of them, each with credentials of its own."""
    found = [Who("anonymous", {})]
    found += [await _token(api, id, type) for id, type in TOKENS.items()]
    found += [await _log_in(api, id, TOKENS[id], role) for id, role in LOG_INS]
    for id, type in TOKENS.items():
        if id in ("clinic-a", "food-a", "golden-health-plan", "hub", "operator"):
            found += [await _token(api, id, type, scope) for scope in sorted(SCOPES[type])]
    return [*found, *[await ended(api, how) for how in ENDS]]


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
    user, email = uuid4(), f"{role.replace(' ', '-')}-{uuid4().hex[:8]}@{id}.example.org"
    async with api.owner() as owner:
        await owner.execute(
            "insert into app_user (id, tenant, email, name, role, password_hash) values ($1, $2, $3, $4, $5, $6)",
            user,
            id,
            email,
            role,
            role,
            passwords.hash_password(PASSWORD),
        )
    async with api.http() as http:
        answer = await http.post("/login", data={"email": email, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
        said: dict[str, Any] = (await http.get("/v1/me")).json()
        csrf = CSRF.search((await http.get(f"/{type}" if type != "platform" else "/clinic")).text)
    scopes = frozenset(said["scopes"])
    assert (said["organization"]["type"], scopes <= SCOPES[type]) == (type, True), said
    assert csrf is not None, f"no form for {id} {role}"
    headers = {"Cookie": cookie, "X-CSRF-Token": csrf[1]}
    return Who(f"{id} {role}", headers, id, type, scopes, str(user), session=True)


# Credentials that were good: what ends them.
ENDS = {
    "expired token": "update access_token set expires_at = now() - interval '1 second' where token_sha256 = $1",
    "revoked client": "update client set active = false where client_id ="
    " (select client_id from access_token where token_sha256 = $1)",
    "disabled user": "update app_user set active = false where id ="
    " (select user_id from session where token_sha256 = $1)",
    "idle session": "update session set last_seen_at = now() - interval '1 day' where token_sha256 = $1",
}


async def ended(api: Api, how: str) -> Who:
    """A caller whose credentials were good a moment ago."""
    if "user" in how or "session" in how:
        who = await _log_in(api, "clinic-b", "clinic", how)
        shown = who.headers["Cookie"].partition("=")[2]
    else:
        organization = "cedar-health-plan"  # its client is nobody else's here
        who = await _token(api, organization, "mco")
        shown = who.headers["Authorization"].removeprefix("Bearer ")
    async with api.owner() as owner:
        await owner.execute(ENDS[how], auth.hashed(shown))
    return Who(how, {k: v for k, v in who.headers.items() if k != "X-CSRF-Token"})
