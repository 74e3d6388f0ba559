"""A referral sent by hand: the form, its checks beside the fields, and publishing through the one submission check.

Comes in: form fields of a sender. Goes out: the form with problems, or a redirect. Must never amend another referral
by accident, nor keep what was typed.
"""

import asyncio
import re
import secrets
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from api import events
from api.context import context, principal_of
from api.pages import clinic_models, when
from api.pages.asking import ending
from api.pages.forms import fields, form, go
from api.pages.render import page
from api.pages.text import Text
from api.pages.visit import organizations, show_for
from api.reading import load
from api.submitting import publish_submissions
from infra.places import places
from referrals import check, ids, words
from referrals.submission import Submission

# field -> what it must be, as a key of the problem beside it
REQUIRED = {
    "domain": "problem.choose",
    "priority": "problem.choose",
    "given_name": "problem.required",
    "family_name": "problem.required",
    "birth_date": "problem.date",
    "person_id": "problem.required",
    "postal_code": "problem.zip",
    "consent": "problem.choose",
    "sender_referral_id": "problem.required",
}
# JSON pointer of the submission check -> field of the form
POINTERS = {
    "/need/domain": "domain",
    "/consent/status": "consent",
    "/person/birth_date": "birth_date",
    "/priority": "priority",
} | {f"/person/{n}": n for n in ("given_name", "family_name", "person_id")}


async def form_page(request: Request) -> Response:
    """The empty form, with an own id made for it."""
    own = f"WEB-{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(3).upper()}"
    return await _form(request, {"priority": "routine", "phone_safe": "unsure", "sender_referral_id": own})


async def submit(request: Request) -> Response:
    """Check, publish, and go to the referral's own page."""
    given = await fields(request)
    show = await show_for(request)
    if errors := wrong(show.text, given, when.local_day(datetime.now(UTC))):
        return await _form(request, given, errors)
    try:
        submission = check.submission(body(given, await _county(given)), datetime.now(UTC))
    except check.Invalid as error:
        return await _form(request, given, *_told(show.text, error))
    principal = principal_of(request)
    id = ids.referral_id(principal.organization, submission.sender_referral_id)
    async with context(request).database.reading(principal) as connection:
        known = await load(connection, context(request).vault, principal, id)
    if known is not None and known.submission != submission:
        return await _form(request, given, {"sender_referral_id": show.text("problem.taken")})
    return await _send(request, given, submission, str(id), known is not None)


async def _send(
    request: Request, given: dict[str, str], submission: Submission, id: str, known: bool
) -> Response:
    if known:
        return go(f"{clinic_models.BASE}/{id}", "sent")
    asked = events.Ask(uuid4(), datetime.now(UTC))
    await publish_submissions(request, asked, [submission])
    end = ending(await events.outcome(request, asked.event_id))
    if end.kind == "pending":
        return go("/clinic", "pending")
    if end.kind == "done":
        return go(f"{clinic_models.BASE}/{id}", "sent")
    text = (await show_for(request)).text
    return await _form(request, given, {}, text("problem.not-taken", detail=end.detail))


def wrong(text: Text, given: dict[str, str], today: date) -> dict[str, str]:
    """The fields that are missing or cannot be right, with what to do."""
    errors = {name: text(key) for name, key in REQUIRED.items() if not given.get(name)}
    if not re.fullmatch(r"\d{5}(-\d{4})?", given.get("postal_code", "")):
        errors["postal_code"] = text("problem.zip")
    born = check.parse_date(given.get("birth_date", ""))
    if born is None or born > today:
        errors["birth_date"] = text("problem.date")
    for name, allowed in (("domain", words.table("domains")), ("priority", words.PRIORITIES)):
        if given.get(name) not in allowed:
            errors[name] = text("problem.choose")
    return {name: errors[name] for name in REQUIRED if name in errors}


async def _county(given: dict[str, str]) -> str | None:
    """The county of the ZIP, where the table of places knows it; reading that table once takes a second."""
    known = await asyncio.to_thread(places)
    place = known.get(given["postal_code"][:5])
    return place.county or None if place else None


def body(given: dict[str, str], county: str | None = None) -> dict[str, Any]:
    """The fields as a submission (interfaces.md); what was left empty is absent."""
    safe = {"yes": True, "no": False}.get(given.get("phone_safe", ""))
    phone = given.get("phone")
    phones = [{"number": phone} | ({"safe": safe} if safe is not None else {})] if phone else None
    return {
        "sender_referral_id": given["sender_referral_id"],
        "person": {
            "person_id": given["person_id"],
            "given_name": given["given_name"],
            "family_name": given["family_name"],
            "birth_date": given["birth_date"],
            "phone": phone if safe is not False else None,
            "spoken_language": given.get("language") or None,
            "contact": {"phones": phones} if phones else None,
        },
        "service_area": {"postal_code": given["postal_code"][:5], "county": county},
        "need": {"domain": given["domain"], "note": given.get("note") or None},
        "priority": given["priority"],
        "coverage": {"payer": given["payer"], "member_id": given.get("member_id") or None}
        if given.get("payer")
        else None,
        "preferred_organization": given.get("preferred_organization") or None,
        "consent": {"status": given["consent"]},
    }


def _told(text: Text, error: check.Invalid) -> tuple[dict[str, str], str]:
    """The check's problems beside the fields they belong to; what has no field goes on top."""
    beside = {POINTERS[p.pointer]: p.detail for p in error.problems if p.pointer in POINTERS}
    rest = [p.detail for p in error.problems if p.pointer not in POINTERS]
    return beside, text("problem.invalid", detail=rest[0]) if rest else ""


async def _form(
    request: Request, values: dict[str, str], errors: dict[str, str] | None = None, general: str = ""
) -> Response:
    show = await show_for(request)
    found = sorted((await organizations(request)).values(), key=lambda o: o["name"])
    payers, helpers = (
        [{"code": o["id"], "label": o["name"]} for o in found if o["type"] == type and o["active"]]
        for type in ("mco", "cbo")
    )
    model = clinic_models.new(show, form(values, errors, general), payers, helpers)
    return page(request, "clinic_new.html", model, 422 if errors or general else 200)
