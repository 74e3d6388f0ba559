"""The sender's door: submit, amend, cancel.

Comes in: a sender's requests behind the guard. Goes out: 202 once the broker has it, 200 with the recorded state.
What is asked is published, never written; who may act on the referral is decided before the body is judged.
For pages: `events.ask` then `publish_submissions`; `take_back` with a CancelBody made from a form.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, events, metrics, problems, views
from api.bodies import CancelBody, answer
from api.context import context, principal_of
from api.outcomes import Settled, answered, refused, settle
from api.problems import wrong
from api.reading import load
from api.referrals import found, shown
from avro_schemas import topics
from producers import envelope
from referrals import check, ids, words
from referrals.submission import Submission


async def submit(request: Request) -> Response:
    """Ask for help for one person: `need`, or `needs` for a case. 202 once the broker has it."""
    body = await bodies.read(request)
    value = bodies.decode(body, request.headers.get("content-type", ""))
    try:
        found = check.submissions(value, datetime.now(UTC))
    except check.Invalid as error:
        raise problems.invalid(error) from None
    asked = await events.ask(request, body)
    if asked.outcome is not None and not asked.outcome.effective:
        raise refused(asked.outcome, None)
    items = await publish_submissions(request, asked, found)
    if value.get("needs") is not None:
        shown_items = [{"id": item.id, "status": item.status} for item in items]
        return answer({"case_id": found[0].case_id, "items": shown_items}, 202)
    return await _submitted(request, items[0])


class Item(NamedTuple):
    """One referral of a request: its id, its recorded status, and whether it was known before."""

    id: UUID
    status: str
    known: bool


async def publish_submissions(
    request: Request, asked: events.Ask, submissions: list[Submission], channel: str | None = None
) -> list[Item]:
    """Publish what is not recorded as it is. Also the FHIR door's and the pages' way."""
    principal = principal_of(request)
    organization = principal.organization
    made = [ids.referral_id(organization, s.sender_referral_id) for s in submissions]
    known: dict[UUID, views.Seen] = {}
    async with context(request).database.reading(principal) as connection:
        for id in made:
            if (seen := await load(connection, context(request).vault, principal, id)) is not None:
                known[id] = seen
    records = []
    for number, (id, submission) in enumerate(zip(made, submissions, strict=True)):
        pending = context(request).recent.get(organization, id) is not None
        if id in known and known[id].submission == submission and not pending:
            continue
        said = events.said(
            request, events.nth(asked, number), check.parse_time(submission.requested_at or ""), channel
        )
        records.append(envelope.submitted(said, submission, topics.INTAKE_API))
    if records and asked.outcome is None:
        await events.publish(request, records)
        metrics.SUBMITTED.inc(len(records))
    for id, submission in zip(made, submissions, strict=True):
        context(request).recent.add(organization, id, submission.sender_referral_id)
    return [Item(id, str(known[id].state.status) if id in known else "received", id in known) for id in made]


async def amend(request: Request) -> Response:
    """Change a referral by a JSON merge patch onto what was submitted; checked and routed again."""
    seen = await found(request)
    body = await bodies.read(request)
    patch = bodies.decode(body, request.headers.get("content-type", ""))
    if not isinstance(patch, dict):
        raise wrong("", "send a JSON object: a merge patch (RFC 7396)")
    merged = merge(_without_aliased(msgspec.to_builtins(seen.submission), patch), patch)
    try:
        submission = check.submission(merged, datetime.now(UTC))
    except check.Invalid as error:
        raise problems.invalid(error) from None
    if submission.sender_referral_id != seen.submission.sender_referral_id:
        raise wrong("/sender_referral_id", "an amendment keeps it; submit a new referral instead")
    asked = await events.ask(request, body)
    if asked.outcome is None and submission == seen.submission:
        return shown(request, seen)
    record = envelope.submitted(events.said(request, asked), submission, topics.INTAKE_API)
    return answered(await settle(request, asked, record, seen.state.id))


async def cancel(request: Request) -> Response:
    """Take a referral back, with a reason of cancel_reasons."""
    seen = await found(request)
    body, said = await bodies.read_as(request, CancelBody)
    return answered(await take_back(request, seen, said, body))


async def take_back(request: Request, seen: views.Seen, said: CancelBody, body: bytes) -> Settled:
    """Publish and await a cancellation by the sender."""
    if said.reason not in words.table("cancel_reasons"):
        raise wrong("/reason", f"use one of {', '.join(words.table('cancel_reasons'))}")
    asked = await events.ask(request, body)
    record = envelope.cancelled(
        events.said(request, asked),
        seen.state.sender_referral_id,
        said.reason,
        said.note or "",
        topics.INTAKE_API,
    )
    return await settle(request, asked, record, seen.state.id)


def _without_aliased(submission: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The submission without the fields that the patch gives under another name."""
    person = patch.get("person")
    given = {name for alias, name in check.ALIASES.items() if isinstance(person, dict) and alias in person}
    return submission | {"person": {k: v for k, v in submission["person"].items() if k not in given}}


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396: null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


async def _submitted(request: Request, item: Item) -> Response:
    """The recorded state of an id that was known before (200), else 202."""
    principal = principal_of(request)
    if item.known:
        async with context(request).database.reading(principal) as connection:
            seen = await load(connection, context(request).vault, principal, item.id)
        if seen is not None:
            return shown(request, seen)
    return answer({"id": item.id, "status": item.status}, 202, {"Location": f"/v1/referrals/{item.id}"})
