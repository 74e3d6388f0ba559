"""A supervised child process: started, awaited until it answers, started again when it dies, stopped in order.

In: a Child (what to run and how to know that it answers). Out: its pid, kept until the next one runs.
It must never leave a child running that the guardian was not told of.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import structlog

from infra.embedded.errors import ChildFailedError
from infra.embedded.guard import Guard
from infra.embedded.logs import tail, trim
from infra.embedded.processes import Identity

log = structlog.get_logger()

FIRST_BACKOFF = 0.5
LAST_BACKOFF = 5.0
HEALTHY_AFTER = 10.0
"""Seconds after which a child counts as healthy: its next death is the first again."""

PROBE_SECONDS = 5.0
"""A probe that hangs longer is given up, so that a death meanwhile is noticed."""

POLL = 0.05


async def _nothing() -> None:
    """The default of hooks and probes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What to run. `argv` is called before every start; `ready` raises until the child answers."""

    name: str
    argv: Callable[[], Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    uid: int | None = None
    gid: int | None = None
    stop_signals: Sequence[tuple[signal.Signals, float]] = ((signal.SIGTERM, 10.0),)
    ready: Callable[[], Awaitable[None]] = _nothing
    ready_timeout: float = 60.0
    before_restart: Callable[[], Awaitable[None]] = _nothing


class Supervised:
    """A child under supervision; `start` raises ChildFailedError, later deaths are mended."""

    def __init__(
        self, child: Child, guard: Guard, log_file: Path, on_change: Callable[[str, int], None]
    ) -> None:
        self.child = child
        self.log_file = log_file
        self.answers = asyncio.Event()
        self.restarts = 0
        self.exit_code: int | None = None
        self._guard = guard
        self._on_change = on_change
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: Identity | None = None
        self._pid: int | None = None
        self._born = 0.0
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The process itself; after a death the last one until the new one runs."""
        if self._pid is None:
            raise RuntimeError(f"{self.child.name} was never started")
        return self._pid

    async def start(self) -> None:
        """Start it and wait until it answers; then keep it alive."""
        try:
            await self._launch()
        except BaseException:
            await self._end()
            raise
        self._watcher = asyncio.create_task(self._keep_alive(), name=f"supervise {self.child.name}")

    async def stop(self) -> None:
        """Ask it to stop, wait, then kill it; returns when it is gone."""
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
            self._watcher = None
        await self._end()

    async def _launch(self) -> None:
        self._spawn()
        deadline = time.monotonic() + self.child.ready_timeout
        problem: Exception | None = None
        while time.monotonic() < deadline:
            if self._exited():
                raise ChildFailedError(self._failure(f"ended with exit code {self.exit_code}"))
            try:
                async with asyncio.timeout(min(PROBE_SECONDS, deadline - time.monotonic())):
                    await self.child.ready()
                self.answers.set()
                return
            except Exception as error:  # any error of the probe means: not yet
                problem = error
            await asyncio.sleep(POLL)
        raise ChildFailedError(
            self._failure(f"gave no answer within {self.child.ready_timeout:.0f} s ({problem!r})")
        )

    def _spawn(self) -> None:
        """Fork and exec; the guardian learns of it at once, or finds it by the token should we die right here."""
        child = self.child
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        trim(self.log_file)
        try:
            with self.log_file.open("ab") as output:
                self._process = self._popen(output)
        except OSError as error:
            raise ChildFailedError(f"{child.name} could not be started: {error}") from error
        self.exit_code = None
        self._born = time.monotonic()
        self._pid = self._process.pid
        self._identity = self._guard.watch(self._process.pid, child.stop_signals[0][0])
        self._on_change(child.name, self._process.pid)

    def _popen(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        child = self.child
        return subprocess.Popen(
            list(child.argv()),
            env={**os.environ, **child.environment, **self._guard.environment},
            cwd=child.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which stops all in order
            user=child.uid,
            group=child.gid,
            extra_groups=None if child.uid is None else [],
        )

    async def _keep_alive(self) -> None:
        backoff = FIRST_BACKOFF
        while True:
            await self._until_exit()
            self.answers.clear()
            if time.monotonic() - self._born > HEALTHY_AFTER:
                backoff = FIRST_BACKOFF
            log.warning(
                "a part ended; starting it again",
                part=self.child.name,
                exit_code=self.exit_code,
                wait_s=backoff,
            )
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, LAST_BACKOFF)
            try:
                await self.child.before_restart()
                self.restarts += 1
                await self._launch()
            except Exception as error:  # whatever it was, the next try may find it mended
                log.error("a part did not come back", part=self.child.name, error=error)
                await self._end()

    async def _until_exit(self) -> None:
        looked = time.monotonic()
        while not self._exited():
            await asyncio.sleep(POLL)
            if time.monotonic() - looked > 5:
                looked = time.monotonic()
                trim(self.log_file)
                self._guard.ensure()

    def _exited(self) -> bool:
        """Whether it is gone; reaps it and tells the guardian."""
        if self._process is None:
            return True
        code = self._process.poll()
        if code is None:
            return False
        self.exit_code = code
        self._process = None
        if self._identity is not None:
            self._guard.forget(self._identity)
        return True

    async def _end(self) -> None:
        self.answers.clear()
        for number, seconds in self.child.stop_signals:
            if self._process is None or self._exited():
                return
            self._process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._until_exit()
        if self._process is not None and not self._exited():
            if self._identity is not None:
                self._identity.kill_family()
            self._process.kill()
            self._process.wait()
            self._exited()

    def _failure(self, what: str) -> str:
        return f"{self.child.name} {what}. The end of {self.log_file}:\n{tail(self.log_file)}"
