"""A run with faults leaves the same books as its records once, in order, without any."""

from random import Random
from typing import Any

import structlog

from tests.simulation.again import again, comparable, remembered
from tests.simulation.database import Database
from tests.simulation.loop import VirtualLoop
from tests.simulation.processes import Process
from tests.simulation.run import Outcome, run
from tests.simulation.scene import fill
from tests.simulation.sessions import Session
from tests.simulation.statements import statements

SEEDS = 25


def once(outcome: Outcome) -> Database:
    """The books of the records once, in order, by one worker whom nothing befalls."""
    database, loop = Database(statements()), VirtualLoop()
    fill(database)

    async def as_they_are(records: Any) -> Any:
        return records

    calm = Process("calm", loop, Random(1))
    calm.random.random = lambda: 1.0  # type: ignore[method-assign]
    loop.run_until_complete(again(outcome, Session(database, calm), as_they_are))
    loop.close()
    return database


def test_faults_and_duplicates_change_nothing_in_the_books() -> None:
    with structlog.testing.capture_logs():
        for seed in range(SEEDS):
            with remembered():
                outcome = run(seed)
            faulty = comparable({name: rows.values() for name, rows in outcome.database.tables.items()})
            calm = comparable({name: rows.values() for name, rows in once(outcome).tables.items()})
            differing = [name for name in faulty if faulty[name] != calm[name]]
            assert not differing, f"seed {seed}: {differing}"
