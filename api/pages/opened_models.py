"""Break-glass on pages: the list with its form, and one that is open, as an organization sees its referral.

Comes in: break-glasses as api.break_glass shapes them, a view, what was typed. Goes out: template models. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from api.pages import when
from api.pages.about import about, hops
from api.pages.forms import Form
from api.pages.person import person
from api.pages.show import Model, Show, View
from referrals.break_glass import LONGEST, MAX_MINUTES
from referrals.check import Problem

BASE = "/break-glass"
HEADINGS = ("when", "organization", "by", "why", "until")
FIELDS = ("organization", "referral_id", "reason", "minutes")


def listed(show: Show, found: Iterable[View], may: str, form: Form, turning: Model) -> Model:
    """What was opened; `may`: `open` for who opens, `step` for who would with a code, empty for who is told."""
    kept = {"minutes": str(MAX_MINUTES)} | form["fields"]
    return {
        "title": show.text("opened.heading"),
        "lead": show.text("opened.lead" if may else "opened.told-lead"),
        "may": may,
        "form": form | {"fields": kept},
        "longest": LONGEST,
        "headings": [show.text(f"opened.{name}") for name in HEADINGS],
        "rows": [_row(show, one, may == "open") for one in found],
        **turning,
    }


def _row(show: Show, one: View, own: bool) -> Model:
    at = when.moment(show.text, one["opened_at"], show.now)
    over = when.moment(show.text, one["ended_at"] or one["ends_at"], show.now)
    until = show.text("opened.now") if one["open"] else over["absolute"] if over else ""
    by = f"{show.organization(one['by']['organization'])} {one['by']['user']}"
    organization = f"{show.organization(one['organization'])}: {one['referral']}"
    cells = [at["absolute"] if at else "", organization, by, str(one["reason"]), until]
    return {"cells": cells, "href": f"{BASE}/{one['id']}" if own and one["open"] else ""}


def one(show: Show, opening: View, referral: View) -> Model:
    """One that is open: until when and why, and the referral as that organization sees it."""
    made = show.summary(referral, BASE)
    return {
        "title": show.text("opened.one", organization=show.organization(opening["organization"])),
        "until": when.due(show.text, opening["ends_at"], show.now),
        "reason": str(opening["reason"]),
        "end_path": f"{BASE}/{opening['id']}/end",
        "r": made,
        "about": about(show, referral),
        "hops": hops(show, referral),
        "person": person(show, referral, offered=False),
        **show.beside(referral),
    }


def said(given: Mapping[str, str]) -> dict[str, Any]:
    """What the form that was sent says."""
    made: dict[str, Any] = {k: v for k in FIELDS if (v := given.get(k))}
    minutes = made.get("minutes", "")
    return made | ({"minutes": int(minutes)} if minutes.isascii() and minutes.isdigit() else {})


def errors(show: Show, problems: Iterable[Problem]) -> dict[str, str]:
    """Each problem at its field."""
    found = {}
    for problem in problems:
        field = problem.pointer.rpartition("/")[2]
        name = field if field in FIELDS else "reason"
        found[name] = show.text(f"opened.problem-{name.replace('_', '-')}")
    return found
