"""Who was busy: CPU seconds of processes and their children between two moments.

Comes in: pids by name. Goes out: seconds by name. A process that ends meanwhile counts up to when it was last seen.
"""

import contextlib
from collections.abc import Mapping

import psutil  # type: ignore[import-untyped]


class Busy:
    """`begin`, then `look` often, then `per_million`."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = roots
        self._seen: dict[str, dict[psutil.Process, tuple[float, float]]] = {}

    def begin(self) -> None:
        """Count from now on, what there is now: servers have opened their sessions."""
        for name, pid in self._roots.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                root = psutil.Process(pid)
                each = (root, *root.children(recursive=True))
                self._seen[name] = {process: (_cpu(process), _cpu(process)) for process in each}

    def look(self) -> None:
        """Remember how far each has come."""
        for processes in self._seen.values():
            for process, (first, last) in processes.items():
                processes[process] = (first, max(last, _cpu(process)))

    def per_million(self, records: int) -> dict[str, float]:
        """CPU seconds for a million records."""
        return {
            name: round(sum(last - first for first, last in processes.values()) * 1e6 / max(records, 1), 1)
            for name, processes in self._seen.items()
        }


def _cpu(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return float(sum(process.cpu_times()[:2]))
    return 0.0
