"""Every route declares who may call it, what it does and through which door; an undeclared one stops the start."""

import pytest
from starlette.requests import Request
from starlette.responses import Response

from api import policy
from api.app import ROUTES, build, routes
from api.routing import ANYONE, EVERYONE, Route, UndeclaredRoute, validate
from infra import roles
from infra.scopes import SCOPES
from infra.settings import Settings
from referrals.words import OrganizationType
from tests.support.matrix import declared


async def handler(request: Request) -> Response:
    """Nothing."""
    return Response()


GOOD = Route("GET", "/x", handler, "me", EVERYONE)


@pytest.mark.parametrize(
    "bad",
    [
        GOOD._replace(principals=frozenset()),
        GOOD._replace(principals=frozenset({"stranger"})),
        GOOD._replace(action="unheard-of"),
        GOOD._replace(method="TRACE"),
        GOOD._replace(path="x"),
        GOOD._replace(handler=None),  # type: ignore[arg-type]
    ],
)
def test_a_route_without_its_declaration_stops_the_start(bad: Route) -> None:
    with pytest.raises(UndeclaredRoute):
        validate([bad])


def test_a_route_declared_twice_stops_the_start() -> None:
    with pytest.raises(UndeclaredRoute):
        validate([GOOD, GOOD])


def test_every_route_of_the_table_is_declared() -> None:
    validate(routes()[0])


def test_nothing_is_public_but_what_shows_no_data() -> None:
    public = {r.path for r in ROUTES if r.principals == ANYONE}
    assert public == {
        "/oauth/token",
        "/.well-known/smart-configuration",
        "/fhir/.well-known/smart-configuration",
        "/.well-known/refex-intake-key",
        "/fhir/metadata",
        "/livez",
        "/readyz",
        "/metrics",
        "/version",
        "/openapi.json",
        "/asyncapi.yaml",
        "/docs",
    }


def test_the_application_serves_exactly_the_table() -> None:
    app = build(Settings(database_url="postgresql://x", kafka_bootstrap="x:1"))
    served = {(r.name, r.path) for r in app.routes}  # type: ignore[attr-defined]
    assert served == {(f"{r.method} {r.path}", r.path) for r in routes()[0]}


def test_every_handler_says_what_it_does() -> None:
    assert all((route.handler.__doc__ or "").strip() for route in ROUTES)


def test_every_scope_is_asked_for_by_some_action_and_every_action_can_be_held() -> None:
    granted = {scope for scopes in SCOPES.values() for scope in scopes}
    granted |= {roles.PEOPLE, roles.BREAK_GLASS, roles.OPENINGS}  # a person's role alone has these
    asked = {action.scope for action in policy.ACTIONS.values() if action.scope}
    assert asked == granted


def of_people(type: str) -> frozenset[str]:
    """What some role of that type has."""
    return frozenset().union(*(roles.scopes(type, role) for role in roles.names(OrganizationType(type))))


def test_every_principal_of_a_scoped_route_that_changes_something_can_hold_its_scope() -> None:
    for route in ROUTES:
        scope = policy.ACTIONS[route.action].scope
        if scope and route.method != "GET" and not route.public:
            lacking = {p for p in route.principals if scope not in policy.held(p) | of_people(p)}
            assert not lacking, (route.path, lacking)


def test_the_matrix_knows_every_route_and_no_other() -> None:
    """Else add its line to tests/support/matrix/declared.py: who may call it, and what of whom it shows."""
    assert {f"{r.method} {r.path}" for r in routes()[0]} == set(declared.ROUTES)
