"""The doors: start page with live health, language, our own static files, what went wrong.

Comes in: requests of anybody. Goes out: pages and redirects. Must never lead anywhere but to a page of ours.
"""

from datetime import UTC, datetime
from importlib import resources

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.context import context
from api.database import DatabaseAway
from api.pages import front_models, visit
from api.pages.forms import go, local
from api.pages.render import LANGUAGE_COOKIE, home_of, page, path_of, text_of
from api.pages.show import Show
from api.pages.text import LANGUAGES
from api.problems import Problem, not_found

YEAR_S = 365 * 86400
FILES = {
    "pages.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icons.svg": "image/svg+xml",
    "mark.svg": "image/svg+xml",
}


async def home(request: Request) -> Response:
    """What this is, for those who are not logged in; the others go to their own page."""
    if request.state.principal is not None:
        return go(home_of(request.state.principal))
    show = nobodys_show(request)
    try:
        async with context(request).database.own() as connection:
            last = await connection.fetchval(visit.SQL["last_event"])
        active = sum(bool(o["active"]) for o in (await visit.organizations(request)).values())
    except DatabaseAway:
        return page(request, "home.html", front_models.home(show, False, None, 0))
    return page(request, "home.html", front_models.home(show, True, last, active))


async def language(request: Request) -> Response:
    """Remember the language and go back to the page."""
    response = RedirectResponse(local(request.query_params.get("next")), status_code=303)
    if (wanted := request.query_params.get("to")) in LANGUAGES:
        secure = context(request).secure
        response.set_cookie(
            LANGUAGE_COOKIE,
            str(wanted),
            max_age=YEAR_S,
            path="/",
            secure=secure,
            httponly=True,
            samesite="lax",
        )
    return response


async def asset(request: Request) -> Response:
    """One of our few static files, kept by browsers for a year: its address changes with its content."""
    name = request.path_params["name"]
    if name not in FILES:
        raise not_found()
    content = resources.files("api").joinpath("static", name).read_bytes()
    kept = "public, max-age=31536000, immutable" if request.query_params.get("v") else "public, max-age=300"
    return Response(content, headers={"Cache-Control": kept}, media_type=FILES[name])


async def problem(request: Request, found: Problem) -> Response:
    """What went wrong as a page; who is not logged in is led to the log-in and then back."""
    if found.status == 401:
        back = path_of(request) if request.method == "GET" else ""
        return go("/login", **({"next": back} if back not in ("", "/") else {}))
    key = "csrf" if found.kind == "csrf" else str(found.status)
    back = path_of(request) if request.method == "GET" else local(_referer_path(request))
    response = page(request, "message.html", front_models.message(text_of(request), key, back), found.status)
    response.headers.update(found.headers)
    return response


def _referer_path(request: Request) -> str:
    """The page a form was on, from the Referer that only our own pages send."""
    referer = request.headers.get("referer", "")
    base = str(request.base_url).rstrip("/")
    return referer[len(base) :] if referer.startswith(f"{base}/") else "/"


def nobodys_show(request: Request) -> Show:
    """The Show of who is not logged in."""
    return Show(text_of(request), datetime.now(UTC))
