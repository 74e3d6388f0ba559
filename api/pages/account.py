"""A person's own page: who they are to the exchange, and for operators the code as a second step at log-in.

Comes in: requests of who is logged in. Goes out: their page; a secret once. Must never show a secret that is in use.
"""

from starlette.requests import Request
from starlette.responses import Response

from api import logins, sessions, totp
from api.context import context, principal_of
from api.pages import entry_models
from api.pages.forms import fields, form, go
from api.pages.render import page
from api.pages.visit import show_for
from api.problems import Problem


async def show(request: Request) -> Response:
    """Name, organization, role, and whether codes are asked at log-in."""
    principal = principal_of(request)
    asked = await logins.has_second_step(request, principal) if principal.type == "operator" else None
    return page(request, "account.html", entry_models.account(await show_for(request), principal, asked))


async def enrol(request: Request) -> Response:
    """Show a new secret, once; the device proves that it has it before codes are asked."""
    principal = principal_of(request)
    secret = await logins.enrol(request, principal)
    if secret is None:
        raise Problem("conflict")
    issuer = context(request).settings.base_url.partition("://")[2]
    address = totp.address(secret, principal.email, issuer)
    model = entry_models.enrolment(await show_for(request), form({}), totp.spelled(secret), address)
    return page(request, "account_code.html", model)


async def confirm(request: Request) -> Response:
    """A right code turns the second step on, and begins a new session."""
    begun = await logins.confirm(request, principal_of(request), (await fields(request)).get("code", ""))
    if begun is None:
        shown = await show_for(request)
        made = form({}, {"code": shown.text("problem.code")})
        return page(request, "account_code.html", entry_models.enrolment(shown, made, "", ""), 422)
    response = go("/account", "second-step")
    sessions.give_cookie(request, response, begun.token)
    return response
