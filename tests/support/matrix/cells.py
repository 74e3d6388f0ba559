"""The cells of the matrix: for a route and a caller, every request to make and what each must be answered.

Comes in: a declared route, a caller, the world. Goes out: Cells. Foreign and missing cells of one `twin` must be
answered with the same bytes. Bodies are wrong on purpose where an own object would change: who may is decided before.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import uuid4

from tests.support.matrix.declared import ROUTES, expected, is_page
from tests.support.matrix.people import Who
from tests.support.matrix.world import MISSING, SIDES, Thing, World

Sent = dict[str, Any]


class Cell(NamedTuple):
    """One request: where its reference stands (`way`), whose it is, what must come of it."""

    route: str
    who: Who
    way: str
    whose: str
    path: str
    sent: Sent
    must: str
    named: str
    twin: str = ""


# Bodies that no action takes, so that a cell of one's own changes nothing; who may is decided before the body.
PROBES: dict[str, Sent] = {
    "PATCH /v1/referrals/{id}": {"json": {"person": {"birth_date": "never"}}},
    "PUT /v1/services/{id}/capacity": {"json": {"closures": [{"from": "never"}]}},
    "POST /v1/persons/links/{id}/confirm": {"json": {"reason": 5}},
    "POST /v1/persons/links/{id}/reject": {"json": {"reason": 5}},
    "POST /oauth/token": {"data": {"grant_type": "client_credentials"}},
}
IN_PATH = {
    "{measure}": "received",
    "{action}": "reject",
    "{answer}": "confirm",
    "{name}": "pages.css",
    "{token}": "nobodys-token",
}


def address(route: str, id: str) -> str:
    """The route's path with an object's id in it."""
    path = route.split()[1]
    if path.endswith("/told/{hop}"):
        return path.replace("{id}/told/{hop}", id)
    for name, value in IN_PATH.items():
        path = path.replace(name, value)
    return path.replace("{id}", id)


def body(route: str) -> Sent:
    """What is sent along: nothing with a GET, a wrong form to a page, a wrong body to the API."""
    if route.startswith("GET "):
        return {}
    if route in PROBES:
        return PROBES[route]
    return {"data": {"nothing": "said"}} if is_page(route) else {"json": {}}


def cells(route: str, who: Who, world: World) -> Iterator[Cell]:
    """Every cell of one route and caller."""
    line = ROUTES[route]
    if not line.object:
        must = _must(route, who, None)
        id = "cnry-nobodys-consent" if "{id}" in route else MISSING
        yield Cell(route, who, "none", "none", address(route, id), body(route), must, id)
        return
    for thing in _things(route, who, world):
        party = thing.parties.get(who.organization or "")
        must = _must(route, who, party)
        whose = "own" if party else "foreign"
        twin = "" if party else f"{route} path"
        yield Cell(route, who, "path", whose, address(route, thing.id), body(route), must, thing.id, twin)
    must = _must(route, who, None)
    none = f"{MISSING}/told/{MISSING}" if line.object == "hop" else MISSING
    none = "nobody-health-plan-0000" if line.object == "contract" else none
    yield Cell(route, who, "path", "missing", address(route, none), body(route), must, none, f"{route} path")


def _must(route: str, who: Who, party: str | None) -> str:
    return expected(route, who.type, who.scopes, party, who.person)


def _things(route: str, who: Who, world: World) -> Iterator[Thing]:
    """Every object for those with all of an organization's rights, who may use such a door; else one of each side."""
    kind = ROUTES[route].object
    for thing in world.of(kind):
        everything = who.whole and who.person == is_page(route)
        if everything or kind != "referral" or thing.name.startswith("accepted"):
            yield thing


def references(who: Who, world: World) -> Iterator[Cell]:
    """Foreign and missing references elsewhere than in the path: queries, bodies, headers, batch items."""
    if not who.whole or who.type in ("hub", "operator", "state"):
        return
    other = next((s for s, names in SIDES.items() if who.organization not in names), "b")
    foreign = world.things[f"accepted-{other}"]
    for whose, id in (("foreign", foreign.id), ("missing", MISSING)):
        if who.person:
            yield from _on_pages(who, world, whose, other)
        else:
            yield from _queries(who, whose, id, other)
            yield from _bodies(who, world, whose, foreign)
            yield from _submissions(who, world, whose, id)


def cursors(who: Who, world: World) -> Iterator[Cell]:
    """The place where another tenant's list ended, and a place that is none, in every list of one's own."""
    if not who.whole or who.organization not in {name for names in SIDES.values() for name in names}:
        return
    other = next(s for s, names in SIDES.items() if who.organization not in names)
    for route, path in LISTS.items():
        line = ROUTES[route]
        if who.type in line.types and line.scope in who.scopes and who.person == is_page(route):
            for whose, cursor in zip(("foreign", "missing"), world.cursors[SIDES[other][0]], strict=True):
                query = f"{path}{'&' if '?' in path else '?'}cursor={cursor}"
                yield _cell(route, who, "cursor", whose, query, {}, cursor, route)


