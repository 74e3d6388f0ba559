"""Interleaved rounds of the step and the limit, each on a copy of the prepared database.

Comes in: a contestant's program, a task, what must be there afterwards. Goes out: one Run each. Must never keep a
figure whose tables are wrong.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import asyncpg
import psutil  # type: ignore[import-untyped]
from msgspec import structs

from cli.common import Exchange
from cli.ledger import evaluate
from cli.ledger_checks import broken
from infra.kafka import KafkaLogin
from infra.postgres import queries
from infra.settings import Settings
from tests.benchmarks.engine.busy import Busy
from tests.benchmarks.engine.rounds import LONGEST_S, Contestant, Run, end
from tests.benchmarks.engine.task import Task
from tests.benchmarks.step.prepare import Wanted, copied

SQL = queries("tests.benchmarks.step", "checks.sql")


class Drained(NamedTuple):
    """A run, and the rows that are there after it."""

    run: Run
    rows: dict[str, int]


async def drain(
    who: Contestant, task: Task, superuser: str, pids: Mapping[str, int], wanted: Wanted, number: int
) -> Drained:
    """One contestant, one round; raises AssertionError when its tables are not as they must be.

    In the first round the oracle of `refex ledger check` looks at them too, with its replay.
    """
    async with copied(superuser, task.dsn, "step_run") as dsn:
        owner = await asyncpg.connect(dsn)
        try:
            own = structs.replace(task, dsn=dsn)
            with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w+b") as log:
                process = await asyncio.create_subprocess_exec(
                    *who.arguments, env=os.environ | own.environment(), stdout=log, stderr=log
                )
                try:
                    run = await _watched(owner, process.pid, who, own, pids, number)
                except (TimeoutError, psutil.Error):
                    told = Path(folder, "log").read_text(encoding="utf-8")[-3000:]
                    raise AssertionError(f"{who.name} did not finish:\n{told}") from None
                finally:
                    await end(process)
            rows = await _verified(owner, who, wanted)
            if number == 0:
                await _balanced(dsn)
            return Drained(run, rows)
        finally:
            await owner.close()


async def _watched(
    owner: asyncpg.Connection, pid: int, who: Contestant, task: Task, pids: Mapping[str, int], number: int
) -> Run:
    """From the first progress to the last: the first batch, with which everything is loaded, is left out."""
    busy, rss = Busy({"process 0": pid, **pids}), 0.0
    began: tuple[float, int] | None = None
    async with asyncio.timeout(LONGEST_S):
        while True:
            done, now = await owner.fetchval(SQL["progress"]), time.perf_counter()
            rss = max(rss, psutil.Process(pid).memory_info().rss / 1e6)
            if done and began is None:
                began = (now, done)
                busy.begin()
            busy.look()
            if done >= task.records and began is not None:
                records = done - began[1]
                cpu = busy.per_million(records)
                return Run(who.name, number, records / (now - began[0]), cpu["process 0"], rss, cpu)
            await asyncio.sleep(0.02)


async def _verified(owner: asyncpg.Connection, who: Contestant, wanted: Wanted) -> dict[str, int]:
    found = await _one(owner, "found")
    must = {"inbox": wanted.inbox, "dead": wanted.dead, "idle": 0, "gaps": 0, "broken": 0, "hopless": 0}
    assert found == must, f"{who.name} wrote {found}, not {must}"
    return await _one(owner, "rows")


async def _one(owner: asyncpg.Connection, query: str) -> dict[str, int]:
    row = await owner.fetchrow(SQL[query])
    assert row is not None
    return dict(row)


async def _balanced(dsn: str) -> None:
    nowhere = KafkaLogin(bootstrap="")
    rules = await evaluate(Exchange(Settings(), dsn, nowhere, ""), ())
    assert not broken(rules.values()), rules
