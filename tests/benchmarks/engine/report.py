"""Runs into the rows of a report: medians, and ratios to the limit within the same round.

Comes in: runs of several rounds, the environment. Goes out: rows, kept in a file. Must never leave a round out.
"""

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from tests.benchmarks.engine.rounds import Run
from tests.benchmarks.figures import environment as environment
from tests.benchmarks.figures import keep
from tests.benchmarks.figures import table as table

BUSY = {"own": "process", "postgres": "postgres", "broker": "kafka"}


def ratios(runs: Iterable[Run], to: str) -> dict[str, tuple[float, float, float]]:
    """Per contestant: median, least and greatest ratio of its rate to `to`'s in the same round."""
    by_round: dict[int, dict[str, float]] = {}
    for run in runs:
        by_round.setdefault(run.round, {})[run.contestant] = run.records_per_second
    found: dict[str, list[float]] = {}
    for rates in by_round.values():
        for name, rate in rates.items():
            if to in rates:
                found.setdefault(name, []).append(rate / rates[to])
    return {n: (statistics.median(v), min(v), max(v)) for n, v in found.items()}


def rows(runs: list[Run], to: str) -> list[dict[str, Any]]:
    """One row per contestant, in the order they first ran."""
    against = ratios(runs, to)
    made = []
    for name in dict.fromkeys(r.contestant for r in runs):
        own = [r for r in runs if r.contestant == name]
        middle, least, most = against[name]
        made.append(
            {
                "contestant": name,
                "records_per_second": round(statistics.median(r.records_per_second for r in own)),
                f"ratio to {to}": round(middle, 2),
                "from": round(least, 2),
                "to": round(most, 2),
                "cpu_s_per_million": round(statistics.median(r.cpu_seconds_per_million for r in own), 1),
                **busy(own),
                "rss_mb": round(max(r.rss_mb for r in own)),
            }
        )
    return made


def busy(own: list[Run]) -> dict[str, float]:
    """While it drained: CPU seconds a million of its processes, Postgres and the broker; how many cores that was."""
    found = {}
    for name, belongs in BUSY.items():
        of_each = [sum(cpu for who, cpu in r.busy.items() if who.startswith(belongs)) for r in own]
        found[name] = round(statistics.median(of_each), 1)
    cores = [sum(r.busy.values()) * r.records_per_second / 1e6 for r in own]
    return found | {"cores": round(statistics.median(cores), 2)}


def write(name: str, runs: list[Run], to: str, said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """build/bench/NAME.json; returns the rows."""
    found = rows(runs, to)
    keep(name, found, said, runs=[r._asdict() for r in runs])
    return found
