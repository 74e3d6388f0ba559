"""Every record the doors write: from typed arguments to (topic, key, lane, Avro bytes, headers).

The one place that knows which schema goes to which topic. Must never decide anything about a referral.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from avro_schemas import codec, topics
from infra.vault.cipher import PLAIN as PLAIN
from infra.vault.travel import Session
from referrals import ids
from referrals.directory import Service
from referrals.submission import Submission

_SUBMISSION = msgspec.json.Decoder(Submission)


class Record(NamedTuple):
    """One record ready to be sent; its partition is lane mod the partition count."""

    topic: str
    key: bytes
    lane: int
    value: bytes
    event_id: UUID

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """The headers outsiders may rely on."""
        return [("event-id", str(self.event_id).encode())]


class Said(NamedTuple):
    """Who says it and when: the part of the envelope that every record carries; `session`: to seal what is personal."""

    event_id: UUID
    organization: str
    occurred_at: datetime
    user: str = ""
    on_behalf_of: str = ""
    channel: str = "kafka"
    session: Session | None = None

    def seal(self, content: bytes) -> bytes:
        """Content about a person as it travels: sealed to the exchange when there is a session, else plain."""
        if self.session is None or not content:
            return seal(content)
        return self.session.sealed(content, self.organization, str(self.event_id))

    def fields(self) -> dict[str, Any]:
        """The envelope's fields as every schema names them."""
        return {
            "event_id": str(self.event_id),
            "occurred_at": int(self.occurred_at.timestamp() * 1000),
            "organization": self.organization,
            "user": self.user,
            "on_behalf_of": self.on_behalf_of,
            "channel": self.channel,
        }


def seal(content: bytes) -> bytes:
    """Content about a person as it travels: one format byte (0 = plain), then the bytes."""
    return PLAIN + content if content else b""


def unseal(sealed: bytes) -> bytes:
    """The content of sealed bytes; raises ValueError for a format this version cannot open."""
    if sealed[:1] not in (b"", PLAIN):
        raise ValueError("sealed in a format this version cannot open; update it")
    return sealed[1:]


def submission_bytes(submission: Submission) -> bytes:
    """The canonical JSON of a submission: fields in declared order, absent ones left out."""
    return msgspec.json.encode(submission)


def open_submission(sealed: bytes) -> Submission:
    """The submission in sealed bytes; raises ValueError when it cannot be opened."""
    return _SUBMISSION.decode(unseal(sealed))


def open_plain(referral: UUID, sealed: bytes) -> Submission:
    """The submission of a referral as it travels; raises ValueError when it cannot be opened."""
    return open_submission(sealed)


def submitted(said: Said, submission: Submission, topic: str | None = None) -> Record:
    """A sender asks; the topic is the sender's own intake unless the API vouches."""
    referral = ids.referral_id(said.organization, submission.sender_referral_id)
    fields = {
        "referral_id": str(referral),
        "sender_referral_id": submission.sender_referral_id,
        "sealed": said.seal(submission_bytes(submission)),
    }
    return _record("referral_submitted.v1", said, topic or topics.intake(said.organization), referral, fields)


def cancelled(
    said: Said, sender_referral_id: str, reason: str, note: str = "", topic: str | None = None
) -> Record:
    """A sender takes a referral back; reason from cancel_reasons."""
    referral = ids.referral_id(said.organization, sender_referral_id)
    fields = {
        "referral_id": str(referral),
        "sender_referral_id": sender_referral_id,
        "reason": reason,
        "sealed": said.seal(note.encode()),
    }
    return _record("referral_cancelled.v1", said, topic or topics.intake(said.organization), referral, fields)


def responded(said: Said, referral: UUID, action: str, **fields: Any) -> Record:
    """A CBO answers: hop, reason, outcome_code, outcome_need, version, details (mapping), note."""
    note = str(fields.pop("note", None) or "")
    details: Mapping[str, Any] = fields.pop("details", None) or {}
    known = {k: v for k, v in fields.items() if v is not None}
    known |= {"action": action, "sealed": said.seal(note.encode()), "referral_id": str(referral)}
    known["details"] = msgspec.json.encode(details) if details else b""
    return _record("response_given.v1", said, topics.RESPONSE, referral, known)


def assigned(said: Said, referral: UUID, service: str, reason: str = "", version: int = 0) -> Record:
    """A navigator at the hub picks a service."""
    fields = {"referral_id": str(referral), "service": service, "reason": reason, "version": version}
    return _record("service_assigned.v1", said, topics.RESPONSE, referral, fields)


def offered(
    said: Said, referral: UUID, services: Sequence[str], reason: str = "", version: int = 0
) -> Record:
    """A navigator at the hub asks several services at once."""
    fields: dict[str, Any] = {"referral_id": str(referral), "services": " ".join(services)}
    fields |= {"reason": reason, "version": version}
    return _record("services_offered.v1", said, topics.RESPONSE, referral, fields)


