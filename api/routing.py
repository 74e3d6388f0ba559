"""The declared-route type: every way in names its method, path, handler, action and who may call it.

Comes in: the tables of app.py and pages. Goes out: Starlette routes, each behind the guard.
A route that declares nothing, or an action unknown to policy.py, must fail at start-up, never at a request.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from api import policy
from referrals.words import OrganizationType

Handler = Callable[[Request], Awaitable[Response]]
Door = Literal["json", "fhir", "page"]

ANYONE = frozenset({"anyone"})
EVERYONE = frozenset(str(t) for t in OrganizationType)
SENDERS = frozenset({"clinic", "mco", "platform"})
RECIPIENTS = frozenset({"cbo"})
OPERATOR = frozenset({"operator"})
TOLD = SENDERS | RECIPIENTS | OPERATOR | {"hub"}  # who opens a break-glass, and whom it may be on
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class UndeclaredRoute(RuntimeError):
    """A route lacks a part of its declaration; complete its line in the route table."""


class Route(NamedTuple):
    """One line of the route table.

    `action` is a key of policy.ACTIONS; `principals` are organization types, or ANYONE for a route that needs no
    caller: then request.state.principal is the Principal of a valid cookie or token, else None (outside pages,
    the action `public` - probes, documents - looks nobody up at all).
    `door` says how problems are written: problem+json, OperationOutcome, or a page (401 leads to /login).
    """

    method: str
    path: str
    handler: Handler
    action: str
    principals: frozenset[str]
    door: Door = "json"

    @property
    def public(self) -> bool:
        """Whether it may be called without credentials."""
        return self.principals == ANYONE


def validate(routes: Iterable[Route]) -> None:
    """Raise UndeclaredRoute for the first route whose declaration is not whole."""
    seen: set[tuple[str, str]] = set()
    for route in routes:
        where = f"{route.method} {route.path}"
        wrong = [
            (route.method not in METHODS, "an unknown method"),
            (not route.path.startswith("/"), "a path that does not start with /"),
            (not callable(route.handler), "no handler"),
            (route.action not in policy.ACTIONS, f"action {route.action!r}, unknown to policy.ACTIONS"),
            (not route.principals, "no principals"),
            (not route.public and not route.principals <= EVERYONE, "an unknown principal"),
            ((route.method, route.path) in seen, "been declared twice"),
        ]
        for is_wrong, what in wrong:
            if is_wrong:
                raise UndeclaredRoute(f"{where} has {what}; complete its line in the route table")
        seen.add((route.method, route.path))
