"""Which topics a row of history goes to, and as what bytes. Pure but for the codec.

Comes in: one row of history (and its dead letter, if it is one). Goes out: (topic, key, value). Decides nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from avro_schemas import codec, topics
from referrals.cancelling import TOMBSTONE
from referrals.consenting import REACH
from referrals.covering import SPELL
from referrals.duplicates import told
from referrals.ids import event_id
from referrals.labels import notice

HEADER = "lane-seq"
OURS = frozenset({"referral-received", "referral-amended", "duplicate-suspected"})
OUTCOMES = frozenset({"hop-completed", "hop-failed", "hop-fell-through", "outcome-corrected"})
OUTCOME_FIELDS = frozenset({"outcome", "need", "outcome_before", "need_before", "reason"})


class Out(NamedTuple):
    """One record to publish, on partition lane mod count, with the header `lane-seq`."""

    topic: str
    key: bytes
    value: bytes


Row = Mapping[str, Any]


def outputs(row: Row, readers: frozenset[str], dead: Row | None, labels: Sequence[str] = ()) -> list[Out]:
    """Everything one fact is published as: to the log, to its sender's feedback, to the dead letters.

    `labels`: the sensitivity of the referral it is about; it goes with what its sender is told.
    """
    if row["kind"] == "referral":
        found = [_referral_event(row)]
        if row["sender"] in readers:
            found.append(_feedback(row["sender"], row, str(row["stream_id"]), {}, labels))
        return found
    found = [_exchange_event(row)]
    if row["kind"] == SPELL:
        found += _coverage_change(row)
    if row["kind"] == "refusal" and row["tenant"] in readers:
        refusal = msgspec.json.decode(row["data"], type=dict[str, Any])
        about = str(refusal.get("stream_id", "")) if refusal.get("stream_kind") == "referral" else ""
        found.append(_feedback(row["tenant"], row, about, refusal))
    if row["kind"] == TOMBSTONE and row["tenant"] in readers:  # version 0: the referral's own begin at 1
        data = msgspec.json.decode(row["data"], type=dict[str, Any])
        found.append(_feedback(row["tenant"], row, str(row["stream_id"]), {"reason": data["reason"]}))
    if row["kind"] == REACH:
        found.append(_consent_reached(row))
    if dead is not None:
        found.append(_dead_letter(row, dead))
    return found


def _ms(when: datetime) -> int:
    return int(when.timestamp() * 1000)


def _common(row: Row) -> dict[str, Any]:
    names = ("version", "lane", "lane_seq", "type", "actor_organization", "channel", "data", "sealed")
    return {name: row[name] for name in names} | {
        "event_id": str(row["event_id"]),
        "occurred_at": _ms(row["occurred_at"]),
        "at": _ms(row["at"]),
        "actor_user": row["actor_user"] or "",
    }


def _referral_event(row: Row) -> Out:
    fields = _common(row) | {
        "referral_id": str(row["stream_id"]),
        "status": row["status"],
        "sender": row["sender"],
        "recipients": list(row["recipients"]),
        "payer": row["payer"] or "",
        "on_behalf_of": row["on_behalf_of"] or "",
    }
    return Out(topics.REFERRAL_EVENT, _key(row), codec.encode("referral_fact.v1", fields))


def _exchange_event(row: Row) -> Out:
    fields = _common(row) | {"kind": row["kind"], "stream_id": str(row["stream_id"]), "tenant": row["tenant"]}
    return Out(topics.EXCHANGE_EVENT, _key(row), codec.encode("stream_fact.v1", fields))


def _feedback(
    organization: str, row: Row, referral: str, refusal: Mapping[str, Any], labels: Sequence[str] = ()
) -> Out:
    fields = {
        "event_id": str(refusal.get("event_id") or row["event_id"]),
        "occurred_at": _ms(row["occurred_at"]),
        "at": _ms(row["at"]),
        "type": row["type"],
        "referral_id": referral,
        "version": 0 if refusal else row["version"],
        "status": row["status"] or "",
        "data": labelled(_told(organization, row), labels),
    }
    fields |= {k: refusal[k] for k in ("reason", "detail", "topic", "partition", "offset") if k in refusal}
    key = referral.encode() or _key(row)
    return Out(topics.feedback(organization), key, codec.encode("feedback_given.v1", fields))


def labelled(data: bytes, labels: Sequence[str]) -> bytes:
    """A fact's data with the labels of its referral and the notice that goes with them."""
    if not labels:
        return data
    said = msgspec.json.decode(data, type=dict[str, Any]) | {"sensitivity": list(labels)}
    if beside := notice(labels):
        said["notice"] = beside
    return msgspec.json.encode(said)


def _released(row: Row) -> bytes:
    """A fact's data as its sender may read it: an outcome that was recorded as withheld is left out."""
    data: bytes = row["data"]
    if row["type"] not in OUTCOMES:
        return data
    said = msgspec.json.decode(data, type=dict[str, Any])
    if not said.get("withheld"):
        return data
    return msgspec.json.encode({k: v for k, v in said.items() if k not in OUTCOME_FIELDS})


def _consent_reached(row: Row) -> Out:
    """The command to one referral that a consent fact stands for; its id is the fact's stream, so twice is harmless."""
    data = msgspec.json.decode(row["data"], type=dict[str, str])
    fields = data | {"event_id": str(row["stream_id"]), "occurred_at": _ms(row["occurred_at"])}
    fields["on_behalf_of"] = row["actor_organization"]
    return Out(topics.TIMER, data["referral_id"].encode(), codec.encode("consent_reached.v1", fields))


def _coverage_change(row: Row) -> list[Out]:
    """A plan's spell, without what could tell about the person, under the member's key; none for a fact of old."""
    said = msgspec.json.decode(row["data"], type=dict[str, Any])
    if not said.get("member"):
        return []
    fields = {
        "event_id": str(event_id("exchange", SPELL, str(row["stream_id"]), str(row["version"]))),
        "occurred_at": _ms(row["occurred_at"]),
        "payer": row["tenant"],
        "spell_id": str(row["stream_id"]),
        "spell_version": row["version"],
        "member": said["member"],
        "from": said["from"],
        "to": said["to"] or "",
    }
    return [Out(topics.COVERAGE, said["member"].encode(), codec.encode("coverage_changed.v1", fields))]


def _told(organization: str, row: Row) -> bytes:
    """The fact's data without what is the exchange's own or about another sender's referral."""
    if row["type"] not in OURS:
        return _released(row)
    return msgspec.json.encode(told(msgspec.json.decode(row["data"]), organization))


def _dead_letter(row: Row, dead: Row) -> Out:
    names = ("tenant", "topic", "partition", "offset", "reason", "detail")
    fields = {name: dead[name] for name in names} | {
        "event_id": str(row["event_id"]),
        "occurred_at": _ms(row["occurred_at"]),
        "key": _fitting(dead["key"]),
        "value": _fitting(dead["value"]),
    }
    return Out(topics.DEAD_LETTER, _fitting(dead["key"]) or _key(row), codec.encode("dead_letter.v1", fields))


def _fitting(content: bytes | None) -> bytes:
    """What no topic would take stays in Postgres, where it is kept whole; the dead letter says why it was refused."""
    return content if content is not None and len(content) <= codec.MAX_BYTES else b""


def _key(row: Row) -> bytes:
    return str(row["stream_id"]).encode()
