"""Figures that every benchmark has: quantiles, CPU seconds by process, where and from what a run was made.

Comes in: seconds, pids. Goes out: numbers for a row of a report. Must never leave a slow one out.
"""

import contextlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

PACKAGES = ("aiokafka", "asyncpg", "fastavro", "faust-streaming", "uvloop", "msgspec", "starlette", "uvicorn")
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
FOLDER = Path("build/bench")


def quantile(values: Sequence[float], q: float) -> float:
    """The value that a share q of the others does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * q))]


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Count, quantiles and the most, in ms; only the count when there are none."""
    if not seconds:
        return {"count": 0}
    found = {name: round(quantile(seconds, q) * 1000, 1) for name, q in QUANTILES.items()}
    return {"count": len(seconds), **found, "max": round(max(seconds) * 1000, 1)}


class Cpu:
    """CPU seconds of processes with all their children, and of the whole machine, from now on."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._before = {name: _used(p) for name, p in self._processes.items()}
        self._machine, self._began = psutil.cpu_times(), time.monotonic()

    def used(self) -> dict[str, float]:
        """Seconds since the start by name; `machine busy` is the share of all cores that anything used."""
        found = {name: round(_used(p) - self._before[name], 1) for name, p in self._processes.items()}
        now = psutil.cpu_times()
        idle = now.idle + now.iowait - self._machine.idle - self._machine.iowait
        whole = (time.monotonic() - self._began) * (psutil.cpu_count() or 1)
        return {**found, "machine busy": round(1 - idle / whole, 2)}


def _used(process: psutil.Process) -> float:
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            times = one.cpu_times()
            total += times.user + times.system
            if one == process:
                total += times.children_user + times.children_system
    return total


def environment(**said: Any) -> dict[str, Any]:
    """Where, when and with what the figures were made."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "absent"
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "git": _git(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)),
        "packages": versions,
        **said,
    }


def _git() -> str:
    """The commit that is measured; `+` when files differ from it."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        return subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    return "unknown"


def keep(name: str, rows: Sequence[Mapping[str, Any]], said: Mapping[str, Any], **more: Any) -> Path:
    """Write build/bench/NAME.json: what was measured, and where."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    document = {"environment": dict(said), "rows": [dict(row) for row in rows], **more}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """The rows as aligned text."""
    found = list(rows)
    names = list(found[0])
    cells = [names, *[[str(row.get(n, "")) for n in names] for row in found]]
    widths = [max(len(line[n]) for line in cells) for n in range(len(names))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells
    )
