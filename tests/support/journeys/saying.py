"""The steps of a story as the records that their doors write: what the SDK or the API makes of the same body.

Comes in: a story being played in memory, a step, its body with dates. Goes out: records of producers.envelope.
"""

from collections.abc import Callable
from datetime import UTC, date
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from api.bodies import AuthorizationBody, ResponseBody
from api.submitting import merge
from avro_schemas import topics
from producers import envelope
from producers.envelope import Record
from producers.publisher import event_id
from referrals import check, ids
from stream_processors import rows
from tests.support.journeys.stories import Step

if TYPE_CHECKING:
    from tests.support.journeys.in_memory import InMemory


def _topic(step: Step) -> str | None:
    return None if step.door == "intake topic" else topics.INTAKE_API


def _submit(play: "InMemory", step: Step, content: dict[str, Any]) -> list[Record]:
    body = play.story.submission(msgspec.structs.replace(step, content=content))
    made = check.submissions(body, play.now)
    said = play.said(step)
    if step.door == "intake topic":
        return [envelope.submitted(said._replace(event_id=event_id(step.who, one)), one) for one in made]
    events = [said.event_id, *(ids.event_id(str(said.event_id), str(n)) for n in range(1, len(made)))]
    return [
        envelope.submitted(said._replace(event_id=event), one, topics.INTAKE_API)
        for event, one in zip(events, made, strict=True)
    ]


def _amend(play: "InMemory", step: Step, content: dict[str, Any]) -> list[Record]:
    known = msgspec.to_builtins(play.submission(play.state(step.referral)))
    amended = check.submission(merge(known, content), play.now)
    return [envelope.submitted(play.said(step), amended, _topic(step))]


def _cancel(play: "InMemory", step: Step, content: dict[str, Any]) -> list[Record]:
    own = play.story.sender_referral_id(step.referral)
    return [
        envelope.cancelled(play.said(step), own, content["reason"], content.get("note", ""), _topic(step))
    ]


def _respond(play: "InMemory", step: Step, content: dict[str, Any]) -> list[Record]:
    said, referral = msgspec.convert(content, ResponseBody), play.story.referral(step.referral)
    when = check.parse_time(said.occurred_at or "")
    return [
        envelope.responded(
            play.said(step, when),
            referral,
            said.action,
            hop=str(ids.hop_id(referral, int(said.hop))) if said.hop else None,
            reason=said.reason,
            outcome_code=said.outcome.code if said.outcome else None,
            outcome_need=said.outcome.need if said.outcome else None,
            version=said.version,
            details=said.details(),
            note=said.note,
        )
    ]


def _assign(play: "InMemory", step: Step, content: dict[str, Any]) -> list[Record]:
    referral, service = play.story.referral(step.referral), play.story.service(content["service"])
    return [envelope.assigned(play.said(step), referral, service, content.get("reason", ""))]


def _deadline(play: "InMemory", step: Step, content: dict[str, Any]) -> list[Record]:
    due = {row[1]: row for row in rows.deadline_rows(play.state(step.referral))}
    id, kind, generation, due_at, _ = due[content["deadline"]]
    event = ids.event_id("exchange", "deadline", str(id), kind, str(generation))
    return [envelope.deadline_due(event, due_at.astimezone(UTC), id, kind, generation)]


def _cover(play: "InMemory", step: Step, content: dict[str, Any]) -> list[Record]:
    member_id = play.story.own(content["member_id"])
    spell = ids.event_id(step.who, "spell", member_id, content["spell"])
    person = ids.person_key(step.who, member_id)
    first, last = date.fromisoformat(content["from"]), content.get("to")
    until = date.fromisoformat(last) if last else None
    return [envelope.spell(play.said(step), spell, person, member_id, first, until)]


def _capacity(play: "InMemory", step: Step, content: dict[str, Any]) -> list[Record]:
    return [envelope.capacity_changed(play.said(step), UUID(play.story.service(step.who)), content)]


def _authorize(play: "InMemory", step: Step, content: dict[str, Any]) -> list[Record]:
    said = msgspec.to_builtins(msgspec.convert(content, AuthorizationBody))
    details = {k: v for k, v in said.items() if k not in ("status", "number")}
    referral, number = play.story.referral(step.referral), said.get("number", "")
    return [envelope.authorized(play.said(step), referral, said["status"], number, details)]


def _consent(play: "InMemory", step: Step, content: dict[str, Any]) -> list[Record]:
    """A grant, or a revocation, as the API writes it."""
    action = "revoke" if step.does == "revoke" else "grant"
    id, terms = content["consent"], {k: v for k, v in content.items() if k != "consent"}
    status = "revoked" if action == "revoke" else terms.get("status", "active")
    said = msgspec.json.encode(terms | {"id": id, "status": status, "person_id": play.story.person_id})
    person = ids.person_key(step.who, play.story.person_id)
    return [envelope.consent_changed(play.said(step), ids.consent_id(step.who, id), person, action, said)]


SAID: dict[str, Callable[["InMemory", Step, dict[str, Any]], list[Record]]] = {
    "submit": _submit,
    "amend": _amend,
    "cancel": _cancel,
    "respond": _respond,
    "assign": _assign,
    "wait": _deadline,
    "consent": _consent,
    "revoke": _consent,
    "cover": _cover,
    "authorize": _authorize,
    "capacity": _capacity,
}
