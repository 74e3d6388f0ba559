"""What stands before every handler: who asks, may they, how often, is the form theirs; and what happens to errors.

Comes in: a declared Route. Goes out: a Starlette route. Must never let a request reach a handler undecided, and
never answer 401, 404 or 409 because Kafka or Postgres is away.
"""

import secrets
from collections.abc import Awaitable, Callable

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from api import audit, auth, origin, policy, problems
from api.context import context
from api.database import DatabaseAway, Rebuilding
from api.limits import too_many
from api.principal import Principal
from api.problems import Problem
from api.routing import Route
from infra.vault.kms import Locked
from producers.producer import BrokerAway, NotPermitted

log = structlog.get_logger("refex.api")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PageProblem = Callable[[Request, Problem], Awaitable[Response]]


def guarded(route: Route, page_problem: PageProblem | None = None) -> StarletteRoute:
    """The route as Starlette serves it, behind the guard."""

    async def endpoint(request: Request) -> Response:
        request.state.principal = None
        request.state.acting = None
        request.state.door = route.door
        request.state.action = route.action
        request.state.route = route
        request.state.on_record = False
        try:
            await _admit(request, route)
            response = await route.handler(request)
        except DatabaseAway as error:  # nothing was shown, and nothing can be put on record
            return await respond(request, as_problem(error), page_problem)
        except Exception as error:  # every failure becomes one declared problem
            response = await respond(request, as_problem(error), page_problem)
        if not audit.is_audited(route) or request.state.on_record:
            return response
        try:
            await context(request).audit.keep(audit.record_of(request, route, response.status_code))
        except DatabaseAway as error:
            return await respond(request, as_problem(error), page_problem)
        return response

    return StarletteRoute(route.path, endpoint, methods=[route.method], name=f"{route.method} {route.path}")


def as_problem(error: Exception) -> Problem:
    """Which problem an exception is; what nobody foresaw is our failure, logged without its message."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, DatabaseAway):
        return problems.away("the database")
    if isinstance(error, Locked):
        log.error("personal data cannot be opened", do=error)
        return problems.locked()
    if isinstance(error, Rebuilding):
        return problems.rebuilding()
    if isinstance(error, BrokerAway | NotPermitted):
        return problems.away("Kafka")
    if isinstance(error, HTTPException):
        return Problem(problems.BY_STATUS.get(error.status_code, "internal"), headers=error.headers)
    log.error("request failed", error=error)  # its type and place: the log has no other use for it
    return Problem("internal")


async def respond(request: Request, problem: Problem, page_problem: PageProblem | None) -> Response:
    """The problem as the route's door writes it."""
    door = getattr(request.state, "door", "json")
    if door == "page" and page_problem is not None:
        return await page_problem(request, problem)
    return problems.as_fhir(problem) if door == "fhir" else problems.as_json(problem)


async def _admit(request: Request, route: Route) -> None:
    if "\x00" in request.url.path or "%00" in request.scope.get("query_string", b"").decode("latin-1"):
        raise Problem("malformed", "the address holds a NUL; remove it")
    limits, shown = context(request).limits, auth.presented(request, people_only=route.door == "page")
    if not route.public:
        limits.refused.check(shown.credential)
    principal = await _caller(request, route, shown)
    request.state.principal = principal
    if request.method not in SAFE and (route.door == "page" or (principal and principal.session is not None)):
        origin.check(request)
    if principal is None:
        return
    if not route.public:
        if (seconds := limits.requests.wait(principal.user)) > 0:
            limits.refused.note(shown.credential, seconds)
            raise too_many(seconds)
        _check_admitted(route, principal)
    if principal.session is not None and request.method not in SAFE and not route.public:
        await _check_csrf(request, principal, route)


async def _caller(request: Request, route: Route, shown: auth.Presented) -> Principal | None:
    """Who asks; probes and documents look nobody up, and a public page is shown to nobody while we cannot know."""
    if route.action == "public" and route.door != "page":
        return None
    try:
        return await auth.identify(request, shown, required=not route.public)
    except DatabaseAway:
        if route.public:
            return None
        raise


def _check_admitted(route: Route, principal: Principal) -> None:
    reads_one = route.method == "GET" and "{" in route.path
    verdict = policy.admits(principal, route.action, route.principals, reads_one)
    if verdict is policy.Verdict.UNKNOWN:
        raise problems.not_found()
    if verdict is policy.Verdict.FORBIDDEN:
        raise Problem("not-permitted")


async def _check_csrf(request: Request, principal: Principal, route: Route) -> None:
    """The session's token, in the header that only a script of ours can set, or in the form of a page."""
    given = request.headers.get("x-csrf-token")
    if given is None and route.door == "page":
        field = (await request.form()).get("csrf")
        given = field if isinstance(field, str) else None
    if given is None or not secrets.compare_digest(given.encode(), (principal.csrf or "").encode()):
        raise Problem("csrf")
