"""Processes of this machine, named by pid and start time so that a reused pid is never mistaken for the old one.

The only place that knows psutil. It never signals a process whose start time differs from the one it was told.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Identity:
    """One process: its pid and when it began, as the system counts it (comparable, nothing more)."""

    pid: int
    created: float

    def alive(self) -> bool:
        """Whether it still runs; a zombie nobody reaps does not."""
        return _began(self.pid) == self.created

    def send(self, number: signal.Signals) -> None:
        """Signal it if it is still the same process."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill_family(self) -> None:
        """End it at once with all its descendants, in whatever session: a database's backends lead their own."""
        family = [self, *_descendants(self)] if self.alive() else []
        for member in family:
            member.send(signal.SIGKILL)


def identify(pid: int) -> Identity | None:
    """The process that has this pid now, or None."""
    began = _began(pid)
    return None if began is None else Identity(pid, began)


def find(matches: Callable[[psutil.Process], bool]) -> Iterator[Identity]:
    """Every live process but this one that matches; one that may not be looked at does not."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and matches(process):
                found = identify(process.pid)
                if found is not None:
                    yield found


def with_environment(name: str, value: str) -> Iterator[Identity]:
    """Every live process that was started with this environment variable."""
    return find(lambda process: bool(process.environ().get(name) == value))


def end_all_in(directory: Path, *steps: tuple[signal.Signals, float]) -> list[Identity]:
    """Signal every process that works in this directory, step by step; what still runs is returned. Blocks."""
    where = str(directory.resolve())
    left = list(find(lambda process: bool(process.cwd() == where)))
    for number, seconds in steps:
        for process in left:
            process.send(number)
        left = wait_gone(left, seconds)
    return left


def wait_gone(processes: Iterable[Identity], seconds: float) -> list[Identity]:
    """Wait at most that long for all to be gone; what still runs is returned. Blocks."""
    left = list(processes)
    deadline = time.monotonic() + seconds
    while True:
        left = [process for process in left if process.alive()]
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(0.02)


def _descendants(identity: Identity) -> list[Identity]:
    try:
        children = psutil.Process(identity.pid).children(recursive=True)
    except psutil.Error:
        return []
    return [found for child in children if (found := identify(child.pid)) is not None]


def _began(pid: int) -> float | None:
    """When it began, or None if it is gone or a zombie.

    Linux counts from boot in /proc; psutil adds the wall clock, which a resumed laptop may have moved in between.
    """
    if not PROC.joinpath("self", "stat").exists():
        return _began_elsewhere(pid)
    try:
        after_name = PROC.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] in "ZX" else float(after_name[19])


def _began_elsewhere(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None
