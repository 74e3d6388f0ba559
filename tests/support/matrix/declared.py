"""What every route must answer to whom, written from interfaces.md: one line a route. Knows nothing of api/policy.py.

Comes in: nothing. Goes out: ROUTES, and `expected` of one cell. A route of the application that has no line here stops
the tests: add one, saying who may call it, what its object is, and who of the object's parties may do it.
"""

from typing import NamedTuple

S, P = frozenset({"clinic", "mco", "platform"}), frozenset({"clinic", "platform"})
CBO, MCO, HUB = frozenset({"cbo"}), frozenset({"mco"}), frozenset({"hub"})
STATE, OPERATOR = frozenset({"state"}), frozenset({"operator"})
ALL = S | CBO | HUB | STATE | OPERATOR
NOBODY_NEEDED = frozenset({"anyone"})
AUDIT = "audit.read"
"""What an auditor's role has, and no system."""
PEOPLE = "people.write"
"""What an admin's role has besides, and no system."""
OPENS, TOLD = "break-glass", "break-glass.read"
"""What an operator's investigator has; what those have who are told of a break-glass. No system has either."""
BESIDE = frozenset({AUDIT, PEOPLE, OPENS, TOLD})
MANAGED = S | CBO | HUB

# Which scopes an organization of a type has at all (the one client of interfaces.md holds them all).
SCOPES: dict[str, frozenset[str]] = {
    type: frozenset(scopes.split())
    for type, scopes in {
        "clinic": "referrals.write referrals.read consents.write screenings.write directory.read disclosures.read",
        "platform": "referrals.write referrals.read consents.write screenings.write directory.read disclosures.read",
        "mco": "referrals.write referrals.read consents.write screenings.write authorizations.write measures.read"
        " directory.read disclosures.read",
        "cbo": "referrals.read responses.write directory.read directory.write",
        "hub": "referrals.read responses.write assignments.write consents.write directory.read disclosures.read",
        "state": "measures.read directory.read",
        "operator": "referrals.read operations.read measures.read directory.read directory.write disclosures.read",
    }.items()
}


class Line(NamedTuple):
    """One route: who may call it with which scope; its object, who of the parties may, what the others are told.

    `parties`: what one must be to the object (world.Thing.parties); the others that see a referral are told `others`,
    whoever sees nothing 404. `free`: not on the audit's record. `also`: another scope that suffices.
    """

    types: frozenset[str]
    scope: str = ""
    object: str = ""
    parties: str = ""
    others: int = 404
    free: bool = False
    also: str = ""


