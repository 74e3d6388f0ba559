"""What one batch made, as rows for the array statements of store.sql; column order is theirs. Pure.

Comes in: states, facts, outcomes. Goes out: tuples. Must never decide, nor touch the sealed bytes.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import structs

from infra.vault.travel import Opener
from referrals import ids
from referrals.clocks import deadlines, notice_due
from referrals.consenting import KIND as CONSENT
from referrals.consenting import recorded
from referrals.events import ReferralReceived
from referrals.state import Referral
from referrals.streams import Stream
from referrals.words import HELD
from stream_processors.decode import Arrival, Poison
from stream_processors.runs import appended_at
from stream_processors.work import Key, Work, Written


def json_text(value: Any) -> str:
    """JSON as text, which is how asyncpg takes jsonb."""
    return msgspec.json.encode(value).decode()


def state_json(r: Referral) -> str:
    """The state as it is stored: without the sealed parts, which have columns of their own."""
    return json_text(structs.replace(r, sealed=b"", outcome_sealed=b""))


def _recipients(r: Referral) -> str:
    return ",".join(dict.fromkeys(h.organization for h in r.hops))


def _decision(found: bytes | None) -> str | None:
    return found.decode() if found else None


def referral_row(r: Referral, decision: bytes | None, reviewed: bool) -> tuple[Any, ...]:
    """A new row of `referral`, with its newest routing decision and whether a hub was ever asked."""
    return (
        *(r.id, r.sender, _recipients(r), r.payer, r.hub, r.sender_referral_id, r.person_key, str(r.status)),
        *(r.version, r.domain, r.priority, r.contract, reviewed, state_json(r), r.sealed),
        *(r.outcome_sealed, _decision(decision), r.requested_at, r.created_at, r.updated_at, r.accepted_at),
        r.closed_at,
    )


def changed_row(r: Referral, work: Work) -> tuple[Any, ...]:
    """What changes in a row of `referral`, with the version that was loaded; sealed bytes only when they are others."""
    before = work.loaded.referrals[r.id]
    sealed = None if r.sealed is before.sealed else r.sealed
    outcome_sealed = None if r.outcome_sealed is before.outcome_sealed else r.outcome_sealed
    return (
        *(r.id, before.version, _recipients(r), r.payer, str(r.status), r.version),
        *(r.domain, r.priority, r.contract, r.id in work.reviewed, state_json(r), sealed, outcome_sealed),
        *(_decision(work.decisions.get(r.id)), r.updated_at, r.accepted_at, r.closed_at, r.person_key),
    )


def hop_rows(r: Referral, before: Referral | None) -> list[tuple[Any, ...]]:
    """The rows of `hop` that are new or changed; those held come last, because only one may be at any instant."""
    known = before.hops if before and before.payer == r.payer else ()
    return [
        (
            *(r.id, h.hop, h.number, r.sender, h.organization, r.payer, h.service, str(h.status), h.reason),
            *(h.requested_at, h.due_at, h.answered_at, h.offer),
        )
        for h in sorted(r.hops, key=lambda h: h.status in HELD)
        if h not in known
    ]


def deadline_rows(r: Referral) -> list[tuple[Any, ...]]:
    """The rows of `deadline`: everything of the referral that is still to come due."""
    return [(r.id, d.name, d.generation, d.due_at, ids.lane(r.id)) for d in deadlines(r)]


def match_rows(event: ReferralReceived) -> list[tuple[Any, ...]]:
    """The rows of `person_match`: the keys that a fact carries, never made anew."""
    return [(key, event.person_key, event.sender) for key in event.match_keys]


def stream_row(key: Key, stream: Stream, at: datetime) -> tuple[Any, ...]:
    """One row of `stream`: its newest fact, recorded at `at`."""
    return (*key, stream.tenant, stream.version, stream.type, json_text(stream.data), stream.sealed, at)


def service_row(id: UUID, stream: Stream, at: datetime) -> tuple[Any, ...]:
    """One row of `service`: as routing sees it and as its source describes it."""
    routing, body = stream.data["routing"], stream.data["body"]
    return (id, routing["organization"], stream.version, json_text(routing), json_text(body), at)


def consent_rows(kind: str, id: UUID, stream: Stream) -> list[tuple[Any, ...]]:
    """The row of `person_consent`, of a consent's stream: what routing and disclosing read of it."""
    found = recorded(stream.data) if kind == CONSENT else None
    return [(id, found.person_key, stream.tenant, json_text(found.known))] if found else []


def history_row(w: Written) -> tuple[Any, ...]:
    """One row of `history`."""
    e = w.envelope
    return (
        *(w.lane, w.lane_seq, w.kind, w.stream_id, w.version, w.type, e.event_id, e.occurred_at, e.at),
        *(e.organization, e.user, e.on_behalf_of, str(e.channel), w.tenant, w.sender, ",".join(w.recipients)),
        *(w.payer, w.status, w.data, w.sealed),
    )


def inbox_row(
    a: Arrival, outcome: str, reason: str | None, detail: str | None, version: int | None
) -> tuple[Any, ...]:
    """One row of `inbox`: the recorded outcome of an event id."""
    e, raw = a.envelope, a.raw
    place = (raw.topic, raw.partition, raw.offset)
    return (
        e.organization,
        e.event_id,
        a.payload_sha256,
        *place,
        a.kind,
        a.stream_id,
        outcome,
        reason,
        detail,
        version,
        e.at,
    )


def rejection_row(tenant: str, event_id: UUID, at: datetime, said: Mapping[str, Any]) -> tuple[Any, ...]:
    """One row of `rejected_command`, from what its fact says."""
    command = (said["stream_kind"], UUID(said["stream_id"]), said["command"])
    return (tenant, event_id, *command, said["reason"], said["detail"], at)


def dead_row(p: Poison, opener: Opener | None = None) -> tuple[Any, ...]:
    """One row of `dead_letter`; with an opener its record is sealed for the exchange alone."""
    raw = p.raw
    return (
        p.event_id,
        p.tenant,
        raw.topic,
        raw.partition,
        raw.offset,
        str(p.reason),
        p.detail,
        raw.key,
        opener.buried(raw.value, p.event_id) if opener else raw.value,
        appended_at(raw),
    )


def delivery_rows(work: Work, webhooks: frozenset[str]) -> list[tuple[Any, ...]]:
    """One row of `delivery` for every organization that wants to hear of a fact, with the time it is due by."""
    rows = []
    for w in work.history:
        for organization in sorted(webhooks & {w.sender or "", w.payer or "", *w.recipients}):
            id = ids.event_id(organization, "delivery", str(w.stream_id), str(w.version))
            fact = (w.stream_id, w.version, w.type, w.status, w.envelope.at)
            rows.append(
                (id, w.tenant, organization, *fact, notice_due(work.referrals[w.stream_id], w.envelope.at))
            )
    return rows
