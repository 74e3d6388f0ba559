"""Forms: text fields of a request, problems beside the fields, and the list of them on top.

Comes in: a request's form. Goes out: trimmed text and the dict `form` of the macros. Must never trust a field.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse

from api.problems import Problem

Form = dict[str, Any]


async def fields(request: Request, longest: int = 4000) -> dict[str, str]:
    """The text fields of a form, trimmed; files and what is too long are dropped, NUL becomes nothing."""
    form = await request.form()
    given = {k: v for k, v in form.items() if isinstance(v, str)}
    return {k: v.replace("\x00", "").strip()[:longest] for k, v in given.items()}


async def exactly(request: Request, *names: str) -> dict[str, str]:
    """The text fields of a form that has these, each once, and no other; raises the 422 for whatever else is sent."""
    sent = (await request.form()).multi_items()
    given = [name for name, value in sent if isinstance(value, str)]
    if len(given) < len(sent) or len(set(given)) < len(given) or not set(given) <= {"csrf", *names}:
        raise Problem("invalid", "the form has fields that this page does not; load the page again")
    return {name: text for name, text in (await fields(request)).items() if name != "csrf"}


def form(values: Mapping[str, str], errors: Mapping[str, str] | None = None, general: str = "") -> Form:
    """What the macros draw: the values as typed, each problem by field, all of them in order."""
    listed = [{"field": name, "text": text} for name, text in (errors or {}).items()]
    if general:
        listed.insert(0, {"field": "", "text": general})
    return {"fields": dict(values), "errors": dict(errors or {}), "problems": listed}


def go(path: str, done: str | None = None, **query: str) -> RedirectResponse:
    """See other: after a form the browser reads a page, so that Refresh repeats nothing."""
    given = ({"done": done} if done else {}) | query
    mark = "&" if "?" in path else "?"
    return RedirectResponse(f"{path}{mark}{urlencode(given)}" if given else path, status_code=303)


def local(path: str | None) -> str:
    """A path of ours to go on to; anything that could lead elsewhere becomes the start page."""
    safe = bool(path) and str(path).startswith("/") and not str(path).startswith(("//", "/\\"))
    return str(path) if safe and "\\" not in str(path) and str(path).isprintable() else "/"
