"""The consents of a batch's people, under lock from before the decisions until the commit (architecture 8).

Comes in: arrivals and the referrals loaded for them. Goes out: the people's consent records, and the open referrals of
whose consent changes. Without the lock a revocation and a routing decision can miss each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

import msgspec

from infra.postgres import Connection, queries
from referrals import commands as c
from referrals import consenting, erasing, ids, words
from referrals.consent import Known, Records
from referrals.state import Referral
from stream_processors.decode import EXCHANGE, Arrival
from stream_processors.persons import linked

SQL = queries("stream_processors", "consents.sql")
Links = Mapping[UUID, frozenset[UUID]]
_RECORDS = msgspec.json.Decoder(dict[UUID, Known])


class Held(NamedTuple):
    """What the people of a batch agreed to, and the open referrals of those whose consent the batch changes."""

    consents: Mapping[UUID, Records] = MappingProxyType({})
    open: tuple[Referral, ...] = ()
    links: Links = MappingProxyType({})


def people_of(arrivals: Iterable[Arrival], referrals: Mapping[UUID, Referral]) -> tuple[set[UUID], set[UUID]]:
    """The people the batch is about, and of those, whose consent it may change or whom it may erase."""
    people, changing = {r.person_key for r in referrals.values()}, set[UUID]()
    for arrival in arrivals:
        command = arrival.command
        if isinstance(command, c.Submit):
            person_id = command.submission.person.person_id
            people.add(ids.person_key(arrival.envelope.organization, person_id))
        elif isinstance(command, c.RecordFact) and command.kind in (consenting.KIND, erasing.KIND):
            changing.add(UUID(command.data["person_key"]))
    return people | changing, changing


async def hold(
    connection: Connection, arrivals: Sequence[Arrival], referrals: Mapping[UUID, Referral]
) -> Held:
    """Lock the people, ascending (all for update when a consent changes, so that batches cannot cross); then read."""
    people, changing = people_of(arrivals, referrals)
    if not people:
        return Held()
    links = await linked(connection, people)
    keys = list(people.union(*links.values()))  # the statements lock them in order
    await connection.execute(SQL["make_people"], keys)
    await connection.fetch(SQL["hold_people" if changing else "share_people"], keys)
    consents = {
        row["person_key"]: _RECORDS.decode(row["records"])
        for row in await connection.fetch(SQL["read_people"], keys)
    }
    if not changing:
        return Held(consents, links=links)
    theirs = list(changing.union(*(links.get(person, ()) for person in changing)))
    rows = await connection.fetch(SQL["open_referrals"], theirs, sorted(words.TERMINAL))
    return Held(consents, tuple(msgspec.json.decode(row["state"], type=Referral) for row in rows), links)


def reaches(
    held: Held,
    arrival: Arrival,
    before: consenting.Recorded | None,
    fact: c.RecordFact,
    mine: Iterable[Referral],
) -> list[tuple[UUID, bytes]]:
    """The commands that a recorded consent makes, a fact's id and data each; `mine`: what the batch itself holds."""
    now = consenting.recorded(fact.data)
    assert now is not None
    same = {now.person_key, *held.links.get(now.person_key, ())}
    known = {r.id: r for r in (*held.open, *mine) if r.person_key in same}
    open_ones = [r for r in known.values() if r.status not in words.TERMINAL]
    owner = fact.owner or arrival.envelope.organization
    found = consenting.effects(fact.stream_id, before, now, owner, open_ones)
    event = str(arrival.envelope.event_id)
    return [
        (
            ids.event_id(EXCHANGE, "consent", event, str(referral)),
            msgspec.json.encode(
                {"referral_id": str(referral), "consent_id": str(fact.stream_id), "effect": effect}
            ),
        )
        for referral, effect in found.items()
    ]
