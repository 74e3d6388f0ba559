"""The batches of a run once more, one after the other, each record once: on another database, simulated or real.

Comes in: an Outcome, a connection, a reader of records. Goes out: the rows that must be the same. What a batch saw as
advice only (loads, standings, likely duplicates) is given to it again; what it locked it reads for itself.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch
from uuid import UUID

import msgspec
from msgspec import structs

from infra.vault.cipher import NOTE, PLAIN, SUBMISSION, Erased
from infra.vault.vault import Keyring, row_of
from referrals import erasing
from referrals.duplicates import Earlier, People
from referrals.placing import World
from referrals.standing import Standings
from stream_processors import exchange, service_record, store
from stream_processors.capacity import settled
from stream_processors.decode import Arrival, Poison
from stream_processors.journal import Journal
from stream_processors.work import Loaded, Work
from stream_processors.writes import Writes
from tests.simulation import scene
from tests.simulation.database import Committed
from tests.simulation.database import Row as Columns
from tests.simulation.run import Outcome

NOBODY = UUID(int=0)
Records = Sequence[Arrival | Poison]
APART = frozenset({"changed_in", "barrier", "sent_at", "topic_id", "cluster_id", "stopped", "held"})
SAME = (
    *(
        "history",
        "inbox",
        "referral",
        "hop",
        "deadline",
        "stream",
        "service",
        "person_consent",
        "person_match",
    ),
    *("service_record", "service_capacity", "rejected_command", "dead_letter", "delivery", "lane"),
    *("directory_version", "directory_change"),
)
SUBMITTED = ("referral-received", "referral-amended")
JSON = frozenset({"state", "routing", "body", "decision", "record"})


class Seen(NamedTuple):
    """What a batch was given besides what it locked."""

    records: Records
    world: World
    loaded: Loaded


@contextmanager
def remembered() -> Iterator[None]:
    """While a run lasts, each transaction keeps what its batch saw."""

    async def keeping(connection: Any, loaded: Loaded, world: World, records: Records, *more: Any) -> Work:
        work = await settled(connection, loaded, world, records, *more)
        stands = Standings(world.standings.policy, dict(world.standings.records), dict(world.standings.taken))
        kept = world._replace(loads=dict(world.loads), standings=stands)
        connection.now.note = Seen(tuple(records), kept, loaded)
        return work

    with patch.object(exchange, "settled", keeping):
        yield


def batches(outcome: Outcome) -> Iterator[Seen]:
    """The batches in the order of their commits, each record once: whatever had an outcome already is left out."""
    done: set[tuple[str, UUID, bytes]] = set()
    for commit in outcome.database.commits:
        if isinstance(commit.note, Seen):
            yield commit.note._replace(records=[r for r in commit.note.records if not _again(r, done)])
            _remember(commit, done)


def _again(record: Arrival | Poison, done: set[tuple[str, UUID, bytes]]) -> bool:
    if isinstance(record, Poison):
        return False
    return (record.envelope.organization, record.envelope.event_id, record.payload_sha256) in done


def _remember(commit: Committed, done: set[tuple[str, UUID, bytes]]) -> None:
    done |= {(*key, row["payload_sha256"]) for key, row in commit.written.get("inbox", {}).items()}


async def apply(connection: Any, seen: Seen, records: Records) -> None:
    """One batch in one transaction, by the product's own load, decisions and save."""
    async with connection.transaction():
        lanes = await store.lock_lanes(connection, {r.lane for r in records})
        vault = scene.vault(Random(len(records)))
        loaded = await store.load(connection, lanes, records, scene.MATCH_SECRET, vault)
        people = _plain(seen.loaded)
        work = Work(loaded._replace(people=people, helps=seen.loaded.helps), seen.world)
        work.apply(records)
        await service_record.hold(connection, work.told.taken)
        async with Writes(connection) as writes:
            await store.save(connection, writes, Journal(writes), work, scene.WEBHOOKS)


def _plain(loaded: Loaded) -> People:
    """What the batch saw of earlier referrals, as whoever reads it in another database can open it."""

    def content(one: Earlier) -> bytes:
        try:
            return PLAIN + loaded.keys.open(one.sealed, SUBMISSION, one.referral)
        except Erased:
            return one.sealed

    earlier = loaded.people.earlier.items()
    return loaded.people._replace(earlier={id: structs.replace(e, sealed=content(e)) for id, e in earlier})


async def again(outcome: Outcome, connection: Any, read: Callable[[Records], Awaitable[Records]]) -> None:
    """Every batch; `read`: the records of a batch as they come from wherever they are kept."""
    for seen in batches(outcome):
        if seen.records:
            await apply(connection, seen, await read(seen.records))


def comparable(tables: Mapping[str, Iterable[Columns]]) -> dict[str, list[str]]:
    """Rows as text that does not depend on who keeps them."""
    kept = {row.person: row for row in map(row_of, tables["person_key"])}
    keys = Keyring(scene.vault(Random(0)), kept)
    return {name: sorted(_text(_opened(keys, row)) for row in tables[name]) for name in SAME}


def _opened(keys: Keyring, row: Columns) -> Columns:
    """Sealed parts as whoever has the keys reads them: they are never sealed twice alike."""
    kind = row.get("kind", "referral")
    id = row["stream_id"] if "stream_id" in row else row.get("id", NOBODY)
    found = {}
    for column in {"sealed", "outcome_sealed"} & row.keys():
        outcome = column == "outcome_sealed" or row.get("type", "referral-received") not in SUBMITTED
        part = (NOTE if outcome else SUBMISSION) if kind == "referral" else kind
        try:
            found[column] = keys.open(row[column], part, id)
        except Erased:
            found[column] = b"erased"
    if kind == erasing.KIND and "data" in row:  # which key it was differs, how many went does not
        said = msgspec.json.decode(row["data"])
        found["data"] = msgspec.json.encode(said | {"keys": len(said["keys"])})
    return {**row, **found}


def _text(row: Columns) -> str:
    return repr({key: _as_text(key, row[key]) for key in sorted(row) if key not in APART})


def _as_text(key: str, value: Any) -> Any:
    if key in JSON or (key == "data" and isinstance(value, str)):
        return None if value is None else repr(_sorted(msgspec.json.decode(value)))
    return [str(one) for one in value] if isinstance(value, list) else str(value)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value
