"""What a batch must know about members of plans: their keys, made once, and the spells known under them.

Comes in: the records of a batch, an open transaction with its lanes locked. Goes out: Known for the decisions. What is
read stays true: whoever tells open referrals of a new spell (coverage.py) waits until this batch is saved.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

import msgspec

from infra.postgres import Connection, queries
from referrals import commands as c
from referrals.coverage import Event, Spells, member_key
from referrals.covering import MEMBER, SPELL, spells_of
from referrals.ids import lane
from referrals.state import Referral
from referrals.streams import Stream
from stream_processors.decode import Arrival, Poison

SQL = queries("stream_processors", "coverage.sql")


def member_keys(records: Iterable[Arrival | Poison], secret: bytes) -> dict[Event, UUID]:
    """The key of every event that names a member of a plan: a submission, or a plan's own spell."""
    found = {}
    for record in records:
        if isinstance(record, Arrival) and (member := _member(record)) is not None:
            found[record.envelope.organization, record.envelope.event_id] = member_key(*member, secret)
    return found


def _member(arrival: Arrival) -> tuple[str, str] | None:
    command = arrival.command
    if isinstance(command, c.Submit):
        coverage = command.submission.coverage
        named = (coverage.payer, coverage.member_id) if coverage else (None, None)
        return (named[0], named[1]) if named[0] and named[1] else None
    if isinstance(command, c.RecordFact) and command.kind == SPELL:
        return arrival.envelope.organization, str(command.data["member_id"])
    return None


async def load_members(
    connection: Connection,
    members: Iterable[UUID],
    referrals: Iterable[Referral],
) -> dict[tuple[str, UUID], Stream]:
    """The spells of every member that a decision of this batch may ask for."""
    wanted = list({*members, *(r.member for r in referrals if r.member is not None)})
    if not wanted:
        return {}
    await connection.execute(SQL["share_members"], sorted({lane(member) for member in wanted}))
    rows = await connection.fetch(SQL["members"], wanted)
    return {
        (MEMBER, r["id"]): Stream(r["tenant"], r["version"], r["type"], msgspec.json.decode(r["data"]))
        for r in rows
    }


def spells_in(streams: Mapping[tuple[str, UUID], Stream], member: UUID) -> Spells:
    """What is known of a member's coverage, the batch's own included; holds no Work, which would hold itself."""
    stream = streams.get((MEMBER, member))
    return spells_of(stream.data) if stream else {}
