"""What the page about an organization's people shows: a table, the form for somebody new, one person, a password once.

Comes in: rows without secrets, form fields. Goes out: template models. Pure. Must never offer a role that the
organization's type does not have.
"""

from collections.abc import Iterable
from typing import Any

from api.pages import when
from api.pages.forms import Form
from api.pages.marks import Mark
from api.pages.show import Model, Show, View
from api.people import Made, Unwise
from infra import roles
from referrals.words import OrganizationType

BASE = "/people"
HEADINGS = ("name", "role", "second-step", "last-log-in", "state")
# what api/people.py refuses -> its string is `people.not.<why>`
REFUSALS = ("address", "name", "role", "taken", "last-admin", "own-end", "own-reset")


def everybody(show: Show, found: Iterable[View], me: str, turning: Model) -> Model:
    """The table; `me` is who looks at it."""
    listed = [person(show, one) | {"own": str(one["id"]) == me} for one in found]
    return {
        "title": show.text("people.title"),
        "headings": [show.text(f"people.{name}") for name in HEADINGS],
        "people": listed,
        "alone": len(listed) == 1 and listed[0]["own"] and not turning["first_href"],
        **turning,
    }


def person(show: Show, one: View) -> Model:
    """One person in words."""
    text = show.text
    return {
        "href": f"{BASE}/{one['id']}",
        "name": str(one["name"]),
        "email": str(one["email"]),
        "role": text.of("role", str(one["role"])),
        "second_step": text("people.on" if one["second_step"] else "people.off"),
        "last_log_in": when.moment(text, one["last_log_in"], show.now),
        "active": bool(one["active"]),
        "state": _state(show, bool(one["active"])),
    }


def one(show: Show, found: View, type: str, form: Form, own: bool, links: bool) -> Model:
    """One person and what can be changed; `own`: who looks is that person, `links`: e-mails can be sent."""
    text, made = show.text, person(show, found)
    never = text("people.never")
    rows = (
        ("login.email", made["email"]),
        ("people.role", made["role"]),
        ("people.second-step", made["second_step"]),
        ("people.last-log-in", made["last_log_in"]["relative"] if made["last_log_in"] else never),
        ("people.state", made["state"]["word"]),
    )
    return {
        "title": made["name"],
        "person": made,
        "rows": [{"label": text(key), "value": value} for key, value in rows],
        "roles": _roles(show, type),
        "form": form,
        "own": own,
        "reset_text": text("people.reset-link" if links else "people.reset-password"),
    }


def new(show: Show, form: Form, type: str, links: bool) -> Model:
    """The form for somebody new; `links`: e-mails can be sent."""
    text = show.text
    return {
        "title": text("people.add"),
        "form": form,
        "roles": _roles(show, type),
        "text": text("people.add-link" if links else "people.add-password"),
    }


def password(show: Show, made: Made) -> Model:
    """A password, shown once."""
    return {
        "title": show.text("people.password"),
        "email": made.email,
        "password": made.password or "",
        "href": f"{BASE}/{made.id}",
    }


def errors(show: Show, unwise: Unwise | None) -> dict[str, str]:
    """What was refused, beside its field, or under "" for the whole."""
    return {unwise.field: show.text(f"people.not.{unwise.why}")} if unwise else {}


def _roles(show: Show, type: str) -> list[dict[str, Any]]:
    """Every role of the type with what it may do."""
    return [
        {"code": name, "label": f"{show.text.of('role', name)}: {show.text.of('role-may', name)}"}
        for name in roles.names(OrganizationType(type))
    ]


def _state(show: Show, active: bool) -> Mark:
    tone, icon, key = ("go", "check", "people.active") if active else ("quiet", "stop", "people.out")
    return {"code": key, "tone": tone, "icon": icon, "word": show.text(key)}
