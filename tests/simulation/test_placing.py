"""Where a partition goes on, while the worker that had it before is still writing."""

from random import Random
from typing import Any

from aiokafka import TopicPartition

from infra.kafka_identity import Identity
from stream_processors import progress
from stream_processors.progress import starting_offsets
from tests.simulation.database import Database
from tests.simulation.log import Consumer, Log
from tests.simulation.loop import VirtualLoop
from tests.simulation.processes import RUNNING, Process
from tests.simulation.run import LOGIN
from tests.simulation.sessions import Pool
from tests.simulation.statements import statements

PLACE = TopicPartition("intake.clinic-a", 0)
OTHERS_ROW = {"topic": PLACE.topic, "partition": 0, "topic_id": "topic", "cluster_id": "simulated"}


class Busy(Pool):
    """Between any two statements another worker applies one record more."""

    def __init__(self, database: Database, process: Process, log: Log) -> None:
        super().__init__(database, process)
        self._rows = database.tables["progress"]
        self._log = log

    async def execute(self, sql: str, *args: Any) -> str:
        done = await super().execute(sql, *args)
        self._log.append(PLACE.topic, 0, None, None)
        after = {"next_offset": self._log.end(PLACE), "stopped": None, "held": False}
        self._rows[PLACE.topic, 0] = OTHERS_ROW | after
        return done


def test_a_row_that_moves_while_it_is_judged_is_not_taken_for_lost_records(monkeypatch: Any) -> None:
    loop = VirtualLoop()
    monkeypatch.setattr(progress, "identity", lambda *_: Identity("simulated", {PLACE.topic: "topic"}))

    async def placed() -> Any:
        process = Process("worker", loop, Random(1))
        RUNNING.set(process)
        log = Log(loop, [PLACE.topic], 1)
        pool: Any = Busy(Database(statements()), process, log)
        consumer: Any = Consumer(log)
        return (await starting_offsets(consumer, LOGIN, pool, [PLACE]))[PLACE]

    assert loop.run_until_complete(placed()) == 1
    loop.close()
