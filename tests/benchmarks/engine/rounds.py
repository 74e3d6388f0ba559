"""Interleaved rounds: every contestant drains the same topic on the same broker and database, again and again.

Comes in: contestants, a task, rounds. Goes out: one Run each, checked by SQL against the manifest, with the CPU seconds
of everything that worked for it. Must never keep a figure whose tables are wrong.
"""

import asyncio
import contextlib
import os
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec
import psutil  # type: ignore[import-untyped]
from msgspec import structs

from infra.postgres import queries
from tests.benchmarks.engine.busy import Busy
from tests.benchmarks.engine.task import Task
from tests.benchmarks.engine.workload import PARTITIONS, Manifest

SQL = queries("tests.benchmarks.engine", "tables.sql")
HERE = "tests.benchmarks.engine"
LONGEST_S = 120.0
JOIN_S = 8.0
"""A process is up in two seconds, and the others hear of it with their next heartbeat, within three."""


class Contestant(NamedTuple):
    """A name, the program, and how many processes of it work together (told apart by BENCH_SLOT)."""

    name: str
    arguments: tuple[str, ...]
    processes: int = 1


class Run(NamedTuple):
    """What one drain took."""

    contestant: str
    round: int
    records_per_second: float
    cpu_seconds_per_million: float
    rss_mb: float
    busy: dict[str, float]
    """CPU seconds a million records while it drained, without its start: its own, Postgres', the broker's."""


def python(name: str, *arguments: str, binary: str = sys.executable) -> Contestant:
    """A contestant that is a module of this package."""
    module = re.split("[ ,]", name)[0]
    return Contestant(name, (binary, "-m", f"{HERE}.{module}", *arguments))


def java(name: str, jars: Path) -> Contestant:
    """A contestant that is a class of the Java project, built with its libraries beside it."""
    classes = os.pathsep.join((str(jars / "bench.jar"), str(jars / "lib" / "*")))
    return Contestant(
        f"java {name}",
        (
            "java",
            "-Xmx512m",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-cp",
            classes,
            f"bench.{name}",
        ),
    )


async def drain(
    who: Contestant, task: Task, manifest: Manifest, number: int, servers: Mapping[str, int]
) -> Run:
    """One contestant, one round; raises AssertionError when its tables are not as they must be.

    `servers`: the pids of Postgres and the broker, by name.
    """
    owner = await asyncpg.connect(task.dsn)
    try:
        await owner.execute(SQL["clear"])
        own = structs.replace(task, group=f"{task.group}-{re.sub('[ ,]+', '-', who.name)}-{number}")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | own.environment() | {"BENCH_DATADIR": folder}
            with Path(folder, "log").open("wb") as log:
                started = [
                    await asyncio.create_subprocess_exec(
                        *who.arguments, env=environment | {"BENCH_SLOT": str(slot)}, stdout=log, stderr=log
                    )
                    for slot in range(who.processes)
                ]
                try:
                    if who.processes > 1:
                        await _together(task.dsn)
                    rate, rss, busy = await _watched(owner, started, own, servers)
                except TimeoutError:
                    told = Path(folder, "log").read_text(encoding="utf-8")[-3000:]
                    raise AssertionError(f"{who.name} did not finish:\n{told}") from None
                finally:
                    await asyncio.gather(*map(end, started))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        await _verify(owner, who, manifest)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Run(who.name, number, rate, cpu * 1_000_000 / manifest.records, rss, busy)
    finally:
        await owner.close()


async def _together(dsn: str) -> None:
    """Hold everybody back until all have their share: who comes first is given every partition and would be done.

    Where to begin stands in `progress`, which nobody can read meanwhile.
    """
    gate = await asyncpg.connect(dsn)
    try:
        async with gate.transaction():
            await gate.execute("lock table progress")
            await asyncio.sleep(JOIN_S)
    finally:
        await gate.close()


async def _watched(
    owner: asyncpg.Connection,
    started: Sequence[asyncio.subprocess.Process],
    task: Task,
    servers: Mapping[str, int],
) -> tuple[float, float, dict[str, float]]:
    """Records per second from when every process is at work to the last; the highest RSS in MB; who was busy."""
    first: tuple[float, int] | None = None
    busy = Busy({f"process {n}": p.pid for n, p in enumerate(started)} | dict(servers))
    rss = 0.0
    async with asyncio.timeout(LONGEST_S):
        while True:
            done, moved = await owner.fetchrow(SQL["progress"], task.topic) or (0, 0)
            now = time.perf_counter()
            if first is None and moved >= (1 if len(started) == 1 else PARTITIONS):
                first = (now, done)
                busy.begin()
            busy.look()
            if done >= task.records and first is not None:
                records = done - first[1]
                return records / max(now - first[0], 1e-9), rss, busy.per_million(records)
            with contextlib.suppress(psutil.Error):
                rss = max(rss, *(psutil.Process(p.pid).memory_info().rss / 1e6 for p in started))
            if any(p.returncode not in (None, 0) for p in started):
                raise TimeoutError
            await asyncio.sleep(0.02)


async def end(process: asyncio.subprocess.Process) -> None:
    """Stop a contestant, and kill it if it will not."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _verify(owner: asyncpg.Connection, who: Contestant, manifest: Manifest) -> None:
    row = await owner.fetchrow(SQL["found"])
    assert row is not None
    totals = msgspec.json.decode(row["totals"] or "{}")
    found = (row["events"], row["dead"], totals, row["states"])
    wanted = (manifest.events, manifest.dead, manifest.totals, manifest.states)
    assert found == wanted, f"{who.name} wrote {found}, not {wanted}"
