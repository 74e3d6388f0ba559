"""The exchange as a whole, with one worker and with two: how fast a backlog is applied, in what memory, by which CPU.

BENCH_BACKLOG (20,000) events in BENCH_ROUNDS (3) interleaved rounds, each on an exchange of its own; about a minute a
round. The workers are halted while the backlog is published. Result: build/bench/workers.json.
"""

import asyncio
import os
import signal
import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from producers.producer import RecordProducer
from tests.benchmarks import figures, memory
from tests.benchmarks.latency.running import APPLIED, caught_up, mixed, pids, publish
from tests.support.lag import behind
from tests.support.running import RunningExchange

BACKLOG = int(os.environ.get("BENCH_BACKLOG", "20000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
HALTED_S = 8.0  # a worker that is halted for longer than its session would be given up by the group
SEED, SPAN_S = 29, 10.0
GOAL = 1.7
pytestmark = [pytest.mark.real, pytest.mark.long]


async def drained(exchange: RunningExchange, target: int) -> float:
    """Seconds until so many are applied."""
    began = time.monotonic()
    async with exchange.database() as database:
        while await database.fetchval(APPLIED) < target:
            await asyncio.sleep(0.02)
    return time.monotonic() - began


async def one_round(folder: Path, workers: int, number: int) -> dict[str, Any]:
    """A fresh exchange, a backlog, and what it took."""
    runs = iter(range(SEED * 1000 + number * 10, SEED * 1000 + number * 10 + 10))
    async with RunningExchange(folder, workers=workers) as exchange:
        events = await mixed(exchange, int(BACKLOG / SPAN_S), SPAN_S, runs)
        await caught_up(exchange)
        async with exchange.database() as database:
            target = await database.fetchval(APPLIED) + len(events)
        working = exchange.pids["workers"]
        async with RecordProducer(exchange.kafka_login()) as producer:
            halt(working, signal.SIGSTOP)
            try:
                began = time.monotonic()
                await publish(producer, events)
                assert time.monotonic() - began < HALTED_S, (
                    "publishing took longer than a session; less BENCH_BACKLOG"
                )
            finally:
                halt(working, signal.SIGCONT)
        cpu = figures.Cpu(pids(exchange))
        async with memory.sampled({"worker": working[0]}) as used:
            seconds = await drained(exchange, target)
        spent = cpu.used()
        assert await behind(exchange) == 0
        assert exchange.pids["workers"] == working, "a worker was started anew meanwhile"
    rate = round(len(events) / seconds)
    mb = used["worker"].row(len(events))["most MB"]
    return {"workers": workers, "round": number, "events/s": rate, "most MB": mb, **spent}


def halt(processes: list[int], how: signal.Signals) -> None:
    for pid in processes:
        os.kill(pid, how)


async def test_two_workers_against_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    began, found = time.monotonic(), []
    for number in range(ROUNDS):
        for workers in (1, 2):
            folder = tmp_path_factory.mktemp(f"workers-{workers}-{number}")
            found.append(await one_round(folder, workers, number))
            print(figures.table([found[-1]]))
    ratios = [b["events/s"] / a["events/s"] for a, b in zip(found[::2], found[1::2], strict=True)]
    ratio = {"median": statistics.median(ratios), "from": min(ratios), "to": max(ratios)}
    rounded = {name: round(value, 2) for name, value in ratio.items()}
    print("two workers against one:", rounded)
    reached = "reached" if ratio["median"] >= GOAL else "not reached"
    goal = f"2 workers against 1: >= {GOAL} ({reached})"
    said = figures.environment(seed=SEED, backlog=BACKLOG, rounds=ROUNDS, goals=[goal])
    figures.keep("workers", found, said, ratio=rounded, took_s=round(time.monotonic() - began))