SEES = "sender payer offered holder hub operator"
# One line a route: method and path -> Line.
ROUTES: dict[str, Line] = {
    "POST /v1/referrals": Line(S, "referrals.write"),
    "GET /v1/referrals": Line(ALL, "referrals.read"),
    "GET /v1/referrals/{id}": Line(ALL, "referrals.read", "referral", SEES),
    "PATCH /v1/referrals/{id}": Line(S, "referrals.write", "referral", "sender", 403),
    "POST /v1/referrals/{id}/cancel": Line(S, "referrals.write", "referral", "sender", 403),
    "GET /v1/referrals/{id}/events": Line(ALL, "referrals.read", "referral", SEES),
    "GET /v1/referrals/{id}/routing": Line(ALL, "referrals.read", "referral", "sender hub operator", 404),
    "POST /v1/referrals/{id}/responses": Line(
        CBO | HUB, "responses.write", "referral", "offered holder hub", 403
    ),
    "POST /v1/referrals/{id}/assign": Line(HUB, "assignments.write", "referral", "hub", 403),
    "POST /v1/referrals/{id}/authorization": Line(MCO, "authorizations.write", "referral", "payer", 403),
    "GET /v1/organizations": Line(ALL, "directory.read"),
    "GET /v1/services": Line(ALL, "directory.read"),
    "PUT /v1/services/{id}/capacity": Line(CBO, "directory.write", "service", "owner"),
    "PUT /v1/consents/{id}": Line(S | HUB, "consents.write"),
    "POST /v1/consents/{id}/revoke": Line(S | HUB, "consents.write"),
    "GET /v1/persons/links": Line(HUB, "assignments.write"),
    "POST /v1/persons/links/{id}/confirm": Line(HUB, "assignments.write", "link", "owner"),
    "POST /v1/persons/links/{id}/reject": Line(HUB, "assignments.write", "link", "owner"),
    "GET /v1/persons/{id}/disclosures": Line(
        S | HUB | OPERATOR, "disclosures.read", "person", "owner hub operator", also=AUDIT
    ),
    "GET /v1/persons/{id}/disclosures.csv": Line(
        S | HUB | OPERATOR, "disclosures.read", "person", "owner hub operator", also=AUDIT
    ),
    "GET /v1/break-glass": Line(S | CBO | HUB | OPERATOR, TOLD),
    "POST /v1/break-glass": Line(OPERATOR, OPENS),
    "GET /v1/break-glass/{id}": Line(OPERATOR, OPENS, "opening", "opener"),
    "DELETE /v1/break-glass/{id}": Line(OPERATOR, OPENS, "opening", "opener"),
    "POST /v1/screenings": Line(S, "screenings.write"),
    "GET /v1/contracts/{id}/measures": Line(ALL, "measures.read", "contract", "payer state operator"),
    "GET /v1/contracts/{id}/measures.csv": Line(ALL, "measures.read", "contract", "payer state operator"),
    "GET /v1/contracts/{id}/measures/{measure}/referrals": Line(ALL, "measures.read", "contract", "payer"),
    "GET /v1/contracts/{id}/measures/{measure}/referrals.csv": Line(
        ALL, "measures.read", "contract", "payer"
    ),
    "GET /v1/me": Line(ALL),
    "GET /v1/events/stream": Line(ALL, "referrals.read"),
    "POST /fhir": Line(S, "referrals.write"),
    "GET /fhir/metadata": Line(NOBODY_NEEDED, free=True),
    "GET /fhir/Task/{id}": Line(ALL, "referrals.read", "referral", SEES),
    "POST /oauth/token": Line(NOBODY_NEEDED, free=True),
    "GET /.well-known/smart-configuration": Line(NOBODY_NEEDED, free=True),
    "GET /fhir/.well-known/smart-configuration": Line(NOBODY_NEEDED, free=True),
    "GET /.well-known/refex-intake-key": Line(NOBODY_NEEDED, free=True),
    "GET /livez": Line(NOBODY_NEEDED, free=True),
    "GET /readyz": Line(NOBODY_NEEDED, free=True),
    "GET /metrics": Line(NOBODY_NEEDED, free=True),
    "GET /version": Line(NOBODY_NEEDED, free=True),
    "GET /openapi.json": Line(NOBODY_NEEDED, free=True),
    "GET /asyncapi.yaml": Line(NOBODY_NEEDED, free=True),
    "GET /docs": Line(NOBODY_NEEDED, free=True),
    "GET /": Line(NOBODY_NEEDED),
    "GET /login": Line(NOBODY_NEEDED),
    "POST /login": Line(NOBODY_NEEDED),
    "GET /login/link": Line(NOBODY_NEEDED),
    "POST /login/link": Line(NOBODY_NEEDED),
    "GET /login/link/{token}": Line(NOBODY_NEEDED),
    "POST /login/link/{token}": Line(NOBODY_NEEDED),
    "GET /login/organization": Line(NOBODY_NEEDED),
    "POST /login/organization": Line(NOBODY_NEEDED),
    "GET /login/organization/{id}": Line(NOBODY_NEEDED),
    "GET /login/oidc": Line(NOBODY_NEEDED),
    "GET /login/code": Line(NOBODY_NEEDED),
    "POST /login/code": Line(NOBODY_NEEDED),
    "POST /logout": Line(ALL),
    "GET /account": Line(ALL),
    "POST /account/code": Line(OPERATOR),
    "POST /account/code/confirm": Line(OPERATOR),
    "GET /people": Line(MANAGED, PEOPLE),
    "GET /people/new": Line(MANAGED, PEOPLE),
    "POST /people/new": Line(MANAGED, PEOPLE),
    "GET /people/{id}": Line(MANAGED, PEOPLE, "user", "owner"),
    "POST /people/{id}/role": Line(MANAGED, PEOPLE, "user", "owner"),
    "POST /people/{id}/shut-out": Line(MANAGED, PEOPLE, "user", "owner"),
    "POST /people/{id}/let-in": Line(MANAGED, PEOPLE, "user", "owner"),
    "POST /people/{id}/reset": Line(MANAGED, PEOPLE, "user", "owner"),
    "GET /language": Line(NOBODY_NEEDED, free=True),
    "GET /static/{name}": Line(NOBODY_NEEDED, free=True),
    "GET /clinic": Line(S, "referrals.read"),
    "GET /clinic/new": Line(S, "referrals.write"),
    "POST /clinic/new": Line(S, "referrals.write"),
    "GET /clinic/referrals/{id}": Line(S, "referrals.read", "referral", "sender"),
    "GET /clinic/referrals/{id}/cancel": Line(S, "referrals.write", "referral", "sender", 403),
    "POST /clinic/referrals/{id}/cancel": Line(S, "referrals.write", "referral", "sender", 403),
    "GET /clinic/referrals/{id}/disclosures": Line(S, "disclosures.read", "referral", "sender", also=AUDIT),
    "GET /cbo": Line(CBO, "referrals.read"),
    "GET /cbo/referrals/{id}": Line(CBO, "referrals.read", "referral", "offered holder"),
    "GET /cbo/referrals/{id}/{action}": Line(CBO, "responses.write", "referral", "offered holder"),
    "POST /cbo/referrals/{id}/{action}": Line(CBO, "responses.write", "referral", "offered holder"),
    "GET /cbo/services": Line(CBO, "directory.read"),
    "GET /cbo/services/{id}": Line(CBO, "directory.read", "service", "owner"),
    "POST /cbo/services/{id}": Line(CBO, "directory.write", "service", "owner"),
    "GET /mco": Line(MCO, "measures.read"),
    "GET /mco/measures/{measure}": Line(MCO, "measures.read"),
    "GET /mco/referrals/{id}": Line(MCO, "referrals.read", "referral", "payer sender"),
    "GET /hub": Line(HUB, "referrals.read"),
    "GET /hub/referrals/{id}": Line(HUB, "referrals.read", "referral", "hub"),
    "GET /hub/referrals/{id}/disclosures": Line(HUB, "disclosures.read", "referral", "hub", also=AUDIT),
    "POST /hub/referrals/{id}/assign": Line(HUB, "assignments.write", "referral", "hub"),
    "POST /hub/referrals/{id}/close": Line(HUB, "responses.write", "referral", "hub"),
    "POST /hub/referrals/{id}/reopen": Line(HUB, "responses.write", "referral", "hub"),
    "POST /hub/referrals/{id}/told/{hop}": Line(HUB, "responses.write", "hop", "hub"),
    "POST /hub/links/{id}/{answer}": Line(HUB, "assignments.write", "link", "owner"),
    "GET /state": Line(STATE, "measures.read"),
    "GET /operator": Line(OPERATOR, "referrals.read"),
    "GET /break-glass": Line(S | CBO | HUB | OPERATOR, TOLD),
    "POST /break-glass": Line(OPERATOR, OPENS),
    "GET /break-glass/{id}": Line(OPERATOR, OPENS, "opening", "opener"),
    "POST /break-glass/{id}/end": Line(OPERATOR, OPENS, "opening", "opener"),
}


