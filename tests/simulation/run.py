"""One run: the exchange's own workers, relays and timers among simulated surroundings, until everything is at rest.

Comes in: a seed, or operations. Goes out: what became of it. `python -m tests.simulation 7` replays seed 7.
"""

import asyncio
import contextlib
import gc
import random as global_random
import re
from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch
from uuid import UUID

from aiokafka import TopicPartition

from infra.kafka import KafkaLogin
from infra.kafka_identity import Identity
from producers.envelope import Said, capacity_changed
from referrals import ids
from stream_processors import exchange, inbox, patience, progress, sealing, tail, timers, world
from stream_processors.inbox import Inbox
from stream_processors.poison import Limits
from stream_processors.relay import GROUPS, Relay
from stream_processors.timers import Timers
from tests.simulation import faults, scene
from tests.simulation import statements_audit as _4  # noqa: F401
from tests.simulation import statements_progress as _1  # noqa: F401
from tests.simulation import statements_store as _2  # noqa: F401
from tests.simulation import statements_vault as _5  # noqa: F401
from tests.simulation import statements_world as _3  # noqa: F401
from tests.simulation.database import Database
from tests.simulation.log import Consumer, Log, Producer
from tests.simulation.loop import START, Clock, VirtualLoop
from tests.simulation.processes import Process, Supervisor, current
from tests.simulation.sessions import Pool, Session
from tests.simulation.statements import statements
from tests.simulation.traffic import PEOPLE, Operation, Traffic, plan

OPERATIONS = 300
WORKERS = ("worker-1", "worker-2")
REST_S = 400.0
LOGIN = KafkaLogin(bootstrap="simulated")
NEVER = Limits(0, 0.0)


class Outcome(NamedTuple):
    """What a run leaves behind."""

    seed: int
    operations: Sequence[Operation]
    database: Database
    log: Log
    errors: list[str]
    deaths: int
    seconds: float


def run(seed: int, operations: Sequence[Operation] | None = None, count: int = OPERATIONS) -> Outcome:
    """Everything of one seed; the same every time."""
    loop = VirtualLoop()
    asyncio.set_event_loop(None)
    state = global_random.getstate()
    global_random.seed(seed)
    gc.disable()  # a run is short, and what it leaves is collected at once
    try:
        with _surroundings(loop) as (log, database):
            chosen = plan(seed, count) if operations is None else list(operations)
            return loop.run_until_complete(_run(loop, log, database, seed, chosen))
    finally:
        global_random.setstate(state)
        loop.close()
        gc.enable()


@contextlib.contextmanager
def _surroundings(loop: VirtualLoop) -> Iterator[tuple[Log, Database]]:
    """The product's doors to the outside lead to the simulated broker, database and clock."""
    log, database, clock = (
        Log(loop, scene.topic_names(), scene.PARTITIONS),
        Database(statements()),
        Clock(loop),
    )
    chains = Random("audit chains")
    scene.fill(database)

    async def connect(url: str, part: str, statement_s: float | None = None) -> Session:
        await current().point("connect", database=True)
        return Session(database, current())

    def identity(login: KafkaLogin, names: Any) -> Identity:
        return Identity("simulated", dict.fromkeys(names, "topic"))

    doors: tuple[tuple[Any, str, Any], ...] = (
        (inbox, "AIOKafkaConsumer", partial(Consumer, log)),
        (timers, "AIOKafkaConsumer", partial(Consumer, log)),
        (tail, "AIOKafkaConsumer", partial(Consumer, log)),
        (faults.relay, "AIOKafkaProducer", partial(Producer, log)),
        (faults.producer, "AIOKafkaProducer", partial(Producer, log)),
        (patience, "connect", connect),
        (progress, "identity", identity),
        (timers, "partition_counts", log.counts),
        (tail, "partition_counts", log.counts),
        (inbox, "time", clock),
        (world, "time", clock),
        (timers, "datetime", clock),
        (sealing, "datetime", clock),
        (sealing, "uuid4", lambda: UUID(int=chains.getrandbits(128))),
        (world, "places", scene.places),
        (exchange, "read", log.read),
    )
    with contextlib.ExitStack() as open_doors:
        for module, name, stand_in in doors:
            open_doors.enter_context(patch.object(module, name, stand_in))
        yield log, database


