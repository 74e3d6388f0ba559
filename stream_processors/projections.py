"""Which tables are projections, and how each row is folded from history: the one list. The exchange and the rebuild
make rows by the same functions (rows.py) and write them by the same statements (store.sql).

Comes in: a folded stream. Goes out: its rows of every projection. A table that holds `tenant` and is neither here nor
in NOT_PROJECTIONS fails a test. Facts of several streams may feed one row only by a statement that adds up.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from infra.vault.cipher import named
from referrals.consenting import REACH
from referrals.events import Event, ReferralReceived
from stream_processors import rows, service_record
from stream_processors.fold import Folded
from stream_processors.store import DIRECTORY, SQL

Rows = list[tuple[Any, ...]]


class Projection(NamedTuple):
    """One table; `apart` are columns that say how work on a row goes, no fold of facts: neither made nor compared."""

    table: str
    rows: Callable[[Folded], Rows]
    sql: str
    apart: tuple[str, ...] = ()


def _referral(f: Folded) -> Rows:
    return [rows.referral_row(f.referral, f.decision, f.reviewed)] if f.referral else []


def _hops(f: Folded) -> Rows:
    return rows.hop_rows(f.referral, None) if f.referral else []


def _deadlines(f: Folded) -> Rows:
    return rows.deadline_rows(f.referral) if f.referral else []


def _match_keys(f: Folded) -> Rows:
    kinds = ("referral-received", "referral-amended")
    made = [fact for fact in f.facts if fact.type in kinds and not _erased(fact.sealed, f.erased)]
    found = [msgspec.json.decode(fact.data, type=Event) for fact in made]
    received = [event for event in found if isinstance(event, ReferralReceived)]
    return list(dict.fromkeys(row for event in received for row in rows.match_rows(event)))


def _erased(sealed: bytes, keys: frozenset[bytes]) -> bool:
    """Whether its person was erased after the fact: then they are found under its keys no more."""
    whose = named(sealed) if keys else None
    return whose is not None and whose[1] in keys


def _stream(f: Folded) -> Rows:
    if f.stream is None or f.newest.kind in ("refusal", REACH):
        return []
    return [rows.stream_row((f.newest.kind, f.newest.stream_id), f.stream, f.newest.at)]


def _consent(f: Folded) -> Rows:
    return rows.consent_rows(f.newest.kind, f.newest.stream_id, f.stream) if f.stream else []


def _service(f: Folded) -> Rows:
    if f.stream is None or f.newest.kind != "service":
        return []
    return [rows.service_row(f.newest.stream_id, f.stream, f.newest.at)]


def _directory(f: Folded) -> Rows:
    return [(len(f.facts),)] if f.newest.kind in DIRECTORY else []


def _rejected(f: Folded) -> Rows:
    refused = [fact for fact in f.facts if fact.type == "command-rejected"]
    return [
        rows.rejection_row(fact.tenant, fact.event_id, fact.at, msgspec.json.decode(fact.data))
        for fact in refused
    ]


def _service_record(f: Folded) -> Rows:
    return service_record.record_rows(f.told)


def _service_capacity(f: Folded) -> Rows:
    return service_record.capacity_rows(f.told)


PROJECTIONS: tuple[Projection, ...] = (
    Projection("referral", _referral, SQL["insert_referrals"]),
    Projection("hop", _hops, SQL["save_hops"]),
    Projection("deadline", _deadlines, SQL["save_deadlines"], apart=("barrier", "sent_at")),
    Projection("person_match", _match_keys, SQL["save_match_keys"]),
    Projection("stream", _stream, SQL["save_streams"]),
    Projection("person_consent", _consent, SQL["save_consents"]),
    Projection("service", _service, SQL["save_services"]),
    Projection("directory_version", _directory, SQL["bump_directory"]),
    Projection("rejected_command", _rejected, SQL["insert_rejections"]),
    Projection("service_record", _service_record, service_record.SQL["add_records"], apart=("changed_in",)),
    Projection(
        "service_capacity", _service_capacity, service_record.SQL["add_capacity"], apart=("changed_in",)
    ),
)

# Why each other table is not one.
NOT_PROJECTIONS: dict[str, str] = {
    "history": "the log itself",
    "lane": "the log's end in each lane",
    "inbox": "the outcome of every event id, also of those without a fact",
    "dead_letter": "a record that could not be read, kept whole to be replayed",
    "parked": "records that wait because we failed, kept whole until they are applied",
    "rebuilding": "that the projections are being made anew",
    "progress": "where each partition stands",
    "person_key": "the persons' keys, in no log: an erased one must not come back",
    "key_encryption_key": "which keys wrap the persons' keys",
    "intake_key": "the exchange's keys for what is on its way to it",
    "person_lock": "rows that batches lock people by, nothing in them",
    "progress_reset": "what operators gave up, and when",
    "relay_position": "how far history is published",
    "relay_end": "how far history is published",
    "directory_change": "where each worker's snapshot of the directory goes on reading",
    "person_unlinked": "a queue: whom to compare with the persons of other senders",
    "coverage_due": "a queue: whose referrals to tell of a changed coverage, and when it changes next",
    "delivery": "work to do: made for whoever wants webhooks when the fact is written",
    "organization": "participants, kept by the operator",
    "client": "participants, kept by the operator",
    "app_user": "participants, kept by the operator and by their own admins",
    "session": "the API's own",
    "last_log_in": "the API's own",
    "login_link": "the API's own",
    "login_flow": "the API's own",
    "identity_provider": "participants, kept by the operator",
    "webhook_secret": "participants, kept by the operator",
    "second_factor": "the API's own",
    "provider_account": "the API's own",
    "access_token": "the API's own",
    "assertion_used": "the API's own",
    "audit_chain": "where each chain of the audit ends",
    "audit_record": "the audit itself",
    "audit_disclosure": "the audit's index of who was shown whose data",
    "idempotency": "the API's own",
    "break_glass": "what operators opened: written by the API with its audit record, which says the same",
    "schema_migration": "which migrations ran",
}
