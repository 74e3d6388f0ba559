"""What a batch must know about its persons: keys made once, earlier referrals under them, confirmed links.

Comes in: the submissions of a batch, an open transaction. Goes out: People for the decisions; later in the same batch
a submission is found by the next. Sealed bytes are carried here, opened only by the rule that compares.
"""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import structs

from infra.postgres import Connection, queries
from infra.settings import Settings
from referrals import commands as c
from referrals import ids
from referrals.duplicates import Earlier, Event, People, earlier, longest_window
from referrals.matching import match_keys
from referrals.state import Referral
from stream_processors.decode import Arrival, Poison
from stream_processors.runs import appended_at

SQL = queries("stream_processors", "persons.sql")
Links = Mapping[UUID, frozenset[UUID]]


def match_secret(config: Settings) -> bytes:
    """The key of the match keys: REFEX_MATCH_KEY, else a file of the data directory, made on first use."""
    if config.match_key:
        return config.match_key.encode()
    path = config.data_path / "match.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with tempfile.NamedTemporaryFile(dir=path.parent) as made:  # 0600; whole before it has its name
            made.write(secrets.token_bytes(32))
            made.flush()
            with contextlib.suppress(FileExistsError):
                os.link(made.name, path)
    return path.read_bytes()


async def linked(connection: Connection, persons: Iterable[UUID]) -> dict[UUID, frozenset[UUID]]:
    """For each person key the others that the hub has confirmed to be the same person, through any number of links."""
    wanted = list(set(persons))
    rows = await connection.fetch(SQL["linked"], wanted) if wanted else []
    found: dict[UUID, set[UUID]] = {}
    for row in rows:
        found.setdefault(row["person"], set()).add(row["other"])
    return {person: frozenset(others - {person}) for person, others in found.items()}


async def load_people(
    connection: Connection,
    records: Sequence[Arrival | Poison],
    known: Mapping[UUID, Referral],
    links: Links,
    secret: bytes,
) -> People:
    """Keys for every submission; for those that begin a referral, earlier ones of the same need and person.

    `links`: what `linked` says of the people of these records.
    """
    keys: dict[Event, tuple[UUID, ...]] = {}
    begun: dict[Event, tuple[UUID, str]] = {}
    now: datetime | None = None
    for record in records:
        if not isinstance(record, Arrival) or not isinstance(record.command, c.Submit):
            continue
        submission, event = (
            record.command.submission,
            (record.envelope.organization, record.envelope.event_id),
        )
        keys[event] = match_keys(submission.person, secret)
        if record.stream_id not in known:
            person = ids.person_key(record.envelope.organization, submission.person.person_id)
            begun[event] = (person, submission.need.domain)
            at = appended_at(record.raw)
            now = at if now is None else min(now, at)
    if now is None:
        return People(keys)
    near, found = await _near(connection, keys, begun, links, now)
    return People(keys, near, found, links)


async def _near(
    connection: Connection,
    keys: Mapping[Event, tuple[UUID, ...]],
    begun: Mapping[Event, tuple[UUID, str]],
    links: Links,
    now: datetime,
) -> tuple[dict[UUID, set[UUID]], dict[UUID, Earlier]]:
    """Earlier referrals by the key they were found under: a few for each key, however many share it."""
    wanted = {
        (key, domain)
        for event, (person, domain) in begun.items()
        for key in (person, *links.get(person, ()), *keys[event])
    }
    names, domains = [key for key, _ in wanted], [domain for _, domain in wanted]
    rows = await connection.fetch(SQL["near"], names, domains, now - longest_window())
    near: dict[UUID, set[UUID]] = {}
    for row in rows:
        near.setdefault(row["key"], set()).add(row["id"])
    return near, {id: _earlier(row) for id, row in {row["id"]: row for row in rows}.items()}


def _earlier(row: asyncpg.Record) -> Earlier:
    state = msgspec.json.decode(row["state"], type=Referral)
    return earlier(structs.replace(state, sealed=row["sealed"]))
