"""Kills one process of a running exchange just when it has something in hand, and waits until it is back.

Comes in: a rig with traffic, a target by name. Goes out: a Kill, with how much was in flight. Must never kill what has
nothing to lose: that proves nothing.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import psutil  # type: ignore[import-untyped]

from tests.support.lag import applied, behind, ends
from tests.support.rig import Rig
from tests.support.running import until
from tests.support.traffic import AWAY, Traffic

IN_FLIGHT_S = 45.0
BACK_S = 60.0
SURELY_DEAD_S = 0.3  # a commit that was on its way when it died is done by then
RELAY_LOCK, TIMER_LOCK = 7236502, 7236503
HOLDER = """
select a.client_port from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and (l.classid = $1 or l.classid = 0 and l.objid = $1)
"""
UNPUBLISHED = (
    "select coalesce(sum(l.seq + 1 - r.next_seq), 0)::int from lane l join relay_position r using (lane)"
)
DUE = "select count(*)::int from deadline where due_at <= now() and sent_at is null"
UNDELIVERED = "select count(*)::int from delivery where delivered_at is null and failed_at is null"
Find = Callable[[], Awaitable[int]]


class Kill(NamedTuple):
    """What was killed, how, with how much in hand, and after how many seconds it ran again.

    `moved_s`, of a worker: after how long every partition had moved in which records waited for it.
    """

    target: str
    signal: str
    pid: int
    in_flight: int
    back_s: float
    moved_s: float | None = None


class Nemesis:
    """`await nemesis.kill("relay")`: of the worker, API, relay, timers, notify, kafka, postgres."""

    def __init__(self, rig: Rig, traffic: Traffic) -> None:
        self._rig = rig
        self._traffic = traffic
        self._targets: dict[str, tuple[Find, Find]] = {
            "worker": (self._worker, self._records),
            "relay": (lambda: self._holder(RELAY_LOCK), lambda: self._count(UNPUBLISHED)),
            "timers": (lambda: self._holder(TIMER_LOCK), lambda: self._count(DUE)),
            "notify": (lambda: self._pid("notify"), lambda: self._count(UNDELIVERED)),
            "api": (lambda: self._pid("api"), lambda: self._door("api")),
            "kafka": (lambda: self._pid("kafka"), lambda: self._door("kafka")),
            "postgres": (lambda: self._pid("postgres"), self._records),
        }

    async def kill(self, target: str, number: signal.Signals = signal.SIGKILL) -> Kill:
        """Wait until it has something in hand, kill it, wait until another runs."""
        find, in_flight = self._targets[target]
        found = await until(lambda: self._at_work(find, in_flight), IN_FLIGHT_S, 0.01)
        assert found is not None
        pid, count = found
        os.kill(pid, number)
        began = time.monotonic()
        before = {**self._processes()}

        async def another() -> bool:
            return pid not in self._processes().values()

        await until(another, BACK_S, 0.05)
        back_s = round(time.monotonic() - began, 2)
        assert before.keys() == self._processes().keys()
        moved_s = await self._moved(began) if target == "worker" else None
        made = Kill(target, number.name, pid, count, back_s, moved_s)
        self._rig.tell("killed", **made._asdict())
        return made

    async def _moved(self, began: float) -> float:
        """The seconds until every partition has moved that has unread records now and did not move since the kill."""
        await asyncio.sleep(max(0.0, began + SURELY_DEAD_S - time.monotonic()))
        stood = await applied(self._rig.exchange)
        last = await ends(self._rig.exchange)
        waits = [place for place, end in last.items() if stood.get(place, 0) < end]

        async def moved() -> bool:
            done = await applied(self._rig.exchange)
            return all(done.get(place, 0) > stood.get(place, 0) for place in waits)

        await until(moved, BACK_S, 0.05)
        return round(time.monotonic() - began, 2)

    async def _at_work(self, find: Find, in_flight: Find) -> tuple[int, int] | None:
        try:
            pid = await find()
            count = await in_flight() if pid else 0
        except AWAY:
            return None
        return (pid, count) if count else None

    def _processes(self) -> dict[str, int]:
        pids: dict[str, Any] = self._rig.exchange.pids
        workers = {f"worker-{n}": pid for n, pid in enumerate(pids["workers"])}
        return workers | {name: pid for name, pid in pids.items() if name != "workers"}

    async def _pid(self, name: str) -> int:
        return self._processes()[name]

    async def _worker(self) -> int:
        return int(self._rig.random.choice(self._rig.exchange.pids["workers"]))

    async def _records(self) -> int:
        return await behind(self._rig.exchange)

    async def _door(self, name: str) -> int:
        return self._traffic.on_the_way[name]

    async def _count(self, query: str) -> int:
        async with self._rig.exchange.database() as database:
            return int(await database.fetchval(query))

    async def _holder(self, lock: int) -> int:
        """The worker that holds an advisory lock, found by the port its session comes from; 0 while nobody does."""
        async with self._rig.exchange.database() as database:
            ports = {r["client_port"] for r in await database.fetch(HOLDER, lock)}
        for pid in self._rig.exchange.pids["workers"]:
            if ports & _ports(pid):
                return int(pid)
        return 0


def _ports(pid: int) -> set[int]:
    """The local ports of a process; none when it has just ended."""
    try:
        return {c.laddr.port for c in psutil.Process(pid).net_connections("tcp")}
    except psutil.Error:
        return set()
