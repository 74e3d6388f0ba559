"""The statements around one batch: lock and load before the decisions, save after them; all in one transaction.

Comes in: an open transaction. Goes out: what was loaded, then rows. A version that moved raises Overtaken.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from msgspec import structs

from infra import crash_points
from infra.postgres import Connection, affected, queries
from infra.vault.travel import Opener
from infra.vault.vault import SQL as KEYS
from infra.vault.vault import Vault
from referrals.commands import CoverageReached
from referrals.covering import MEMBER
from referrals.state import Referral
from referrals.streams import Stream
from stream_processors import consents, personal, rows, service_record
from stream_processors.decode import Arrival, Poison
from stream_processors.journal import Journal
from stream_processors.members import load_members, member_keys
from stream_processors.persons import load_people
from stream_processors.receiving import load_helps
from stream_processors.runs import Place
from stream_processors.work import Loaded, Work
from stream_processors.writes import Overtaken as Overtaken
from stream_processors.writes import Writes
from stream_processors.writes import columns as columns

SQL = queries("stream_processors", "store.sql")
DIRECTORY = ("service", "capacity")
"""Streams whose facts change the directory; together they make one service, under one id."""


class Lane(NamedTuple):
    """A lane under lock: its last fact, and how many records wait in it because we failed (parking.py)."""

    seq: int
    parked: int


class Rebuilding(RuntimeError):
    """The projections are being made anew: wait until they are whole."""


async def lock_progress(connection: Connection, places: Iterable[Place]) -> dict[Place, int]:
    """The next offset of each (topic, partition), locked, in one order for everyone."""
    topics, partitions = columns(sorted(places), 2)
    held = await connection.fetch(SQL["lock_progress"], topics, partitions)
    return {(r["topic"], r["partition"]): r["next_offset"] for r in held}


async def lock_lanes(connection: Connection, numbers: Iterable[int]) -> dict[int, Lane]:
    """The lanes, locked, ascending; raises Rebuilding while nobody may write."""
    rows = await connection.fetch(SQL["lock_lanes"], sorted(numbers))
    if any(r["rebuilding"] for r in rows):
        raise Rebuilding("the projections are being rebuilt; see `refex rebuild --replace`")
    crash_points.here("batch.lanes-locked")
    return {r["lane"]: Lane(r["seq"], r["parked"]) for r in rows}


async def load(
    connection: Connection,
    lanes: Mapping[int, Lane],
    records: Sequence[Arrival | Poison],
    match_secret: bytes,
    vault: Vault,
) -> Loaded:
    """With the lanes locked: lock the people, ascending; then, in statements of their own, read what it is about."""
    arrivals = [r for r in records if isinstance(r, Arrival)]
    keys = list({(a.envelope.organization, a.envelope.event_id) for a in arrivals})
    seen = await connection.fetch(SQL["seen"], *columns(keys, 2))
    wanted = list({a.stream_id for a in arrivals if a.kind == "referral"})
    referrals = await connection.fetch(SQL["load_referrals"], wanted)
    known = {r["id"]: _referral(r) for r in referrals}
    held = await consents.hold(connection, arrivals, known)
    others = list({(a.kind, a.stream_id) for a in arrivals if a.kind != "referral"})
    streams = await connection.fetch(SQL["load_streams"], *columns(others, 2)) if others else []
    members = member_keys(records, match_secret)
    looking = {a.stream_id for a in arrivals if isinstance(a.command, CoverageReached)}
    covered = await load_members(connection, members.values(), (known[id] for id in looking & known.keys()))
    people = await load_people(connection, records, known, held.links, match_secret)
    found = {(r["kind"], r["id"]): _stream(r) for r in streams}
    whose = personal.people(records, known.values(), people.earlier.values(), found.values())
    return Loaded(
        seen={(r["tenant"], r["event_id"]): r["payload_sha256"] for r in seen},
        referrals=known,
        streams=found | covered,
        lanes={number: lane.seq for number, lane in lanes.items()},
        keys=await vault.keyring(connection, whose),
        tombstones=await _tombstones(connection, set(wanted) - known.keys()),
        people=people,
        members=members,
        helps=await load_helps(connection, arrivals, known.values()),
        held=held,
    )


async def _tombstones(connection: Connection, unknown: set[UUID]) -> dict[UUID, str]:
    """What waits for the referrals of this batch that we have not heard of before."""
    rows = await connection.fetch(SQL["load_tombstones"], list(unknown)) if unknown else []
    return {r["id"]: r["reason"] for r in rows}


async def save(
    connection: Connection,
    writes: Writes,
    journal: Journal,
    work: Work,
    webhooks: frozenset[str],
    opener: Opener | None = None,
) -> None:
    """Everything the batch made, in array statements; of its journal what is not written yet.

    `opener`: seals what nobody could read, as long as its key lasts.
    """
    await _save_referrals(writes, work)
    await journal.note(work)
    crash_points.here("batch.half-saved")
    await _save_deadlines(connection, writes, work)
    await _save_streams(writes, work)
    rejected = [rows.rejection_row(e.organization, e.event_id, e.at, said) for e, said in work.rejections]
    await _many(writes, "insert_rejections", rejected)
    await _many(writes, "insert_dead_letters", [rows.dead_row(p, opener) for p in work.dead])
    if work.dead:
        crash_points.here("batch.buried")
    await _many(writes, "insert_deliveries", rows.delivery_rows(work, webhooks))
    await _save_keys(writes, work)
    await writes.done()
    await _save_persons(connection, work)
    pause_after = work.standings.policy.pause_after_expiries
    await service_record.save(connection, work.told, webhooks, work.world.hub, pause_after)
    await connection.execute(SQL["save_lanes"], list(work.lanes), list(work.lanes.values()))


async def save_progress(
    connection: Connection, before: Mapping[Place, int], after: Mapping[Place, int]
) -> None:
    """Move the offsets by compare-and-set; raises Overtaken."""
    moved = [(t, p, before[t, p], after[t, p]) for t, p in sorted(after) if after[t, p] != before[t, p]]
    if affected(await connection.execute(SQL["save_progress"], *columns(moved, 4))) != len(moved):
        raise Overtaken("a progress row moved while this batch held it")


async def _save_referrals(writes: Writes, work: Work) -> None:
    changed = [work.referrals[i] for i in work.changed]
    before = work.loaded.referrals
    new = [
        rows.referral_row(r, work.decisions.get(r.id), r.id in work.reviewed)
        for r in changed
        if r.id not in before
    ]
    await _many(writes, "insert_referrals", new)
    old = [rows.changed_row(r, work) for r in changed if r.id in before]
    if old:
        await writes.send(SQL["update_referrals"], columns(old), rows=len(old))
    await _many(writes, "save_hops", [row for r in changed for row in rows.hop_rows(r, before.get(r.id))])


async def _save_deadlines(connection: Connection, writes: Writes, work: Work) -> None:
    """What is still to come due, as it is now: rows of another generation go, the same one stays as it stands."""
    timed = [work.referrals[i] for i in dict.fromkeys((*work.changed, *work.timed))]
    due = {row[:3]: row for r in timed for row in rows.deadline_rows(r)}
    kept = set[tuple[UUID, str, int]]()
    if known := [r.id for r in timed if r.id in work.loaded.referrals]:
        await writes.done()
        kept = {(r[0], r[1], r[2]) for r in await connection.fetch(SQL["load_deadlines"], known)}
        await _many(writes, "clear_deadlines", [row[:2] for row in kept - due.keys()])
    await _many(writes, "save_deadlines", [row for key, row in due.items() if key not in kept])


async def _save_keys(writes: Writes, work: Work) -> None:
    """Who is erased is found no more; a key that another batch made meanwhile throws this one away."""
    if erased := list(work.keys.erased):
        await writes.send(KEYS["forget_keys"], [erased])
        await writes.send(SQL["forget_matches"], [erased])
        await writes.send(SQL["forget_unlinked"], [erased])
    if made := list(work.keys.made.values()):
        await writes.send(KEYS["keep_keys"], columns(sorted(made)), rows=len(made))


async def _save_persons(connection: Connection, work: Work) -> None:
    """Match keys that are new; their persons wait to be compared with those of other senders (linker.py)."""
    if work.matched:
        keys = [(*pair, sender) for pair, sender in work.matched.items()]
        new = await connection.fetch(SQL["save_match_keys"], *columns(keys))
        if waiting := sorted({(r["person_key"], r["tenant"]) for r in new}):
            await connection.execute(SQL["wait_for_linker"], *columns(waiting))


async def _save_streams(writes: Writes, work: Work) -> None:
    at = {key: envelope.at for key, envelope in work.recorded.items()}
    found = [rows.stream_row(key, work.streams[key], at[key]) for key in at]
    await _many(writes, "save_streams", found)
    services = [rows.service_row(key[1], work.streams[key], at[key]) for key in at if key[0] == "service"]
    await _many(writes, "save_services", services)
    consented = [row for key in at for row in rows.consent_rows(*key, work.streams[key])]
    await _many(writes, "save_consents", consented)
    await _many(writes, "wait_for_coverage", sorted((id,) for kind, id in at if kind == MEMBER))
    if changed := [w.stream_id for w in work.history if w.kind in DIRECTORY]:
        await _many(writes, "bump_directory", [(len(changed),)])
        await _many(writes, "note_changed", [(id,) for id in sorted(set(changed))])


async def _many(writes: Writes, query: str, found: Sequence[tuple[Any, ...]]) -> None:
    if found:
        await writes.send(SQL[query], columns(found))


def _referral(row: asyncpg.Record) -> Referral:
    state = msgspec.json.decode(row["state"], type=Referral)
    whole: Referral = structs.replace(state, sealed=row["sealed"], outcome_sealed=row["outcome_sealed"])
    return whole


def _stream(row: asyncpg.Record) -> Stream:
    data = msgspec.json.decode(row["data"])
    return Stream(row["tenant"], row["version"], row["type"], data, row["sealed"])
