"""The community organization's services: how much room each has, when it is closed, and how to say so.

Comes in: requests of a CBO behind the guard. Goes out: pages and redirects; a statement is published, never written.
"""

from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from api import capacity, cursors
from api.context import context, principal_of
from api.directory import listed
from api.pages import room_models
from api.pages.forms import fields, form, go
from api.pages.render import page
from api.pages.visit import PAGE, SQL, show_for
from api.problems import Problem, not_found
from api.referrals import CANONICAL_ID


async def index(request: Request) -> Response:
    """The organization's active services, by id."""
    principal = principal_of(request)
    after = cursors.decode(request.query_params.get("cursor"), UUID) or UUID(int=0)
    async with context(request).database.reading(principal) as connection:
        rows = await connection.fetch(SQL["own_services"], principal.organization, after, PAGE + 1)
    following = ""
    if len(rows) > PAGE:
        following = f"{room_models.BASE}?{urlencode({'cursor': cursors.encode(rows[PAGE - 1]['id'])})}"
    turning = {"next_href": following, "first_href": room_models.BASE if after.int else ""}
    found = [listed(row) for row in rows[:PAGE]]
    return page(request, "cbo_services.html", room_models.services(await show_for(request), found, turning))


async def one(request: Request) -> Response:
    """One service with the forms for its room and closures."""
    found = await capacity.own(request, _id(request))
    given = {k: str(v) for k, v in (found.get("capacity") or {}).items() if v is not None}
    kept = form({k: given[k] for k in ("status", "available", "note") if k in given})
    return page(request, "cbo_service.html", room_models.one(await show_for(request), found, kept))


async def change(request: Request) -> Response:
    """Say how much room there is, close it for some days, or open it again."""
    service = _id(request)
    found = await capacity.own(request, service)
    given = await fields(request)
    show = await show_for(request)
    try:
        in_force = await capacity.say(request, service, room_models.statement(given, found), b"")
    except Problem as problem:
        if problem.kind != "invalid":
            raise
        wrong = form(given, room_models.errors(show, problem.errors, given))
        return page(request, "cbo_service.html", room_models.one(show, found, wrong), 422)
    return go(f"{room_models.BASE}/{service}", "room" if in_force else "pending")


def _id(request: Request) -> UUID:
    if not CANONICAL_ID.fullmatch(request.path_params["id"]):
        raise not_found()
    return UUID(request.path_params["id"])
