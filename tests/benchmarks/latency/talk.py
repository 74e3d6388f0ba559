"""What the test tells its processes and hears from them: a task in a file, a start time, figures on stdout."""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from msgspec import Struct

from infra.kafka import KafkaLogin
from tests.benchmarks.latency.schedule import Event
from tests.support.logins import administrators


class Task(Struct, frozen=True):
    """One run; `tokens` by sender."""

    url: str
    tokens: dict[str, str]
    bootstrap: str
    username: str
    password: str
    warm: list[Event]
    events: list[Event]

    @property
    def login(self) -> KafkaLogin:
        """The broker's administrator."""
        return administrators(self.bootstrap, self.username, self.password)


Wait = Callable[[], Awaitable[float]]


def serve(run: Callable[[Task, Wait], Awaitable[dict[str, Any]]]) -> None:
    """`run(task, ready)` of this process; `ready()` says so and returns when the run starts (time.monotonic())."""
    task = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Task)

    async def ready() -> float:
        print("ready", flush=True)
        return float(await asyncio.to_thread(sys.stdin.readline))

    async def main() -> dict[str, Any]:
        return await run(task, ready)

    found = uvloop.run(main())
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps(found | {"cpu_s": used.ru_utime + used.ru_stime}), flush=True)


async def until(moment: float) -> None:
    """Sleep until a moment of time.monotonic(), which all processes of a machine share."""
    if (left := moment - time.monotonic()) > 0:
        await asyncio.sleep(left)


class Helper:
    """One of these processes, seen from the test."""

    def __init__(self, module: str, task: Path) -> None:
        self._arguments = (sys.executable, "-m", f"tests.benchmarks.latency.{module}", str(task))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Until it is ready."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._arguments, stdin=pipe, stdout=pipe)
        assert self._process.stdout is not None
        said = await self._process.stdout.readline()
        assert said == b"ready\n", f"{self._arguments}: {said!r}"

    async def go(self, start: float) -> dict[str, Any]:
        """Tell it when the run starts; its figures."""
        assert self._process is not None
        out, _ = await self._process.communicate(f"{start}\n".encode())
        assert self._process.returncode == 0
        return dict(json.loads(out))

    def end(self) -> None:
        """Kill it if it still runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
