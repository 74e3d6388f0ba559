"""Bugs planted in the product while a run lasts, each with the words of the rule that must break.

Comes in: nothing. Goes out: a name, a way to plant it, words. Must leave nothing behind.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, NamedTuple, cast
from unittest.mock import patch

from aiokafka import TopicPartition

from stream_processors import consents, inbox, relay, rows, service_record, store, timers, work
from stream_processors.inbox import Inbox
from stream_processors.relay import Relay
from stream_processors.work import Work
from tests.simulation.traffic import WEIGHTS


class Planted(NamedTuple):
    """One bug; a rare one is looked for in runs where what it takes happens often."""

    name: str
    plant: Callable[[], contextlib.AbstractContextManager[Any]]
    breaks: str
    weights: Mapping[str, int] = WEIGHTS


def _without(sql: dict[str, str], name: str, *phrases: str) -> contextlib.AbstractContextManager[Any]:
    """A statement without some of its words."""
    text = sql[name]
    for phrase in phrases:
        assert phrase in text, f"{name} does not say `{phrase}`"
        text = text.replace(phrase, "")
    return patch.dict(sql, {name: text})


@contextlib.contextmanager
def _all(*plants: contextlib.AbstractContextManager[Any]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for plant in plants:
            stack.enter_context(plant)
        yield


def _inbox_without_organization() -> contextlib.AbstractContextManager[Any]:
    take = Work._take

    def forgetful(self: Work, arrival: Any) -> None:
        if any(event == arrival.envelope.event_id for _, event in self._seen):
            return
        take(self, arrival)

    return patch.object(Work, "_take", forgetful)


def _effects_dropped() -> contextlib.AbstractContextManager[Any]:
    """Now and then the offsets move and the effects do not."""
    save, random = store.save, Random(1)

    async def careless(*args: Any) -> None:
        if random.random() < 0.9:
            await save(*args)

    return patch.object(store, "save", careless)


def _moved_before_sent() -> contextlib.AbstractContextManager[Any]:
    step = Relay._step

    async def hasty(self: Relay, connection: Any, producer: Any, published: Any) -> bool:
        positions = await connection.fetch(relay.SQL["positions"], self._lanes)
        lanes, firsts = [r["lane"] for r in positions], [r["next_seq"] for r in positions]
        found = await connection.fetch(relay.SQL["pending"], lanes, firsts, relay.LANE_BYTES)
        if found:
            await self._move(connection, found, {})
            moved = patch.object(self, "_move", _nothing)
            with moved, patch.dict(relay.SQL, {"positions": relay.SQL["positions"]}):
                return await step(self, cast(Any, _Remembering(connection, positions)), producer, published)
        return False

    return patch.object(Relay, "_step", hasty)


async def _nothing(*_: Any) -> None:
    return None


class _Remembering:
    """A session that goes on seeing the positions as they were."""

    def __init__(self, connection: Any, positions: Any) -> None:
        self._connection = connection
        self._positions = positions

    async def fetch(self, sql: str, *args: Any) -> Any:
        return self._positions if sql == relay.SQL["positions"] else await self._connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: Any) -> Any:
        return await self._connection.fetchrow(sql, *args)


def _no_tail() -> contextlib.AbstractContextManager[Any]:
    async def nothing(*_: Any) -> frozenset[Any]:
        return frozenset()

    return patch.object(relay, "tail", nothing)


def _other_order() -> contextlib.AbstractContextManager[Any]:
    """Published in the order of the facts' ids."""
    send = relay._send
    held: list[Any] = []

    async def swapped(producer: Any, lane: int, lane_seq: int, out: Any) -> Any:
        if lane_seq % 2 and not held:
            held.append(None)
            return await send(producer, lane, lane_seq + 1, out)
        held.clear()
        return await send(producer, lane, lane_seq, out)

    return patch.object(relay, "_send", swapped)


def _stale_state() -> contextlib.AbstractContextManager[Any]:
    def stale(r: Any, done: Any) -> tuple[Any, ...]:
        row = list(changed(r, done))
        row[9 + 1] = rows.state_json(done.loaded.referrals[r.id])
        return tuple(row)

    changed = rows.changed_row
    return patch.object(rows, "changed_row", stale)


def _person_forgotten() -> contextlib.AbstractContextManager[Any]:
    def stale(r: Any, done: Any) -> tuple[Any, ...]:
        return (*changed(r, done)[:-1], done.loaded.referrals[r.id].person_key)

    changed = rows.changed_row
    return patch.object(rows, "changed_row", stale)


def _kafka_first() -> contextlib.AbstractContextManager[Any]:
    """The offset is committed in Kafka when a batch is fetched."""
    read = Inbox._read

    async def early(self: Any, batch: Any) -> Any:
        for run in batch:
            self._positions[TopicPartition(*run.place)] = run.offsets[-1] + 1
        return await read(self, batch)

    return _all(patch.object(Inbox, "_read", early), patch.object(inbox, "ADVISORY_COMMIT_S", 0.0))


def _number_twice() -> contextlib.AbstractContextManager[Any]:
    def skips(self: Work, lane: int) -> int:
        self.lanes[lane] += 2 if self.lanes[lane] == 5 else 1
        return self.lanes[lane]

    return patch.object(Work, "_next", skips)


def _revocation_forgotten() -> contextlib.AbstractContextManager[Any]:
    return patch.object(work, "reaches", lambda *_: [])


PLANTED = (
    Planted("lanes not locked", lambda: _without(store.SQL, "lock_lanes", "for update"), ""),
    Planted(
        "progress neither locked nor compared",
        lambda: _all(
            _without(store.SQL, "lock_progress", "for update of p"),
            _without(store.SQL, "save_progress", " and p.next_offset = new.loaded"),
            _without(store.SQL, "lock_lanes", "for update"),
        ),
        "",
    ),
    Planted("inbox key without the organization", _inbox_without_organization, "L1 lost"),
    Planted("offsets without effects", _effects_dropped, "L1 lost"),
    Planted("relay marks before it sends", _moved_before_sent, "history has"),
    Planted("relay does not read its tail", _no_tail, "out of order or twice"),
    Planted("relay mixes the order", _other_order, "out of order or twice"),
    Planted("state behind its facts", _stale_state, "L5"),
    Planted("Kafka's offset ahead", _kafka_first, "L8"),
    Planted("a lane number skipped", _number_twice, "L4"),
    Planted(
        "a person's consent not locked",
        lambda: _all(
            _without(consents.SQL, "hold_people", "for update"),
            _without(consents.SQL, "share_people", "for share"),
        ),
        "consent",
        {"submit": 40, "answer": 20, "consent": 40},
    ),
    Planted("a revocation reaches nobody", _revocation_forgotten, "still waits"),
    Planted(
        "capacity not held",
        lambda: _all(
            _without(service_record.SQL, "hold_capacity", "for update of c"),
            _without(service_record.SQL, "take_capacity", "c.taken + new.peak <= new.available"),
        ),
        "places and promised",
        {"submit": 40, "answer": 40, "room": 5},
    ),
    Planted(
        "an amended person not stored",
        _person_forgotten,
        "L5 referral",
    ),
    Planted(
        "deadlines do not wait for answers",
        lambda: _without(timers.SQL, "ready", "< b.value::bigint"),
        "beat an answer",
    ),
)
