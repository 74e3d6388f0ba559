"""Simulated processes: each call to the outside is a point where another goes on, where one may die, or be paused.

Comes in: names of points. Goes out: delays, and the errors of planned faults. Nothing here knows what a process does.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from random import Random

from tests.simulation.loop import VirtualLoop

RUNNING: ContextVar["Process"] = ContextVar("RUNNING")
RESTART_S = 0.2


class Killed(BaseException):
    """kill -9: nothing of the process runs any more, no handler, no rollback of its own."""


class Process:
    """One incarnation of a program; what it opens belongs to it and dies with it."""

    def __init__(self, name: str, loop: VirtualLoop, random: Random) -> None:
        self.name = name
        self.loop = loop
        self.random = random
        self.alive = True
        self.points = 0
        self.dies_at: int | None = None
        self.paused_until = 0.0
        self.fails: list[Exception] = []
        self.loses_commits: list[bool] = []
        self.loses_sends: list[bool] = []
        self.at_death: list[Callable[[], None]] = []
        self.task: asyncio.Task[None] | None = None

    async def point(self, where: str, database: bool = False) -> None:
        """Called before every effect outside of the process; planned errors are the database's."""
        if not self.alive:
            raise Killed
        self.points += 1
        if self.dies_at is not None and self.points >= self.dies_at:
            self.die()
            raise Killed
        delay = self.random.random()
        if delay < 0.15:
            await asyncio.sleep(delay * (0.2 if delay < 0.01 else 0.02))
        while self.paused_until > self.loop.time():
            await asyncio.sleep(self.paused_until - self.loop.time())
        if not self.alive:
            raise Killed
        if database and self.fails:
            raise self.fails.pop()

    def die(self) -> None:
        """At this instant; what it had open is closed by the other side."""
        if not self.alive:
            return
        self.alive = False
        for close in self.at_death:
            close()
        if self.task is not None:
            self.task.cancel()


class Supervisor:
    """Starts programs, and starts them again when they died, until it is told to stop."""

    def __init__(self, loop: VirtualLoop, random: Random) -> None:
        self._loop = loop
        self._random = random
        self._programs: dict[str, Callable[[Process], Awaitable[None]]] = {}
        self.processes: dict[str, Process] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.deaths: Counter[str] = Counter()
        self.errors: list[str] = []
        self._stopping = False
        self._off: set[str] = set()

    def run(self, name: str, program: Callable[[Process], Awaitable[None]]) -> None:
        """Run a program for ever under a name."""
        self._programs[name] = program
        self._start(name)

    def add(self, name: str) -> None:
        """Start what was removed."""
        if name in self._off:
            self._off.remove(name)
            self._start(name)

    def remove(self, name: str) -> None:
        """End it for good: it is not started again until `add`."""
        self._off.add(name)
        self.processes[name].die()

    def _start(self, name: str) -> None:
        if self._stopping or name in self._off or (name in self.processes and self.processes[name].alive):
            return
        process = self.processes[name] = Process(name, self._loop, Random(self._random.getrandbits(64)))
        process.task = self._loop.create_task(self._run(process, self._programs[name]))
        self._tasks.append(process.task)

    async def _run(self, process: Process, program: Callable[[Process], Awaitable[None]]) -> None:
        RUNNING.set(process)
        try:
            await program(process)
        except (Killed, asyncio.CancelledError):
            pass
        except BaseException as error:
            self.errors.append(f"{process.name} ended: {error!r}")
        process.die()
        if not self._stopping:
            self.deaths[process.name] += 1
            self._loop.call_later(RESTART_S, self._start, process.name)

    async def stop(self) -> None:
        """End everything that runs."""
        self._stopping = True
        for process in self.processes.values():
            process.die()
        await asyncio.wait({*self._tasks, asyncio.create_task(_nothing())})


async def _nothing() -> None:
    return None


def current() -> Process:
    """The process that the running code belongs to."""
    return RUNNING.get()