def is_page(route: str) -> bool:
    """Whether it is for people: without a log-in it leads to the log-in."""
    path = route.split()[1]
    doors = (
        "/v1",
        "/fhir",
        "/oauth",
        "/.well-known",
        "/livez",
        "/readyz",
        "/metrics",
        "/version",
        "/openapi",
    )
    return not path.startswith((*doors, "/asyncapi", "/docs"))


def expected(route: str, type: str | None, scopes: frozenset[str], party: str | None, person: bool) -> str:
    """What the cell must be: `login`, `forbidden`, `missing` or `admitted`.

    `type` None = nobody, and pages are for persons; `party` is what the caller's organization is to the object of the
    request, None = nothing, because it is another's or there is no such object.
    """
    line = ROUTES[route]
    if line.types == NOBODY_NEEDED:
        return "admitted"
    if type is None or (is_page(route) and not person):
        return "login"
    if type not in line.types or (line.scope and not {line.scope, line.also} & scopes):
        reads_one = route.startswith("GET ") and "{" in route
        never = line.scope != "" and line.scope not in SCOPES[type]
        return "missing" if reads_one and never else "forbidden"
    if not line.object:
        return "admitted"
    if party in line.parties.split():
        return "admitted"
    return "forbidden" if party is not None and line.others == 403 else "missing"
