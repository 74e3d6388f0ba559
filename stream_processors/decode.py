"""Step 1a: a Kafka record becomes an Arrival (who asks what, of which stream) or Poison with a reason.

The tenant comes from the topic, ids are recomputed, nothing in a body is believed (architecture 6). No I/O.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from avro_schemas import topics
from avro_schemas.codec import CodecError, decode
from infra.vault.travel import Opener
from producers.envelope import unseal
from referrals import check, consenting, ids
from referrals import commands as c
from referrals.errors import DeadLetterReason as Bad
from referrals.words import Channel
from stream_processors.decode_coverage import member, reached, spell
from stream_processors.decode_fields import Fields, Wrong, json_of, plain, text_of
from stream_processors.decode_persons import (
    consent_changed,
    erasure_asked,
    link_decided,
    link_proposed,
    screened,
)
from stream_processors.runs import Consumed, appended_at

EXCHANGE = "exchange"
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Raw(NamedTuple):
    """A consumed record by hand, or on its way to another process; `at` is the broker's append time."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    at: datetime

    @property
    def timestamp(self) -> int:
        """`at`, as the log holds it."""
        return round(self.at.timestamp() * 1000)


class Arrival(NamedTuple):
    """A record that could be read and trusted."""

    raw: Consumed
    envelope: c.Envelope
    kind: str
    stream_id: UUID
    lane: int
    command: c.Command | c.RecordFact
    payload_sha256: bytes


class Poison(NamedTuple):
    """A record that cannot be processed; `lane` orders its refusal among its stream's facts, `said` is its event id."""

    raw: Consumed
    tenant: str
    event_id: UUID
    lane: int
    reason: str
    detail: str
    said: str = ""


def read(raw: Consumed, opener: Opener | None = None) -> Arrival | Poison:
    """The arrival a record holds, or why it is poison; never raises for anything a sender can write.

    `opener`: the keys for what was sealed on its way; without one only plain records can be read.
    """
    sender = topics.sender_of(raw.topic)
    fields: Fields = {}
    try:
        schema, fields = decode(raw.value)
        if schema not in _schemas_of(raw.topic):
            raise Wrong(Bad.WRONG_TOPIC, f"{schema} does not belong in {raw.topic}")
        if any("\x00" in text for text in fields.values() if type(text) is str):
            raise Wrong(Bad.INVALID, "a text field holds a NUL; remove it")
        if sender is not None and fields["organization"] != sender:
            raise Wrong(Bad.TENANT_MISMATCH, f"the record says another organization than {sender}")
        if sealed := fields.get("sealed"):
            fields["sealed"] = plain(sealed, fields, opener, sender)
        return _arrival(raw, schema, fields)
    except (CodecError, Wrong) as error:
        return poison(raw, error.reason, str(error), fields)
    except check.Invalid as error:
        return poison(raw, Bad.INVALID, str(error)[:2000], fields)
    except (ValueError, OverflowError, RecursionError, msgspec.DecodeError) as error:
        why = f"a field cannot be read ({type(error).__name__}); correct it"
        return poison(raw, Bad.INVALID, why, fields)


def poison(
    raw: Consumed, reason: str, detail: str, fields: Mapping[str, Any] = MappingProxyType({})
) -> Poison:
    """The refusal of a record, named by its place in the log, to its sender by the event id in its `fields`."""
    event, said = ids.origin_id(raw.topic, raw.partition, raw.offset), str(fields.get("event_id", ""))
    known = said if UUID_TEXT.fullmatch(said) else ""
    tenant = topics.sender_of(raw.topic) or EXCHANGE
    return Poison(raw, tenant, event, ids.lane(event), reason, detail, known)


def _arrival(raw: Consumed, schema: str, fields: Fields) -> Arrival:
    command, kind, stream_id = _READERS[schema](raw, fields)
    organization = fields.get("organization", EXCHANGE)
    if not organization:
        raise Wrong(Bad.TENANT_MISMATCH, "the envelope names no organization")
    envelope = c.Envelope(
        event_id=UUID(fields["event_id"]),
        organization=organization,
        user=fields.get("user") or None,
        on_behalf_of=fields.get("on_behalf_of") or None,
        channel=Channel(fields.get("channel", Channel.TIMER)),
        occurred_at=datetime.fromtimestamp(fields["occurred_at"] / 1000, UTC),
        at=appended_at(raw),
    )
    said = {k: v for k, v in fields.items() if k != "occurred_at"}
    body = sha256(schema.encode() + msgspec.msgpack.encode(said)).digest()
    return Arrival(raw, envelope, kind, stream_id, ids.lane(stream_id), command, body)


def _schemas_of(topic: str) -> list[str]:
    name = "intake.*" if topics.sender_of(topic) else topic
    declared = topics.declared().get(name)
    return declared.schemas if declared else []


def _own_id(fields: Fields) -> UUID:
    made = ids.referral_id(fields["organization"], fields["sender_referral_id"])
    if fields["referral_id"] != str(made):
        raise Wrong(Bad.ID_MISMATCH, "referral_id is not the one of this organization and sender_referral_id")
    return made


