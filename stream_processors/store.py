"""The statements around one batch: lock and load before the decisions, save after them; all in one transaction.

Comes in: an open transaction. Goes out: what was loaded, then rows. A version that moved raises Overtaken.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec
from msgspec import structs

from infra.postgres import Connection, affected, queries
from referrals import ids
from referrals.state import Referral
from stream_processors.decode import Arrival, Poison
from stream_processors.work import Loaded, Work

SQL = queries("stream_processors", "store.sql")
Place = tuple[str, int]


class Overtaken(RuntimeError):
    """Another process moved a row this batch had read: throw the batch away and read it again."""


async def lock_progress(connection: Connection, places: Iterable[Place]) -> dict[Place, int]:
    """The next offset of each (topic, partition), locked, in one order for everyone."""
    topics, partitions = columns(sorted(places), 2)
    rows = await connection.fetch(SQL["lock_progress"], topics, partitions)
    return {(r["topic"], r["partition"]): r["next_offset"] for r in rows}


async def load(connection: Connection, records: Sequence[Arrival | Poison]) -> Loaded:
    """Lock the lanes, ascending; then, in statements of their own, read what the records are about."""
    arrivals = [r for r in records if isinstance(r, Arrival)]
    lanes = await connection.fetch(SQL["lock_lanes"], sorted({r.lane for r in records}))
    keys = sorted({(a.envelope.organization, a.envelope.event_id) for a in arrivals})
    seen = await connection.fetch(SQL["seen"], *columns(keys, 2))
    wanted = sorted({a.stream_id for a in arrivals if a.kind == "referral"})
    referrals = await connection.fetch(SQL["load_referrals"], wanted)
    others = sorted({(a.kind, a.stream_id) for a in arrivals if a.kind != "referral"})
    streams = await connection.fetch(SQL["load_streams"], *columns(others, 2)) if others else []
    return Loaded(
        seen={(r["tenant"], r["event_id"]): r["payload_sha256"] for r in seen},
        referrals={r["id"]: _referral(r) for r in referrals},
        streams={(r["kind"], r["id"]): (r["version"], r["tenant"]) for r in streams},
        lanes={r["lane"]: r["seq"] for r in lanes},
    )


async def save(connection: Connection, work: Work, webhooks: frozenset[str]) -> None:
    """Everything the batch made, in array statements."""
    await _save_referrals(connection, work)
    await _save_streams(connection, work)
    history = [_history_row(w) for w in work.history]
    await _many(connection, "insert_history", history)
    await _many(connection, "insert_inbox", [_inbox_row(*i) for i in work.inbox])
    await _many(connection, "insert_rejections", [_rejection_row(*r) for r in work.rejections])
    await _many(connection, "insert_dead_letters", [_dead_row(p) for p in work.dead])
    await _many(connection, "insert_deliveries", _delivery_rows(work, webhooks))
    await connection.execute(SQL["save_lanes"], list(work.lanes), list(work.lanes.values()))


async def save_progress(
    connection: Connection, before: Mapping[Place, int], after: Mapping[Place, int]
) -> None:
    """Move the offsets by compare-and-set; raises Overtaken."""
    moved = [(t, p, before[t, p], after[t, p]) for t, p in sorted(after) if after[t, p] != before[t, p]]
    if affected(await connection.execute(SQL["save_progress"], *columns(moved, 4))) != len(moved):
        raise Overtaken("a progress row moved while this batch held it")


async def _save_referrals(connection: Connection, work: Work) -> None:
    changed = [work.referrals[i] for i in work.changed]
    new = [_referral_row(r, work) for r in changed if r.id not in work.loaded.referrals]
    old = [_changed_row(r, work) for r in changed if r.id in work.loaded.referrals]
    await _many(connection, "insert_referrals", new)
    if old and affected(await connection.execute(SQL["update_referrals"], *columns(old))) != len(old):
        raise Overtaken("a referral's version moved under its lane lock")
    await _many(connection, "save_hops", [row for r in changed for row in _hop_rows(r, work)])
    due = [_deadline_row(r) for r in changed if r.response_due is not None]
    idle = [r.id for r in changed if r.response_due is None and r.id in work.loaded.referrals]
    if idle:
        await connection.execute(SQL["clear_deadlines"], idle)
    await _many(connection, "save_deadlines", due)


async def _save_streams(connection: Connection, work: Work) -> None:
    rows = [
        (kind, id, who.organization, version, fact.type, _json(fact.data), fact.sealed, who.at)
        for (kind, id), (version, fact, who) in work.streams.items()
    ]
    await _many(connection, "save_streams", rows)
    services = [
        (
            id,
            fact.data["routing"]["organization"],
            version,
            _json(fact.data["routing"]),
            _json(fact.data["body"]),
            who.at,
        )
        for (kind, id), (version, fact, who) in work.streams.items()
        if kind == "service"
    ]
    await _many(connection, "save_services", services)
    if services:
        await connection.execute(SQL["bump_directory"], len(services))


async def _many(connection: Connection, query: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        await connection.execute(SQL[query], *columns(rows))


def columns(rows: Sequence[tuple[Any, ...]], width: int = 0) -> list[list[Any]]:
    """Rows turned into one array per column, as unnest wants them; `width` when there may be no row."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _referral(row: asyncpg.Record) -> Referral:
    state = msgspec.json.decode(row["state"], type=Referral)
    whole: Referral = structs.replace(state, sealed=row["sealed"], outcome_sealed=row["outcome_sealed"])
    return whole


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def state_json(r: Referral) -> str:
    """The state as it is stored: without the sealed parts, which have columns of their own."""
    return _json(structs.replace(r, sealed=b"", outcome_sealed=b""))


