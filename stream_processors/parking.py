"""Our own failures: a record that fails us is parked, and what comes later of its stream waits behind it, in order.

Comes in: a batch's records under their lane locks. Goes out: those that must wait, as rows beside the progress that
passes them. Cancels, consent and deadlines pass. Must never hold back another stream, nor cost anything when no record
waits: the lanes' own rows say so.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from infra.postgres import Connection, queries
from referrals import commands as c
from referrals import consenting, ids
from stream_processors.decode import Arrival, Poison
from stream_processors.runs import Consumed, appended_at
from stream_processors.store import Lane, columns

SQL = queries("stream_processors", "parking.sql")
Key = tuple[str, UUID]
PASS = (c.Cancel, c.ConsentReached, c.DeadlineDue)


class Parked(NamedTuple):
    """A record that waits: `error` is the type of what failed, None when it waits behind another of its stream."""

    arrival: Arrival
    error: str | None = None
    released_at: datetime | None = None

    @property
    def raw(self) -> Consumed:
        """The record as it was consumed."""
        return self.arrival.raw

    @property
    def lane(self) -> int:
        """Its stream's lane."""
        return self.arrival.lane


def passes(arrival: Arrival) -> bool:
    """Whether it is decided although records of its stream wait: what protects the person must not wait for us."""
    return isinstance(arrival.command, PASS) or arrival.kind == consenting.KIND


async def apart(
    connection: Connection, lanes: Mapping[int, Lane], records: Sequence[Arrival | Poison | Parked]
) -> tuple[list[Arrival | Poison], list[Parked]]:
    """What can be applied, and what waits: kept whole beside the progress that passes it."""
    waiting = [r for r in records if isinstance(r, Parked)]
    ready = [r for r in records if not isinstance(r, Parked)]
    if any(lane.parked for lane in lanes.values()):
        held = await _held(connection, [r for r in ready if isinstance(r, Arrival) and lanes[r.lane].parked])
        behind = [r for r in ready if isinstance(r, Arrival) and _key(r) in held and not passes(r)]
        waiting += [Parked(a, released_at=held[_key(a)]) for a in behind]
        ready = [r for r in ready if not (isinstance(r, Arrival) and _key(r) in held) or passes(r)]
    if waiting:
        await connection.execute(SQL["park"], *columns([_row(p) for p in waiting]))
        await count(connection, Counter(p.lane for p in waiting))
    return ready, waiting


async def _held(connection: Connection, arrivals: Sequence[Arrival]) -> dict[Key, datetime | None]:
    """The streams behind whose failures records wait, and since when the operator lets them go on."""
    rows = await connection.fetch(SQL["waiting"], *columns(sorted({_key(a) for a in arrivals}), 2))
    return {(r["kind"], r["stream_id"]): r["released_at"] for r in rows}


def _key(arrival: Arrival) -> Key:
    return arrival.kind, arrival.stream_id


async def count(connection: Connection, more: Mapping[int, int]) -> None:
    """So many more wait in each lane, or fewer."""
    await connection.execute(SQL["count_lanes"], list(more), list(more.values()))


def _row(p: Parked) -> tuple[object, ...]:
    a, raw = p.arrival, p.arrival.raw
    place = (raw.topic, raw.partition, raw.offset)
    who = (ids.origin_id(*place), a.lane, a.kind, a.stream_id, a.envelope.organization, a.envelope.event_id)
    return (*who, *place, raw.key, raw.value, appended_at(raw), p.error, p.released_at)
