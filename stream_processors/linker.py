"""Persons of two senders that look like one become proposals for the hub, on person.change.

Comes in: the queue `person_unlinked`, filled by batches when a person has a new match key. Goes out: proposals with
ids that repeat harmlessly. Never decides: the exchange records a pair once, and a navigator confirms or rejects it.
"""

import asyncio
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from infra import crash_points
from infra.kafka import KafkaLogin
from infra.postgres import queries
from infra.vault.vault import Vault
from producers.envelope import Record, Said, link_proposed
from producers.producer import RecordProducer
from referrals import linking
from referrals.ids import event_id
from referrals.matching import agreement
from referrals.submission import Person
from stream_processors.patience import IDLE_S, again_and_again, held
from stream_processors.personal import Opened
from stream_processors.store import columns

SQL = queries("stream_processors", "linker.sql")
AT_ONCE = 100


class Linker:
    """One process at a time (advisory lock) compares new persons with those of other senders."""

    def __init__(self, url: str, login: KafkaLogin, vault: Vault) -> None:
        self._url = url
        self._vault = vault
        self._login = login

    async def run(self) -> None:
        """For ever; after a failure let go of everything and begin anew."""
        await again_and_again("linker", self._session)

    async def _session(self) -> None:
        async with held(self._url, "worker", SQL["try_lock"]) as connection:
            if connection is None:
                return
            async with RecordProducer(self._login, "refex-linker") as producer:
                while True:
                    waiting = await connection.fetch(SQL["waiting"], AT_ONCE)
                    records = await proposals(connection, self._vault, [r["person_key"] for r in waiting])
                    if records:
                        await producer.send(records)
                        crash_points.here("linker.proposed")
                    await done(connection, waiting)
                    if len(waiting) < AT_ONCE:
                        await asyncio.sleep(IDLE_S)


async def proposals(connection: asyncpg.Connection, vault: Vault, persons: list[UUID]) -> list[Record]:
    """What to propose for these persons: the blocked pairs of two senders that agree, each once."""
    if not persons:
        return []
    crash_points.here("linker.waiting")
    pairs = await connection.fetch(SQL["pairs"], persons)
    wanted = sorted({id for pair in pairs for id in (pair["person_key"], pair["other"])})
    rows = await connection.fetch(SQL["newest"], wanted)
    opened = Opened(await vault.keyring(connection, wanted))
    known = {r["person_key"]: found for r in rows if (found := _known(r, opened)) is not None}
    now = datetime.now(UTC)
    made = (_proposal(known, pair["person_key"], pair["other"], now) for pair in pairs)
    return list({record.event_id: record for record in made if record is not None}.values())


async def done(connection: asyncpg.Connection, waiting: list[asyncpg.Record]) -> None:
    """Take the compared off the queue, but for those who have got another key meanwhile."""
    if waiting:
        rows = [(r["person_key"], r["since"]) for r in waiting]
        await connection.execute(SQL["compared"], *columns(rows))
        crash_points.here("linker.compared")


class _Known(NamedTuple):
    """A person as their newest referral has them; opened for this comparison and not kept."""

    sender: str
    hub: str
    person: Person


def _known(row: asyncpg.Record, opened: Opened) -> _Known | None:
    """None for who was erased, and for a record that was altered."""
    try:
        submission = opened(row["id"], row["sealed"])
    except ValueError:
        return None
    return _Known(row["sender"], row["hub"], submission.person) if submission is not None else None


def _proposal(known: dict[UUID, _Known], one: UUID, other: UUID, now: datetime) -> Record | None:
    if one not in known or other not in known:
        return None
    a, b = known[one], known[other]
    found = agreement(a.person, b.person)
    if found is None or not a.hub:
        return None
    link = linking.link_id(one, other)
    said = Said(event_id(a.hub, "person-link", str(link)), a.hub, now, channel="exchange")
    return link_proposed(said, link, linking.proposal((one, a.sender), (other, b.sender), found))
