"""Supervision with real, tiny children: restart with backoff, bounded logs, a stop that ends what will not."""

import asyncio
import itertools
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from infra.embedded import process as process_module
from infra.embedded.errors import ChildFailedError
from infra.embedded.guard import Guard
from infra.embedded.logs import tail, trim
from infra.embedded.process import Child, Supervised
from infra.embedded.processes import Identity, identify

SLEEP = "import time; time.sleep(60)"


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


class Nursery:
    """Starts children under one guardian and remembers what was told of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.guard = Guard(folder / "guardian.log", f"test {folder}")
        self.changes: list[int] = []
        self.running: list[Supervised] = []

    async def start(self, code: str, **options: object) -> Supervised:
        child = Child(name="child", argv=lambda: [sys.executable, "-c", code], **options)  # type: ignore[arg-type]
        log_file = self.folder / "child.log"
        supervised = Supervised(child, self.guard, log_file, lambda _, pid: self.changes.append(pid))
        await supervised.start()
        self.running.append(supervised)
        return supervised


@pytest.fixture
async def nursery(tmp_path: Path) -> AsyncIterator[Nursery]:
    nursery = Nursery(tmp_path)
    nursery.guard.start()
    yield nursery
    for supervised in nursery.running:
        await supervised.stop()
    nursery.guard.stop()


async def test_a_killed_child_is_started_again_and_told_of(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "FIRST_BACKOFF", 0.2)
    child = await nursery.start(SLEEP)
    first = child.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.exit_code is not None)
    assert child.pid == first  # the last pid until the new one runs
    assert not child.answers.is_set()
    await until(child.answers.is_set)
    assert nursery.changes == [first, child.pid]
    assert child.pid != first
    assert identify(child.pid) is not None


async def test_backoff_doubles_to_its_limit(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "FIRST_BACKOFF", 0.1)
    monkeypatch.setattr(process_module, "LAST_BACKOFF", 0.4)
    starts: list[float] = []

    async def note() -> None:
        starts.append(time.monotonic())

    child = await nursery.start("pass", before_restart=note)
    await until(lambda: len(starts) >= 5)
    await child.stop()
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert gaps[0] >= 0.2
    assert gaps[1] >= 0.4
    assert gaps[3] < 0.8  # no further doubling


async def test_a_restart_is_tried_again_when_its_preparation_fails(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "FIRST_BACKOFF", 0.05)
    failures = [OSError("still busy"), ValueError("and again")]

    async def sometimes() -> None:
        if failures:
            raise failures.pop()

    child = await nursery.start(SLEEP, before_restart=sometimes)
    os.kill(child.pid, signal.SIGKILL)
    await until(lambda: not failures and child.answers.is_set())


async def test_a_first_start_that_fails_shows_the_end_of_the_log(nursery: Nursery) -> None:
    with pytest.raises(ChildFailedError, match=r"(?s)exit code 3.*no room on the disk"):
        await nursery.start("import sys; print('no room on the disk'); sys.exit(3)", ready=never)


async def test_a_silent_child_is_given_up_and_ended(nursery: Nursery) -> None:
    with pytest.raises(ChildFailedError, match=r"no answer within 0 s.*not yet"):
        await nursery.start(SLEEP, ready=never, ready_timeout=0.3)
    assert identify(nursery.changes[0]) is None


async def test_a_program_that_is_not_there_fails_clearly(nursery: Nursery) -> None:
    child = Child(name="absent", argv=lambda: ["/nonexistent/program"])
    with pytest.raises(ChildFailedError, match="absent could not be started"):
        await Supervised(child, nursery.guard, nursery.folder / "log", lambda *_: None).start()


async def test_stop_kills_a_child_that_ignores_it_and_its_descendants(nursery: Nursery) -> None:
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "grandchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True);"
        "print(grandchild.pid, flush=True); time.sleep(60)"
    )
    child = await nursery.start(code, stop_signals=((signal.SIGTERM, 0.3),))
    await until(lambda: bool(tail(child.log_file)))
    grandchild = identify(int(tail(child.log_file)))
    assert grandchild is not None
    await child.stop()
    assert child.exit_code == -signal.SIGKILL
    await until(lambda: not grandchild.alive())


async def test_a_stopped_child_stays_stopped(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "FIRST_BACKOFF", 0.01)
    child = await nursery.start(SLEEP)
    await child.stop()
    await asyncio.sleep(0.2)
    assert child.exit_code == -signal.SIGTERM
    assert nursery.changes == [child.pid]


def test_a_reused_pid_is_another_process() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert me.alive()
    stranger = Identity(me.pid, me.created - 1)
    assert not stranger.alive()
    stranger.send(signal.SIGKILL)  # or this test would end here
    stranger.kill_family()


def test_a_log_keeps_its_newest_part_and_a_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as writer:
        for number in range(1000):
            writer.write(b"line %d\n" % number)
        trim(log, limit=5000, kept=1000)
        writer.write(b"the end\n")
    lines = log.read_text().splitlines()
    assert lines[-2:] == ["line 999", "the end"]
    assert log.stat().st_size < 1100
    assert all(line.startswith("line ") for line in lines[:-1])


async def never() -> None:
    raise ConnectionError("not yet")
