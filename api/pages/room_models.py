"""What a community organization's pages show of its services: their room in words, closures, and the forms to say more.

Comes in: services as api.directory lists them, form fields. Goes out: template models; what a form says, as a statement
of referrals/capacity.py. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from api.pages import when
from api.pages.forms import Form
from api.pages.show import Model, Show, View
from referrals.capacity import STATUSES
from referrals.check import Problem

BASE = "/cbo/services"
# where referrals/capacity.py finds a statement wrong -> the form's field, and what to do
FIELDS = {
    "status": ("status", "problem.choose"),
    "available": ("available", "problem.places"),
    "until": ("until", "problem.future"),
    "note": ("note", "problem.places"),
    "from": ("closed_from", "problem.day"),
    "to": ("closed_to", "problem.last-day"),
    "reason": ("closed_reason", "problem.day"),
}


def services(show: Show, found: Iterable[View], cursors: Model) -> Model:
    """Every service of the organization, each with its room."""
    return {"title": show.text("room.heading"), "services": [service(show, one) for one in found], **cursors}


def service(show: Show, one: View) -> Model:
    """One service in words."""
    said = one.get("capacity") or {}
    status = str(said.get("status") or "")
    today = when.local_day(show.now).isoformat()
    closures = [c for c in said.get("closures") or () if not c.get("to") or c["to"] >= today]
    return {
        "id": str(one["id"]),
        "href": f"{BASE}/{one['id']}",
        "name": str(one.get("name") or ""),
        "room": show.text.of("room-status", status) if status else show.text("room.unknown"),
        "status": status,
        "places": show.text.n("room.places", said["available"]) if said.get("available") is not None else "",
        "until": show.text("room.until", date=said["until"]) if said.get("until") else "",
        "note": str(said.get("note") or ""),
        "said": when.moment(show.text, said.get("updated"), show.now),
        "closures": [_closure(show, c) for c in closures],
    }


def one(show: Show, found: View, form: Form) -> Model:
    """One service with its forms."""
    made = service(show, found)
    options = [{"code": code, "label": show.text(f"room-status.{code}")} for code in STATUSES]
    return {"title": made["name"], "s": made, "options": options, "form": form}


def _closure(show: Show, closure: View) -> Model:
    key = "room.closed" if closure.get("to") else "room.closed-open"
    said = show.text(key, first=closure["from"], last=closure.get("to") or "")
    return {
        "said": said,
        "reason": str(closure.get("reason") or ""),
        "key": f"{closure['from']}/{closure.get('to') or ''}",
    }


def statement(given: Mapping[str, str], found: View) -> dict[str, Any]:
    """What the form that was sent says: room, a closure more, or a closure less."""
    known = (found.get("capacity") or {}).get("closures") or []
    if "reopen" in given:
        left = [c for c in known if f"{c['from']}/{c.get('to') or ''}" != given["reopen"]]
        return {"closures": left}
    if "closed_from" in given:
        more = {
            "from": given["closed_from"],
            "to": given.get("closed_to"),
            "reason": given.get("closed_reason"),
        }
        return {"closures": [*known, {k: v for k, v in more.items() if v}]}
    said: dict[str, Any] = {k: v for k in ("status", "until", "note") if (v := given.get(k))}
    if places := given.get("available"):
        said["available"] = int(places) if places.isascii() and places.isdigit() else places
    return said


def errors(show: Show, problems: Iterable[Problem], given: Mapping[str, str]) -> dict[str, str]:
    """Each problem at its field of the form that was sent."""
    found = {}
    for problem in problems:
        last = problem.pointer.rpartition("/")[2]
        field, key = FIELDS.get(last, FIELDS["from" if "closed_from" in given else "status"])
        found[field] = show.text(key)
    return found
