"""What a batch tells of services: changes to their records, and the places of numeric capacities it takes.

Comes in: each fact of a hop with the hop before and after it. Goes out: changes, seen at once by the decisions that
follow in the batch; then rows, added to what other workers add (service_record.sql). Must never decide.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from infra.postgres import Connection, affected, queries
from referrals import events as e
from referrals import ids
from referrals.directory import Directory
from referrals.service_record import NOTHING, Record, added, places_taken, silences, told_by, told_by_capacity
from referrals.standing import Owner, Places, Standings
from referrals.state import Referral

SQL = queries("stream_processors", "service_record.sql")


class Overdrawn(RuntimeError):
    """A place that this batch holds was taken all the same: throw the batch away and read it again."""


class Taken(NamedTuple):
    """The net change of one capacity's tally; `peak` the most a request brought it to, None without a request."""

    change: int
    peak: int | None
    available: int | None


class Told:
    """The changes so far: of a batch, whose decisions see them, or (alone) of a stream that is folded anew."""

    def __init__(self, standings: Standings | None = None, directory: Directory | None = None) -> None:
        self.records: dict[Owner, Record] = {}
        self.taken: dict[Places, Taken] = {}
        self._standings = standings
        self._directory = directory

    def fact(self, before: Referral | None, after: Referral, event: e.Event, at: datetime) -> None:
        """One fact of a referral; those that are not about a hop tell nothing."""
        hop = getattr(event, "hop", None)
        if hop is None or before is None:
            return
        was, now = before.hop(hop), after.hop(hop)
        if now is None:
            return
        if now.capacity_version is not None and (change := places_taken(was, now)):
            self._take((now.service, now.organization, now.capacity_version), change, was is None)
        if was is not None and (change_told := told_by(was, event, at)) is not None:
            self._tell((now.service, now.organization), change_told)

    def capacity(self, service: UUID, organization: str, data: Mapping[str, Any], at: datetime) -> None:
        """A capacity fact of a service's own CBO."""
        self._tell((str(service), organization), told_by_capacity(data, at))

    def _tell(self, owner: Owner, change: Record) -> None:
        self.records[owner] = added(self.records.get(owner, NOTHING), change)
        if self._standings is not None:
            self._standings.tell(owner, change)

    def _take(self, places: Places, change: int, requested: bool) -> None:
        before = self.taken.get(places, Taken(0, None, None))
        total, peak, available = before.change + change, before.peak, before.available
        if requested and self._directory is not None:
            peak = total if peak is None else max(peak, total)
            service = self._directory.services.get(places[0])
            available = service.capacity_available if service else None
        self.taken[places] = Taken(total, peak, available)
        if self._standings is not None:
            self._standings.take(places, change)


async def hold(connection: Connection, taken: Mapping[Places, Taken]) -> dict[Places, int]:
    """Lock the tallies a batch changes, in the order of their keys, and say how they stand; none: no statement."""
    if not taken:
        return {}
    columns = [list(column) for column in zip(*sorted(taken), strict=True)]
    await connection.execute(SQL["open_capacity"], *columns)
    return {_places(r): r["taken"] for r in await connection.fetch(SQL["hold_capacity"], *columns)}


async def save(
    connection: Connection, told: Told, webhooks: frozenset[str], hub: str, pause_after: int
) -> None:
    """Add the batch's changes; whoever's service has just fallen silent too often is told, and the hub."""
    if told.taken:
        rows = [(*places, *taken) for places, taken in sorted(told.taken.items())]
        columns = [list(column) for column in zip(*rows, strict=True)]
        if affected(await connection.execute(SQL["take_capacity"], *columns)) != len(rows):
            raise Overdrawn("a numeric capacity would be exceeded")
    if told.records:
        rows = record_rows(told)
        after = await connection.fetch(SQL["add_records"], *(list(c) for c in zip(*rows, strict=True)))
        notices = [n for row in after for n in _notices(row, told, webhooks, hub, pause_after)]
        if notices:
            await connection.execute(SQL["tell_of_pause"], *(list(c) for c in zip(*notices, strict=True)))


async def changed_records(connection: Connection, since: str) -> tuple[str, dict[Owner, Record]]:
    """The records that changed after a snapshot (`0`: all), and the snapshot to ask with next time."""
    rows = await connection.fetch(SQL["changed_records"], since)
    found = {(r["service"], r["tenant"]): _record(r) for r in rows if r["service"] is not None}
    return rows[0]["seen"], found


async def changed_capacity(connection: Connection, since: str) -> tuple[str, dict[Places, int]]:
    """The tallies that changed after a snapshot, and the snapshot to ask with next time."""
    rows = await connection.fetch(SQL["changed_capacity"], since)
    return rows[0]["seen"], {_places(r): r["taken"] for r in rows if r["service"] is not None}


def _places(row: asyncpg.Record) -> Places:
    return (row["service"], row["tenant"], row["version"])


def _record(row: asyncpg.Record) -> Record:
    found = {field: row[field] for field in Record.__struct_fields__}
    return Record(**found | {"expiries": tuple(row["expiries"])})


def record_rows(told: Told) -> list[tuple[Any, ...]]:
    """What to add to `service_record`, in the order of its keys."""
    return [_row(owner, record) for owner, record in sorted(told.records.items())]


def capacity_rows(told: Told) -> list[tuple[Any, ...]]:
    """What to add to `service_capacity`, in the order of its keys, where nobody has to be held back."""
    return [(*places, t.change) for places, t in sorted(told.taken.items())]


def _row(owner: Owner, r: Record) -> tuple[Any, ...]:
    expiries = ",".join(at.isoformat() for at in r.expiries) or None
    return (*owner, *(getattr(r, f) for f in Record.__struct_fields__ if f != "expiries"), expiries)


def _notices(
    row: asyncpg.Record, told: Told, webhooks: frozenset[str], hub: str, pause_after: int
) -> list[tuple[Any, ...]]:
    """Once per pause, which begins with the answer before it: to the CBO and the hub, as far as they have a webhook."""
    owner = (row["service"], row["tenant"])
    newest = told.records[owner].expiries
    now = Record(answered_at=row["answered_at"], expiries=tuple(row["expiries"]))
    if not newest or silences(now) < pause_after:
        return []
    since = str(now.answered_at)
    return [
        (ids.event_id(who, "paused", owner[0], since), owner[1], who, UUID(owner[0]), newest[0])
        for who in sorted({owner[1], hub} & webhooks)
    ]