def authorized(said: Said, referral: UUID, status: str, number: str, details: Mapping[str, Any]) -> Record:
    """A plan approves or denies."""
    fields = {"referral_id": str(referral), "status": status, "number": number}
    return _record(
        "authorization_decided.v1",
        said,
        topics.RESPONSE,
        referral,
        fields | {"details": msgspec.json.encode(details) if details else b""},
    )


def consent_changed(said: Said, consent: UUID, person: UUID, action: str, content: bytes) -> Record:
    """A consent is granted or revoked; content is the record's JSON."""
    fields = {"consent_id": str(consent), "person_key": str(person), "action": action}
    return _record(
        "consent_changed.v1", said, topics.CONSENT, person, fields | {"sealed": said.seal(content)}
    )


def screened(said: Said, screening: UUID, person: UUID, content: bytes, topic: str | None = None) -> Record:
    """A screening was made; content is its JSON."""
    fields = {"screening_id": str(screening), "person_key": str(person), "sealed": said.seal(content)}
    return _record(
        "screening_recorded.v1", said, topic or topics.intake(said.organization), screening, fields
    )


def link_proposed(said: Said, link: UUID, body: Mapping[str, Any]) -> Record:
    """Two senders' persons look like one; `said` names the hub that will review it."""
    fields = {"link_id": str(link), "body": msgspec.json.encode(body)}
    return _record("person_link_proposed.v1", said, topics.PERSON, link, fields)


def link_decided(said: Said, link: UUID, answer: str, reason: str = "") -> Record:
    """A navigator confirms or rejects a link."""
    fields = {"link_id": str(link), "answer": answer, "reason": reason}
    return _record("person_link_decided.v1", said, topics.PERSON, link, fields)


def erasure_asked(said: Said, person: UUID, reason: str) -> Record:
    """An organization has one of its persons erased."""
    fields = {"person_key": str(person), "reason": reason}
    return _record("person_erasure_asked.v1", said, topics.PERSON, person, fields)


def service_changed(said: Said, service: Service, body: Mapping[str, Any]) -> Record:
    """A directory service as its source describes it now."""
    fields = {
        "service_id": service.id,
        "routing": msgspec.json.encode(service),
        "body": msgspec.json.encode(body),
    }
    return _record("service_changed.v1", said, topics.DIRECTORY, UUID(service.id), fields)


def service_ended(said: Said, service: str, source: str, version: int) -> Record:
    """A source lists a service no more; `version` is the one it replaced."""
    fields = {"service_id": service, "source": source, "version": version}
    return _record("service_ended.v1", said, topics.DIRECTORY, UUID(service), fields)


def capacity_changed(said: Said, service: UUID, body: Mapping[str, Any]) -> Record:
    """A CBO says how much room a service has, or when it is closed."""
    fields = {"service_id": str(service), "body": msgspec.json.encode(body)}
    return _record("capacity_changed.v1", said, topics.DIRECTORY, service, fields)


def spell(
    said: Said, spell_id: UUID, person: UUID, member_id: str, first: date, last: date | None = None
) -> Record:
    """A plan covers a member from one day to another, both included; sent again under its id when that changes."""
    content = {"member_id": member_id, "from": first, "to": last}
    fields = {
        "spell_id": str(spell_id),
        "person_key": str(person),
        "sealed": said.seal(msgspec.json.encode(content)),
    }
    return _record("coverage_spell.v1", said, topics.intake(said.organization), person, fields)


def coverage_reached(event: UUID, at: datetime, referral: UUID) -> Record:
    """The coverage of a referral's member has changed, begins or is over."""
    fields = {
        "event_id": str(event),
        "occurred_at": int(at.timestamp() * 1000),
        "referral_id": str(referral),
    }
    value = codec.encode("coverage_reached.v1", fields)
    return Record(topics.TIMER, str(referral).encode(), ids.lane(referral), value, event)


def deadline_due(event: UUID, at: datetime, referral: UUID, kind: str, generation: int) -> Record:
    """A durable deadline came due."""
    fields = {
        "event_id": str(event),
        "occurred_at": int(at.timestamp() * 1000),
        "referral_id": str(referral),
        "kind": kind,
        "generation": generation,
    }
    value = codec.encode("deadline_due.v1", fields)
    return Record(topics.TIMER, str(referral).encode(), ids.lane(referral), value, event)


def _record(schema: str, said: Said, topic: str, stream: UUID, fields: Mapping[str, Any]) -> Record:
    value = codec.encode(schema, {**said.fields(), **fields})
    return Record(topic, str(stream).encode(), ids.lane(stream), value, said.event_id)
