"""Model and template become HTML: the frame around every page, fragments for live updates, versioned assets.

Comes in: a template's name and its model. Goes out: a response. Must never mark anything a person wrote as safe.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import policy
from api.pages.text import LANGUAGES, Text, chosen
from api.principal import Principal

LANGUAGE_COOKIE = "refex-language"
# organization type -> its start page, and what its navigation lists (path, string key, action)
HOMES = {t: f"/{t}" for t in ("clinic", "mco", "cbo", "hub", "state", "operator")} | {"platform": "/clinic"}
FIGURES = frozenset({"mco", "state"})  # whose start page shows measures; the others' shows referrals
Listed = tuple[tuple[str, str, str], ...]
_PEOPLE = ("/people", "nav.people", "people")
_SENT: Listed = (("/clinic", "nav.clinic", "read"), ("/clinic/new", "nav.clinic-new", "submit"), _PEOPLE)
NAVIGATION: dict[str, Listed] = {
    "clinic": _SENT,
    "platform": _SENT,
    "cbo": (("/cbo", "nav.cbo", "read"), ("/cbo/services", "nav.cbo-services", "directory"), _PEOPLE),
    "mco": (
        ("/mco", "nav.mco", "measure"),
        ("/clinic", "nav.mco-sent", "read"),
        ("/clinic/new", "nav.clinic-new", "submit"),
        _PEOPLE,
    ),
    "operator": (("/operator", "nav.operator", "read"), ("/break-glass", "nav.break-glass", "openings")),
    "hub": (("/hub", "nav.hub", "read"), _PEOPLE),
}
# what a page may say after a redirect (`?done=`): the code is also its string, `flash.<code>`
FLASHES = (
    *("sent", "cancelled", "accept", "reject", "start", "hold", "resume", "complete", "fail", "note"),
    *("contact", "cancel", "transfer", "correct", "reopen", "passed-on"),
    *("assigned", "offered", "closed", "told", "linked", "room", "pending", "logged-out", "second-step"),
    "opened-ended",
    *("person-invited", "person-role", "person-out", "person-in"),
)


@cache
def environment() -> Environment:
    """Jinja2 with autoescape always on and every missing name an error."""
    made = Environment(
        loader=PackageLoader("api", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["static"] = static
    return made


@cache
def static(name: str) -> str:
    """The address of one of our files, with a mark that changes with its content."""
    content = resources.files("api").joinpath("static", name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:10]}"


def html(template: str, text: Text, frame: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """A template as text; pure, so that tests draw every page without a server."""
    return environment().get_template(template).render({**frame, **model, "t": text})


def frame(
    text: Text, principal: Principal | None, path: str = "/", done: str | None = None, demo: bool = False
) -> dict[str, Any]:
    """What the layout needs besides the page's own model."""
    code = next(c for c in LANGUAGES if c != text.language)
    listed = [
        (where, key)
        for where, key, action in (NAVIGATION.get(principal.type, ()) if principal else ())
        if principal and policy.permitted(principal, action)
    ]
    here = path.partition("?")[0]
    current = max((p for p, _ in listed if here == p or here.startswith(f"{p}/")), key=len, default="")
    return {
        "me": {"name": principal.name, "type": principal.type, "email": principal.email}
        if principal
        else None,
        "csrf": (principal.csrf or "") if principal else "",
        "nav": [{"href": p, "label": text(key), "current": p == current} for p, key in listed],
        "flash": {"tone": "good", "text": text(f"flash.{done}")} if done in FLASHES else None,
        "opening_notice": _told(text, principal),
        "path": path,
        "other_language": {"code": code, "name": LANGUAGES[code]},
        "demo": demo,
        "live": False,
        "notice": "",
        "blank": False,
    }


def _told(text: Text, principal: Principal | None) -> dict[str, str] | None:
    """The notice to an organization that an operator opened something of it; who may know more is led there."""
    if principal is None or not principal.opened:
        return None
    href = "/break-glass" if policy.permitted(principal, "openings") else ""
    return {"text": text.n("opened.notice", principal.opened), "href": href}


def home_of(principal: Principal) -> str:
    """Where somebody goes on to: the start page of their type, if their role may see it."""
    action = "measure" if principal.type in FIGURES else "read"
    return HOMES[principal.type] if policy.permitted(principal, action) else "/account"


def text_of(request: Request) -> Text:
    """The language of a request: the person's choice in a cookie, else the browser's."""
    return Text(chosen(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language")))


def path_of(request: Request) -> str:
    """The path and query of a request without what concerns one answer alone."""
    kept = [(k, v) for k, v in request.query_params.multi_items() if k not in ("done", "fragment")]
    return str(request.url.replace(scheme="", netloc="", query="").include_query_params(**dict(kept)))


def wants_fragment(request: Request) -> bool:
    """Whether only the page's list is asked for, by the script."""
    return request.headers.get("x-fragment") == "1" or request.query_params.get("fragment") == "1"


def page(request: Request, template: str, model: Mapping[str, Any], status: int = 200) -> Response:
    """The page as a response; only its live part when the script asks for that."""
    text = text_of(request)
    principal: Principal | None = getattr(request.state, "principal", None)
    demo = bool(getattr(request.app.state, "demo_logins", None))
    around = frame(text, principal, path_of(request), request.query_params.get("done"), demo)
    part = f"_{template}"
    if wants_fragment(request) and part in environment().list_templates():
        template = part
    headers = {"Vary": "Cookie, Accept-Language, X-Fragment", "Content-Language": text.language}
    return HTMLResponse(html(template, text, around, model), status, headers)
