"""Log-in through one's own organization: which one, off to its provider, and back.

Comes in: forms and returns of anybody. Goes out: a session's cookie, or the log-in again. Must never lead to a provider
from a form: browsers hold forms to our own pages.
"""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api import oidc
from api.context import context
from api.pages import entry_models
from api.pages.entry import entered
from api.pages.forms import fields, form, local
from api.pages.front import nobodys_show
from api.pages.render import page

COOKIE_S = int(oidc.LIFE.total_seconds())


async def form_page(request: Request) -> Response:
    """Ask for the address, whose domain says which organization."""
    model = entry_models.organization(nobodys_show(request), form({}), None)
    return page(request, "login_organization.html", model)


async def find(request: Request) -> Response:
    """The organizations that log people of that domain in."""
    email = (await fields(request)).get("email", "")
    show = nobodys_show(request)
    found = [dict(row) for row in await oidc.offered(request, email)]
    made = form({"email": email}, {} if found else {"email": show.text("problem.no-provider")})
    return page(request, "login_organization.html", entry_models.organization(show, made, found))


async def leave(request: Request) -> Response:
    """Off to the organization's own log-in page."""
    context(request).limits.addresses.check(request.client.host if request.client else "")
    following = local(request.query_params.get("next"))
    left = await oidc.leave(request, request.path_params["id"], following)
    if left is None:
        return _failed(request)
    response = RedirectResponse(left.url, status_code=303)
    response.set_cookie(
        _cookie(request),
        left.browser,
        max_age=COOKIE_S,
        path="/",
        secure=context(request).secure,
        httponly=True,
        samesite="lax",
    )
    return response


async def arrive(request: Request) -> Response:
    """Back from there: a session, or what to do next."""
    try:
        arrived = await oidc.arrive(request, request.cookies.get(_cookie(request), ""))
        response = entered(request, *arrived) if arrived else _failed(request)
    except oidc.AnotherAccount:
        response = _failed(request, "provider.another-text", 403)
    response.delete_cookie(_cookie(request), path="/", secure=context(request).secure, httponly=True)
    return response


def _failed(request: Request, why: str = "provider.failed-text", status: int = 401) -> Response:
    return page(request, "message.html", entry_models.not_vouched(nobodys_show(request), why), status)


def _cookie(request: Request) -> str:
    return "__Host-refex-flow" if context(request).secure else "refex-flow"
