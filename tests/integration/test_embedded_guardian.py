"""However the parent dies, its children end within seconds, and nobody else does."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.embedded.guard import PACKAGE_ROOT, Guard
from infra.embedded.guardian import GRACE
from infra.embedded.local import DataDirLock
from infra.embedded.processes import Identity, identify

PARENT = """
import asyncio, os, signal, sys
from pathlib import Path
from infra.embedded.guard import Guard
from infra.embedded.process import Child, Supervised

async def main():
    guard = Guard(Path(sys.argv[1]) / "guardian.log", sys.argv[1])
    guard.start()
    for number, code in enumerate(sys.argv[2:]):
        child = Child(name=str(number), argv=lambda code=code: [sys.executable, "-c", code])
        await Supervised(child, guard, Path(sys.argv[1]) / f"{number}.log", print_pid).start()
    print(guard.pid, flush=True)
    await asyncio.sleep(60)

def print_pid(_, pid):
    print(pid, flush=True)

asyncio.run(main())
"""
OBEDIENT = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
WITH_GRANDCHILD = (
    "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
    "start_new_session=True); print(child.pid, flush=True); time.sleep(60)"
)


class Family:
    """A parent process, its children and its guardian."""

    def __init__(self, folder: Path, *codes: str) -> None:
        self.parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(folder), *codes],
            stdout=subprocess.PIPE,
            text=True,
            cwd=PACKAGE_ROOT,
        )
        assert self.parent.stdout is not None
        *self.children, self.guardian = (
            running(int(self.parent.stdout.readline())) for _ in range(len(codes) + 1)
        )

    def end(self) -> None:
        self.parent.kill()
        self.parent.wait()
        assert self.parent.stdout is not None
        self.parent.stdout.close()
        for left in [*self.children, self.guardian]:
            left.send(signal.SIGKILL)


def running(pid: int) -> Identity:
    found = identify(pid)
    assert found is not None
    return found


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Callable[..., Family]]:
    families: list[Family] = []

    def found(*codes: str) -> Family:
        families.append(Family(tmp_path, *codes))
        return families[-1]

    yield found
    for each in families:
        each.end()


def gone_after(processes: list[Identity], limit: float) -> float:
    began = time.monotonic()
    while any(process.alive() for process in processes):
        assert time.monotonic() - began < limit, [process for process in processes if process.alive()]
        time.sleep(0.02)
    return time.monotonic() - began


def test_children_of_a_killed_parent_end(family: Callable[..., Family]) -> None:
    it = family(OBEDIENT, OBEDIENT)
    it.parent.kill()
    gone_after([*it.children, it.guardian], limit=5.0)


def test_a_child_that_ignores_the_request_is_killed(family: Callable[..., Family]) -> None:
    it = family(STUBBORN)
    time.sleep(0.5)  # until it ignores SIGTERM
    it.parent.kill()
    assert gone_after([*it.children, it.guardian], limit=GRACE + 2) > 1.0


def test_a_grandchild_the_guardian_was_never_told_of_ends_too(
    family: Callable[..., Family], tmp_path: Path
) -> None:
    it = family(WITH_GRANDCHILD)
    log = tmp_path / "0.log"
    while not log.read_text().strip():
        time.sleep(0.02)
    grandchild = running(int(log.read_text()))
    it.parent.kill()
    gone_after([*it.children, grandchild], limit=GRACE + 2)


def test_signals_of_the_terminal_do_not_end_the_guardian(family: Callable[..., Family]) -> None:
    it = family(OBEDIENT)
    assert os.getpgid(it.guardian.pid) != os.getpgid(it.parent.pid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        it.guardian.send(number)
    time.sleep(0.3)
    assert it.guardian.alive()
    it.parent.kill()
    gone_after(it.children, limit=5.0)


def test_a_guardian_that_was_killed_is_replaced_and_knows_the_children(tmp_path: Path) -> None:
    guard = Guard(tmp_path / "log", str(tmp_path))
    guard.start()
    child = subprocess.Popen([sys.executable, "-c", OBEDIENT])
    try:
        identity = guard.watch(child.pid, signal.SIGTERM)
        assert identity is not None
        first = guard.pid
        assert first is not None
        guard.ensure()
        assert guard.pid == first  # it runs: nothing to do
        dead = running(first)
        dead.send(signal.SIGKILL)
        gone_after([dead], limit=5.0)
        guard.ensure()
        assert guard.pid != first
        guard.stop()  # the end of the pipe, as if this process had died
        assert child.wait(5) == -signal.SIGTERM
    finally:
        child.kill()
        child.wait()
        guard.stop()


def test_a_forgotten_child_is_left_alone(tmp_path: Path) -> None:
    guard = Guard(tmp_path / "log", str(tmp_path))
    guard.start()
    with subprocess.Popen([sys.executable, "-c", OBEDIENT]) as child:
        identity = guard.watch(child.pid, signal.SIGTERM)
        assert identity is not None
        guard.forget(identity)
        guard.stop()
        assert child.poll() is None
        child.kill()


def test_a_stubborn_child_without_our_mark_is_killed_and_the_lock_kept_until_then(tmp_path: Path) -> None:
    lock = DataDirLock(tmp_path)
    lock.__enter__()
    guard = Guard(tmp_path / "log", str(tmp_path), hold=(lock.descriptor,))
    guard.start()
    with subprocess.Popen([sys.executable, "-c", STUBBORN]) as child:
        time.sleep(0.5)  # until it ignores SIGTERM
        guard.watch(child.pid, signal.SIGTERM)
        lock.__exit__(None, None, None)  # our own descriptor, as if this process had died
        ending = threading.Thread(target=guard.stop)
        ending.start()
        time.sleep(0.5)
        with (tmp_path / "lock").open("r+b") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert child.wait(GRACE + 2) == -signal.SIGKILL
        ending.join()
    with DataDirLock(tmp_path):
        pass
