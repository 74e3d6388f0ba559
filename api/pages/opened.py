"""Break-glass for people: an operator opens, looks and ends; an organization's admin and auditor read what was opened.

Comes in: requests behind the guard. Goes out: pages and redirects. Must never show more than api.break_glass does.
"""

from starlette.requests import Request
from starlette.responses import Response

from api import bodies, break_glass, cursors, policy
from api.context import principal_of
from api.pages import opened_models
from api.pages.forms import Form, fields, form, go
from api.pages.opened_models import BASE
from api.pages.render import page
from api.pages.visit import PAGE, show_for
from api.problems import Problem
from infra.roles import BREAK_GLASS


async def index(request: Request) -> Response:
    """What was opened, and for who may open the form."""
    return await _listed(request, form({}))


async def begin(request: Request) -> Response:
    """Open one, and on to it; the form again where something is missing."""
    given = await fields(request)
    try:
        said = bodies.shaped(opened_models.said(given), break_glass.OpenBody)
        made = await break_glass.begun(request, said, 303)
    except Problem as problem:
        if problem.kind not in ("invalid", "not-found"):
            raise
        show = await show_for(request)
        errors = opened_models.errors(show, problem.errors)
        none = show.text("opened.problem-referral-id")
        return await _listed(request, form(given, errors or {"referral_id": none}), 422)
    return go(f"{BASE}/{made['id']}")


async def one(request: Request) -> Response:
    """The referral as that organization sees it, while it is open; the list once it has ended."""
    try:
        opening, view = await break_glass.looked(request)
    except Problem as problem:
        if problem.detail != break_glass.OVER:
            raise
        return await _listed(request, form({}), problem.status)
    show = await show_for(request, [hop["service"] for hop in view["hops"]])
    return page(request, "break_glass_one.html", opened_models.one(show, opening, view))


async def end(request: Request) -> Response:
    """End it before its time."""
    await break_glass.ended(request, 303)
    return go(BASE, "opened-ended")


async def _listed(request: Request, kept: Form, status: int = 200) -> Response:
    position = cursors.decode(request.query_params.get("cursor"), break_glass.Position)
    found, end = await break_glass.listed(request, position, PAGE)
    principal = principal_of(request)
    may = "open" if policy.permitted(principal, "open") else "step" if BREAK_GLASS in principal.scopes else ""
    turning = {
        "next_href": f"{BASE}?cursor={cursors.encode(end)}" if end else "",
        "first_href": BASE if position else "",
    }
    model = opened_models.listed(await show_for(request), found, may, kept, turning)
    return page(request, "break_glass.html", model, status)