# Lists whose pages end at a time and an id.
LISTS = {
    "GET /v1/referrals": "/v1/referrals?limit=200",
    "GET /clinic": "/clinic",
    "GET /cbo": "/cbo?tab=working",
    "GET /mco": "/mco",
}


def _on_pages(who: Who, world: World, whose: str, other: str) -> Iterator[Cell]:
    own_id = world.things[f"accepted-{other}"].own_id
    searched = own_id if whose == "foreign" else "x" * len(own_id)
    if who.type in ("clinic", "mco", "platform"):
        yield _cell("GET /clinic", who, "query", whose, f"/clinic?q={searched}", {}, searched, "q")
    if who.type == "mco":
        foreign = world.things[f"contract-{other}"].id
        contract = foreign if whose == "foreign" else "x" * len(foreign)
        for route, page in (
            ("GET /mco", "/mco"),
            ("GET /mco/measures/{measure}", "/mco/measures/received"),
        ):
            yield _cell(route, who, "query", whose, f"{page}?contract={contract}", {}, contract, page)


def _queries(who: Who, whose: str, id: str, other: str) -> Iterator[Cell]:
    sender, plan, _ = SIDES[other]
    strangers = {"foreign": (sender, plan), "missing": ("x" * len(sender), "x" * len(plan))}[whose]
    for name in strangers:
        query = f"/v1/referrals?organization={name}"
        yield _cell("GET /v1/referrals", who, "query", whose, query, {}, name, f"organization {len(name)}")
    headers = {"headers": {"If-None-Match": "*", "X-Organization": sender, "X-Forwarded-User": sender}}
    route = "GET /v1/referrals/{id}"
    yield _cell(route, who, "header", whose, f"/v1/referrals/{id}", headers, id, "headers", "missing")


def _bodies(who: Who, world: World, whose: str, foreign: Thing) -> Iterator[Cell]:
    hop = foreign.hop if whose == "foreign" else MISSING
    sender = next(o for o, party in foreign.parties.items() if party == "sender")
    owner = sender if whose == "foreign" else "x" * len(sender)
    if who.type == "cbo":
        own = next(t for t in world.of("referral") if t.parties.get(who.organization or "") == "holder")
        said = {"json": {"action": "start", "hop": hop}}
        route = "POST /v1/referrals/{id}/responses"
        yield _cell(route, who, "body", whose, address(route, own.id), said, hop, "hop")
    if who.type in ("clinic", "platform"):
        grant, route = "PUT /v1/consents/{id}", "POST /v1/consents/{id}/revoke"
        said = {"json": {"person_id": "P-1", "organization": owner}}
        yield _cell(grant, who, "body", whose, "/v1/consents/C-1", said, owner, "grant", "missing")
        said = {"json": {"organization": owner}}
        yield _cell(route, who, "body", whose, "/v1/consents/C-1/revoke", said, owner, "revoke", "missing")
        consent = next(t for t in world.of("consent") if who.organization not in t.parties)
        named = consent.id if whose == "foreign" else "x" * len(consent.id)
        yield _cell(route, who, "body", whose, f"/v1/consents/{named}/revoke", {"json": {}}, named, "consent")


def _submissions(who: Who, world: World, whose: str, id: str) -> Iterator[Cell]:
    """A reference inside a submission, alone and as an item of a batch; each under an own id of equal length."""
    if who.type not in ("clinic", "platform"):
        return
    own_id = f"ref-{uuid4().hex}"
    sent = world.canaries.submission(str(who.organization), "reference", "cedar-health-plan")
    sent |= {"sender_referral_id": own_id, "based_on_referral": id, "preferred_organization": "food-a"}
    made = {k: v for k, v in sent.items() if k != "need"}
    needs = [sent["need"], {"domain": "housing-instability"}]
    batch = made | {"sender_referral_id": f"bat-{own_id[4:]}", "needs": needs}
    for way, said in (("body", sent), ("batch", batch)):
        yield _cell(
            "POST /v1/referrals", who, way, whose, "/v1/referrals", {"json": said}, own_id, "based on"
        )


def _cell(
    route: str,
    who: Who,
    way: str,
    whose: str,
    path: str,
    sent: Sent,
    named: str,
    twin: str,
    must: str = "admitted",
) -> Cell:
    return Cell(route, who, way, whose, path, sent, must, named, f"{route} {way} {twin}")
