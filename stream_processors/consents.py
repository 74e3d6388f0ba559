"""The consents of a batch's people, under lock from before the decisions until the commit (architecture 8).

Comes in: arrivals and the referrals loaded for them. Goes out: the people's consent records, and the open referrals of
whose consent changes. Without the lock a revocation and a routing decision can miss each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from infra.postgres import Connection, queries
from referrals import commands as c
from referrals import consenting, ids, words
from referrals.consent import Known, Records
from referrals.state import Referral
from stream_processors.decode import Arrival

SQL = queries("stream_processors", "consents.sql")
_RECORDS = msgspec.json.Decoder(dict[UUID, Known])


class Held(NamedTuple):
    """What the people of a batch agreed to, and the open referrals of those whose consent the batch changes."""

    consents: Mapping[UUID, Records] = {}
    open: tuple[Referral, ...] = ()


def people_of(arrivals: Iterable[Arrival], referrals: Mapping[UUID, Referral]) -> tuple[set[UUID], set[UUID]]:
    """The people the batch is about, and of those, whose consent it may change."""
    people, changing = {r.person_key for r in referrals.values()}, set[UUID]()
    for arrival in arrivals:
        command = arrival.command
        if isinstance(command, c.Submit):
            person_id = command.submission.person.person_id
            people.add(ids.person_key(arrival.envelope.organization, person_id))
        elif isinstance(command, c.RecordFact) and command.kind == consenting.KIND:
            changing.add(UUID(command.data["person_key"]))
    return people | changing, changing


async def hold(
    connection: Connection, arrivals: Sequence[Arrival], referrals: Mapping[UUID, Referral]
) -> Held:
    """Lock the people, ascending (all for update when a consent changes, so that batches cannot cross); then read."""
    people, changing = people_of(arrivals, referrals)
    if not people:
        return Held()
    keys = sorted(people)
    await connection.execute(SQL["make_people"], keys)
    await connection.fetch(SQL["hold_people" if changing else "share_people"], keys)
    consents = {
        row["person_key"]: _RECORDS.decode(row["records"])
        for row in await connection.fetch(SQL["read_people"], keys)
    }
    if not changing:
        return Held(consents)
    rows = await connection.fetch(SQL["open_referrals"], sorted(changing), sorted(words.TERMINAL))
    return Held(consents, tuple(msgspec.json.decode(row["state"], type=Referral) for row in rows))
