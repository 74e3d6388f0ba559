"""Interleaved rounds: every contestant drains the same topic on the same broker and database, again and again.

Comes in: contestants, a task, rounds. Goes out: one Run each, checked by SQL against the manifest. Must never keep
a figure whose tables are wrong.
"""

import asyncio
import contextlib
import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec
import psutil  # type: ignore[import-untyped]
from msgspec import structs

from infra.postgres import queries
from tests.benchmarks.engine.task import Task
from tests.benchmarks.engine.workload import Manifest

SQL = queries("tests.benchmarks.engine", "tables.sql")
HERE = "tests.benchmarks.engine"
LONGEST_S = 120.0


class Contestant(NamedTuple):
    """A name, the program, and how many of the records it drains (the slow ones get fewer)."""

    name: str
    arguments: tuple[str, ...]


class Run(NamedTuple):
    """What one drain took."""

    contestant: str
    round: int
    records_per_second: float
    cpu_seconds_per_million: float
    rss_mb: float


def python(name: str, *arguments: str, binary: str = sys.executable) -> Contestant:
    """A contestant that is a module of this package."""
    module = name.split(" ", maxsplit=1)[0]
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


async def drain(who: Contestant, task: Task, manifest: Manifest, number: int) -> Run:
    """One contestant, one round; raises AssertionError when its tables are not as they must be."""
    owner = await asyncpg.connect(task.dsn)
    try:
        await owner.execute(SQL["clear"])
        own = structs.replace(task, group=f"{task.group}-{who.name.replace(' ', '-')}-{number}")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | own.environment() | {"BENCH_DATADIR": folder}
            with Path(folder, "log").open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    *who.arguments, env=environment, stdout=log, stderr=log
                )
                try:
                    rate, rss = await _watched(owner, process, own)
                except TimeoutError:
                    told = Path(folder, "log").read_text(encoding="utf-8")[-3000:]
                    raise AssertionError(f"{who.name} did not finish:\n{told}") from None
                finally:
                    await end(process)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        await _verify(owner, who, manifest)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Run(who.name, number, rate, cpu * 1_000_000 / manifest.records, rss)
    finally:
        await owner.close()


async def _watched(
    owner: asyncpg.Connection, process: asyncio.subprocess.Process, task: Task
) -> tuple[float, float]:
    """Records per second from the first progress seen to the last, and the highest RSS in MB."""
    started: tuple[float, int] | None = None
    rss = 0.0
    async with asyncio.timeout(LONGEST_S):
        while True:
            done = await owner.fetchval(SQL["progress"], task.topic)
            now = time.perf_counter()
            if done and started is None:
                started = (now, done)
            if done >= task.records and started is not None:
                return (done - started[1]) / max(now - started[0], 1e-9), rss
            with contextlib.suppress(psutil.Error):
                rss = max(rss, psutil.Process(process.pid).memory_info().rss / 1e6)
            if process.returncode not in (None, 0):
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