def _recipients(r: Referral) -> str:
    return ",".join(dict.fromkeys(h.organization for h in r.hops))


def _decision(r: Referral, work: Work) -> str | None:
    found = work.decisions.get(r.id)
    return found.decode() if found else None


def _referral_row(r: Referral, work: Work) -> tuple[Any, ...]:
    return (
        *(r.id, r.sender, _recipients(r), r.payer, r.hub, r.sender_referral_id, r.person_key, str(r.status)),
        *(r.version, r.domain, r.priority, r.contract, r.id in work.reviewed, state_json(r), r.sealed),
        *(r.outcome_sealed, _decision(r, work), r.requested_at, r.created_at, r.updated_at, r.accepted_at),
        r.closed_at,
    )


def _changed_row(r: Referral, work: Work) -> tuple[Any, ...]:
    return (
        *(r.id, work.loaded.referrals[r.id].version, _recipients(r), r.payer, str(r.status), r.version),
        *(r.domain, r.priority, r.contract, r.id in work.reviewed, state_json(r), r.sealed, r.outcome_sealed),
        *(_decision(r, work), r.updated_at, r.accepted_at, r.closed_at),
    )


def _hop_rows(r: Referral, work: Work) -> list[tuple[Any, ...]]:
    before = work.loaded.referrals.get(r.id)
    known = before.hops if before else ()
    return [
        (
            *(r.id, h.hop, h.number, r.sender, h.organization, r.payer, h.service, str(h.status), h.reason),
            *(h.requested_at, h.due_at, h.answered_at),
        )
        for h in r.hops
        if h not in known
    ]


def _deadline_row(r: Referral) -> tuple[Any, ...]:
    hop = r.response_due
    assert hop is not None
    return (r.id, "first-response", hop.number, hop.due_at, ids.lane(r.id))


def _history_row(w: Any) -> tuple[Any, ...]:
    e = w.envelope
    return (
        *(w.lane, w.lane_seq, w.kind, w.stream_id, w.version, w.type, e.event_id, e.occurred_at, e.at),
        *(e.organization, e.user, e.on_behalf_of, str(e.channel), w.tenant, w.sender, ",".join(w.recipients)),
        *(w.payer, w.status, w.data, w.sealed),
    )


def _inbox_row(
    a: Arrival, outcome: str, reason: str | None, detail: str | None, version: int | None
) -> tuple[Any, ...]:
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


def _rejection_row(a: Arrival, rejection: Any) -> tuple[Any, ...]:
    e, name = a.envelope, type(a.command).__name__
    return (
        e.organization,
        e.event_id,
        a.kind,
        a.stream_id,
        name,
        str(rejection.reason),
        rejection.detail,
        e.at,
    )


def _dead_row(p: Poison) -> tuple[Any, ...]:
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
        raw.value,
        raw.at,
    )


def _delivery_rows(work: Work, webhooks: frozenset[str]) -> list[tuple[Any, ...]]:
    rows = []
    for w in work.history:
        for organization in sorted(webhooks & {w.sender or "", w.payer or "", *w.recipients}):
            id = ids.event_id(organization, "delivery", str(w.stream_id), str(w.version))
            rows.append((id, w.tenant, organization, w.stream_id, w.version, w.type, w.status, w.envelope.at))
    return rows
