"""Log-in and log-out: a password, or a link sent by e-mail, and a code where the person set that up.

Comes in: forms of anybody. Goes out: a session's cookie, or the form again. Must never say whether an e-mail address is
known, nor use a link up because something only looked at it.
"""

from starlette.requests import Request
from starlette.responses import Response

from api import logins, sessions
from api.context import context, principal_of
from api.pages import entry_models
from api.pages.forms import fields, form, go, local
from api.pages.front import nobodys_show
from api.pages.render import page, text_of
from api.sessions import Begun


async def form_page(request: Request) -> Response:
    """The log-in form; who is logged in already goes on."""
    following = local(request.query_params.get("next"))
    if request.state.principal is not None:
        return go(following)
    return _login(request, {}, following)


async def log_in(request: Request) -> Response:
    """A session for a right pair; the form again for a wrong one."""
    given = await fields(request)
    password = (await request.form()).get("password")
    following = local(given.get("next"))
    email = given.get("email", "")
    begun = await logins.by_password(request, email, password if isinstance(password, str) else "")
    return entered(request, begun, following) if begun else _login(request, {"email": email}, following, 401)


async def link_page(request: Request) -> Response:
    """Ask for a link by e-mail."""
    return page(request, "link.html", entry_models.link(nobodys_show(request), form({})))


async def ask_link(request: Request) -> Response:
    """The same answer for every address."""
    given = await fields(request)
    if context(request).mail.possible:
        await logins.ask_link(request, given.get("email", ""), text_of(request).language)
    return page(request, "message.html", entry_models.link_asked(nobodys_show(request)))


async def opened_link(request: Request) -> Response:
    """What a link leads to: a button. Mail scanners look at links; they press no buttons."""
    return page(request, "link_open.html", entry_models.link_opened(nobodys_show(request)))


async def use_link(request: Request) -> Response:
    """A session for a link that is fresh and unused."""
    begun = await logins.by_link(request, request.path_params["token"])
    if begun is not None:
        return entered(request, begun, "/")
    return page(request, "message.html", entry_models.link_gone(nobodys_show(request)), 401)


async def code_page(request: Request) -> Response:
    """The form for the code, for a log-in that waits for one."""
    waiting = await logins.awaited(request)
    if waiting is None:
        return go("/login")
    return _code(request, local(request.query_params.get("next")), waiting["csrf"])


async def give_code(request: Request) -> Response:
    """The session itself for a right code; the form again for a wrong one."""
    given = await fields(request)
    following, csrf = local(given.get("next")), given.get("csrf", "")
    begun = await logins.by_code(request, csrf, given.get("code", ""))
    return entered(request, begun, following) if begun else _code(request, following, csrf, 401)


async def log_out(request: Request) -> Response:
    """End the session at once."""
    principal_of(request)
    await sessions.end(request)
    response = go("/login", "logged-out")
    sessions.drop_cookie(request, response)
    return response


def entered(request: Request, begun: Begun, following: str) -> Response:
    """On to the page that was wanted, or to the form for the code."""
    kept = {} if following == "/" else {"next": following}
    response = go("/login/code", **kept) if begun.pending else go(following)
    sessions.give_cookie(request, response, begun.token)
    return response


def _login(request: Request, values: dict[str, str], following: str, status: int = 200) -> Response:
    show = nobodys_show(request)
    wrong = show.text("problem.login") if status != 200 else ""
    demo = getattr(request.app.state, "demo_logins", None) or []
    made = form(values, {"email": wrong} if wrong else {})
    links = context(request).mail.possible
    return page(request, "login.html", entry_models.login(show, made, following, demo, links), status)


def _code(request: Request, following: str, csrf: str, status: int = 200) -> Response:
    show = nobodys_show(request)
    made = form({}, {"code": show.text("problem.code")} if status != 200 else {})
    return page(request, "code.html", entry_models.code(show, made, following, csrf), status)
