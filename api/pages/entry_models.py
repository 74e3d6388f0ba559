"""The log-in pages: by password, by a link sent by e-mail, the code as a second step, a person's own account.

Comes in: what was typed, who is logged in. Goes out: template models. Pure. Must never tell a wrong address from a
wrong password.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from api.pages.show import Model, Show
from api.principal import Principal


def login(
    show: Show,
    form: Mapping[str, Any],
    next_path: str,
    demo: Iterable[Mapping[str, str]],
    links: bool = False,
) -> Model:
    """The log-in form; `demo` = the one-click log-ins of a demonstration, `links`: whether e-mails can be sent."""
    listed = [{k: d[k] for k in ("email", "password", "label")} | {"icon": "person"} for d in demo]
    return {
        "title": show.text("log-in"),
        "form": form,
        "next": next_path,
        "demo_logins": listed,
        "links": links,
    }


def link(show: Show, form: Mapping[str, Any]) -> Model:
    """Where to send the link."""
    return {"title": show.text("link.title"), "form": form}


def link_asked(show: Show) -> Model:
    """What everybody reads who asked for a link, whether there is such an address or not."""
    text = show.text
    return {
        "title": text("link.asked"),
        "lines": [text("link.asked-text"), text("link.asked-more")],
        "href": "/login",
        "action": text("link.back"),
    }


def link_opened(show: Show) -> Model:
    """The page that a link leads to; only its button uses the link up."""
    return {"title": show.text("link.opened")}


def link_gone(show: Show) -> Model:
    """A link that was used, is too old, or never was."""
    text = show.text
    return {
        "title": text("link.gone"),
        "lines": [text("link.gone-text")],
        "href": "/login/link",
        "action": text("link.title"),
    }


def organization(show: Show, form: Mapping[str, Any], found: Iterable[Mapping[str, Any]] | None) -> Model:
    """Whose log-in page to go to: `found` = the organizations for the address given."""
    return {"title": show.text("provider.title"), "form": form, "found": list(found or ())}


def not_vouched(show: Show, why: str = "provider.failed-text") -> Model:
    """The organization's own log-in let nobody in; `why`: what to do, as the strings have it."""
    text = show.text
    return {
        "title": text("provider.failed"),
        "lines": [text(why)],
        "href": "/login/organization",
        "action": text("error.again"),
    }


def code(show: Show, form: Mapping[str, Any], next_path: str, csrf: str) -> Model:
    """The second step; `csrf` is of the log-in that waits for it."""
    return {"title": show.text("code.title"), "form": form, "next": next_path, "csrf": csrf}


def account(show: Show, principal: Principal, second_step: bool | None) -> Model:
    """Who is logged in; `second_step`: whether codes are asked, None for whom they are not offered."""
    text = show.text
    rows = (
        ("account.name", principal.user_name),
        ("login.email", principal.email),
        ("account.organization", principal.name),
        ("account.role", text.of("role", principal.role or "")),
    )
    return {
        "title": text("account.title"),
        "rows": [{"label": text(key), "value": value} for key, value in rows if value],
        "second_step": second_step,
    }


def enrolment(show: Show, form: Mapping[str, Any], secret: str, address: str) -> Model:
    """Setting up the second step; the secret is shown this once, and not again beside a wrong code."""
    return {"title": show.text("code.set-up"), "form": form, "secret": secret, "address": address}