async def _run(
    loop: VirtualLoop, log: Log, database: Database, seed: int, operations: Sequence[Operation]
) -> Outcome:
    random = Random(f"run {seed}")
    programs = Supervisor(loop, random)
    for name in WORKERS:
        programs.run(name, partial(_worker, database, Random(f"keys {seed} {name}")))
    programs.run("relays", _relays)
    programs.run("timers", lambda process: Timers("simulated", LOGIN).run())
    ahead: list[str] = []
    log.on_commit.append(partial(_ahead, database, ahead))
    traffic = Traffic(seed, list(operations), log, database)
    nemesis = faults.Nemesis(seed, loop, log, programs)
    _opening(log)
    await asyncio.sleep(1.0)
    for operation in operations:
        await asyncio.sleep(random.expovariate(100.0))
        if operation.kind in PEOPLE:
            traffic.perform(operation)
        else:
            nemesis.perform(operation)
    nemesis.rest()
    errors = [] if await _at_rest(loop, log, database) else [f"not at rest after {REST_S:.0f} s"]
    await programs.stop()
    errors += programs.errors + ahead
    return Outcome(seed, operations, database, log, errors, programs.deaths.total(), loop.time())


def _ahead(database: Database, found: list[str], place: TopicPartition, offset: int) -> None:
    """L8: an offset that Kafka is told is never beyond the row."""
    row = database.tables["progress"].get((place.topic, place.partition))
    if row is None or offset > row["next_offset"]:
        found.append(f"L8 {place.topic}/{place.partition}: Kafka is told {offset}, the row is {row}")


async def _worker(database: Database, keys: Random, process: Process) -> None:
    connections: Any = Pool(database, process)
    step = exchange.Exchange(connections, scene.vault(keys), scene.MATCH_SECRET)
    await Inbox(LOGIN, connections, step, 0, limits=NEVER).run()


async def _relays(process: Process) -> None:
    await asyncio.gather(*(Relay("simulated", LOGIN, group).run() for group in range(GROUPS)))


def _opening(log: Log) -> None:
    """The directory, and how many places there are."""
    said = partial(Said, occurred_at=START)
    places = [
        capacity_changed(said(ids.event_id(cbo, "places"), cbo), scene.service_id(cbo), {"available": n})
        for cbo, n in scene.COUNTED.items()
    ]
    for record in (*scene.listing(), *places):
        log.append(record.topic, ids.partition(record.lane, log.partitions), record.key, record.value)


async def _at_rest(loop: VirtualLoop, log: Log, database: Database) -> bool:
    """Everything said is applied, everything recorded is published, nothing that came due is left; twice in a row."""
    until, calm = loop.time() + REST_S, 0
    while loop.time() < until:
        await asyncio.sleep(1.0)
        calm = calm + 1 if _still(loop, log, database) else 0
        if calm == 2:
            return True
    return False


def _still(loop: VirtualLoop, log: Log, database: Database) -> bool:
    rows = database.tables
    consumed = re.compile(inbox.PATTERN)
    for topic in filter(consumed.match, log.topics):
        for number in range(log.partitions):
            row = rows["progress"].get((topic, number))
            if (row["next_offset"] if row else 0) < _last(log, topic, number):
                return False
    now = loop.now()
    return all(
        rows["relay_position"][lane]["next_seq"] == row["seq"] + 1 for lane, row in rows["lane"].items()
    ) and not any(row["due_at"] <= now and row["sent_at"] is None for row in rows["deadline"].values())


def _last(log: Log, topic: str, number: int) -> int:
    """Behind the last offset, whether a record has it or none."""
    return len(log.topics[topic][number])
