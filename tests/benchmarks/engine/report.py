"""Runs into a table, a JSON document and an SVG: medians, and ratios to the limit within the same round.

Comes in: runs of several rounds, the environment. Goes out: text and files. Must never leave a round out.
"""

import json
import platform
import statistics
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.benchmarks.engine.rounds import Run

BUSY = {"own": "process", "postgres": "postgres", "broker": "kafka"}
PACKAGES = ("aiokafka", "asyncpg", "fastavro", "faust-streaming", "uvloop", "msgspec")


def environment(**said: Any) -> dict[str, Any]:
    """Where and with what the figures were made."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "absent"
    cores = len(__import__("os").sched_getaffinity(0))
    return {"python": platform.python_version(), "cores": cores, "packages": versions, **said}


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


def table(found: list[Mapping[str, Any]]) -> str:
    """The rows as aligned text."""
    names = list(found[0])
    cells = [names, *[[str(row[n]) for n in names] for row in found]]
    widths = [max(len(line[n]) for line in cells) for n in range(len(names))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def svg(found: list[Mapping[str, Any]]) -> str:
    """Bars of the medians, longest on top."""
    ordered = sorted(found, key=lambda row: -row["records_per_second"])
    most = max(row["records_per_second"] for row in ordered)
    bars = []
    for n, row in enumerate(ordered):
        y, width = 24 + n * 34, 420 * row["records_per_second"] / most
        bars.append(f'<text x="0" y="{y + 15}">{row["contestant"]}</text>')
        bars.append(f'<rect x="220" y="{y}" width="{width:.0f}" height="22" fill="#2378c3"/>')
        bars.append(f'<text x="{228 + width:.0f}" y="{y + 15}">{row["records_per_second"]:,}/s</text>')
    height = 40 + 34 * len(ordered)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="sans-serif" font-size="14">'
        f"<title>Records per second, median</title>{''.join(bars)}</svg>\n"
    )


def write(folder: Path, name: str, runs: list[Run], to: str, said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """NAME.json and NAME.svg; returns the rows."""
    found = rows(runs, to)
    folder.mkdir(parents=True, exist_ok=True)
    document = {"environment": dict(said), "rows": found, "runs": [r._asdict() for r in runs]}
    folder.joinpath(f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    folder.joinpath(f"{name}.svg").write_text(svg(list(found)), encoding="utf-8")
    return found