def _submit(raw: Consumed, fields: Fields) -> tuple[c.Command, str, UUID]:
    content = msgspec.json.decode(unseal(fields["sealed"]))
    submission = check.submission(content, appended_at(raw))
    if submission.sender_referral_id != fields["sender_referral_id"]:
        raise Wrong(Bad.ID_MISMATCH, "sender_referral_id differs from the one in the sealed submission")
    return c.Submit(submission, fields["sealed"]), "referral", _own_id(fields)


def _cancel(raw: Consumed, fields: Fields) -> tuple[c.Command, str, UUID]:
    return c.Cancel(fields["reason"], text_of(fields["sealed"])), "referral", _own_id(fields)


def _respond(raw: Consumed, fields: Fields) -> tuple[c.Command, str, UUID]:
    command = c.Respond(
        action=fields["action"],
        hop=fields["hop"] or None,
        reason=fields["reason"] or None,
        outcome_code=fields["outcome_code"] or None,
        outcome_need=fields["outcome_need"] or None,
        note=text_of(fields["sealed"]),
        version=fields["version"] or None,
        details=json_of(fields["details"]),
    )
    return command, "referral", UUID(fields["referral_id"])


def _assign(raw: Consumed, fields: Fields) -> tuple[c.Command, str, UUID]:
    command = c.Assign(fields["service"], fields["reason"] or None, fields["version"] or None)
    return command, "referral", UUID(fields["referral_id"])


def _offer(raw: Consumed, fields: Fields) -> tuple[c.Command, str, UUID]:
    first, *others = fields["services"].split() or [""]
    command = c.Assign(first, fields["reason"] or None, fields["version"] or None, tuple(others))
    return command, "referral", UUID(fields["referral_id"])


def _authorize(raw: Consumed, fields: Fields) -> tuple[c.Command, str, UUID]:
    details = json_of(fields["details"]) | ({"number": fields["number"]} if fields["number"] else {})
    return c.Authorize(fields["status"], details), "referral", UUID(fields["referral_id"])


def _delivered(raw: Consumed, fields: Fields) -> tuple[c.Command, str, UUID]:
    details = {k: fields[k] for k in ("service_event_id", "code", "date", "units")}
    command = c.Respond(action="record-service", hop=fields["hop"], details=details)
    return command, "referral", UUID(fields["referral_id"])


def _deadline(raw: Consumed, fields: Fields) -> tuple[c.Command, str, UUID]:
    return c.DeadlineDue(fields["kind"], fields["generation"]), "referral", UUID(fields["referral_id"])


def _consent_reached(raw: Consumed, fields: Fields) -> tuple[c.Command, str, UUID]:
    if fields["effect"] not in consenting.EFFECTS:
        raise Wrong(Bad.INVALID, f"effect is one of {', '.join(consenting.EFFECTS)}")
    command = c.ConsentReached(UUID(fields["consent_id"]), fields["effect"])
    return command, "referral", UUID(fields["referral_id"])


def _service(raw: Consumed, fields: Fields) -> tuple[c.RecordFact, str, UUID]:
    data = {"routing": json_of(fields["routing"]), "body": json_of(fields["body"])}
    stream_id = UUID(fields["service_id"])
    return c.RecordFact("service", stream_id, "service-changed", data), "service", stream_id


def _service_ended(raw: Consumed, fields: Fields) -> tuple[c.RecordFact, str, UUID]:
    data = {"source": fields["source"], "version": fields["version"]}
    stream_id = UUID(fields["service_id"])
    return c.RecordFact("service", stream_id, "service-ended", data), "service", stream_id


def _recorded(
    kind: str, type: str, id_field: str, keep: tuple[str, ...]
) -> Callable[[Consumed, Fields], tuple[c.RecordFact, str, UUID]]:
    def reader(raw: Consumed, fields: Fields) -> tuple[c.RecordFact, str, UUID]:
        data = {k: fields[k] for k in keep} | json_of(fields.get("body", b""))
        stream_id = UUID(fields[id_field])
        return c.RecordFact(kind, stream_id, type, data, fields.get("sealed", b"")), kind, stream_id

    return reader


_READERS: dict[str, Callable[[Consumed, Fields], tuple[c.Command | c.RecordFact, str, UUID]]] = {
    "referral_submitted.v1": _submit,
    "referral_amended.v1": _submit,
    "referral_cancelled.v1": _cancel,
    "response_given.v1": _respond,
    "service_assigned.v1": _assign,
    "services_offered.v1": _offer,
    "authorization_decided.v1": _authorize,
    "services_delivered.v1": _delivered,
    "deadline_due.v1": _deadline,
    "service_changed.v1": _service,
    "service_ended.v1": _service_ended,
    "capacity_changed.v1": _recorded("capacity", "capacity-changed", "service_id", ()),
    "consent_changed.v1": consent_changed,
    "consent_reached.v1": _consent_reached,
    "screening_recorded.v1": screened,
    "coverage_spell.v1": lambda raw, fields: spell(fields),
    "coverage_changed.v1": lambda raw, fields: member(fields),
    "coverage_reached.v1": lambda raw, fields: reached(fields),
    "person_link_proposed.v1": link_proposed,
    "person_link_decided.v1": link_decided,
    "person_erasure_asked.v1": erasure_asked,
}
