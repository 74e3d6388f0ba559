"""What goes wrong in a run: deaths, pauses, aborts, lost answers, rebalances, holes, leaps of time.

Comes in: operations. Goes out: faults planned for a process's next points. Must never touch what is in the database.
"""

from datetime import timedelta
from random import Random

import asyncpg

from producers import producer as producer
from stream_processors import relay as relay
from tests.simulation.log import Log
from tests.simulation.loop import VirtualLoop
from tests.simulation.processes import Process, Supervisor
from tests.simulation.traffic import Operation

EXTRA = "worker-2"


class Nemesis:
    """Performs what goes wrong."""

    def __init__(self, seed: int, loop: VirtualLoop, log: Log, programs: Supervisor) -> None:
        self._seed = seed
        self._loop = loop
        self._log = log
        self._programs = programs
        self._random = Random()

    def perform(self, operation: Operation) -> None:
        """One fault."""
        self._random = Random(f"{self._seed} {operation.number}")
        getattr(self, f"_{operation.kind}")()

    def rest(self) -> None:
        """No more faults; everybody who was sent away is back."""
        self._programs.add(EXTRA)
        for process in self._programs.processes.values():
            process.dies_at, process.paused_until = None, min(process.paused_until, self._loop.time())
            process.fails, process.loses_commits, process.loses_sends = [], [], []

    def _one(self) -> Process:
        names = sorted(self._programs.processes)
        weights = [3 if name.startswith("worker") else 1 for name in names]
        return self._programs.processes[self._random.choices(names, weights)[0]]

    def _crash(self) -> None:
        process = self._one()
        process.dies_at = process.points + self._random.randint(1, 40)

    def _abort(self) -> None:
        errors = (
            asyncpg.DeadlockDetectedError("deadlock detected"),
            asyncpg.SerializationError("could not serialize access"),
            asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        )
        self._one().fails.append(self._random.choice(errors))

    def _unsure(self) -> None:
        process, applied = self._one(), self._random.random() < 0.6
        process.loses_commits.append(applied)
        if not process.name.startswith("worker"):
            process.loses_sends.append(applied)

    def _pause(self) -> None:
        process = self._one()
        process.paused_until = self._loop.time() + self._random.uniform(0.1, 2.0)

    def _rebalance(self) -> None:
        if self._log.members:
            self._log.members.append(self._log.members.pop(0))
        self._log.rebalance()

    def _scale(self) -> None:
        process = self._programs.processes[EXTRA]
        if process.alive:
            self._programs.remove(EXTRA)
        else:
            self._programs.add(EXTRA)

    def _hole(self) -> None:
        topic = self._random.choice(sorted(t for t in self._log.topics if t.startswith("intake.")))
        self._log.hole(topic, self._random.randrange(self._log.partitions))

    def _leap(self) -> None:
        self._loop.leap(timedelta(hours=self._random.choice((1, 3, 8, 24, 72))))
