"""An event loop whose time is a number: what waits costs nothing, and the same calls run in the same order every time.

Comes in: coroutines. Goes out: their results. Must never open a socket, start a thread or read the machine's clock.
"""

import asyncio
import contextvars
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 11, 2, 17, tzinfo=UTC)
"""When every run begins: a Monday morning in California."""


class Stuck(RuntimeError):
    """Everybody waits and nothing will ever happen: a deadlock that nobody noticed."""


class _NoSelector:
    """In place of the machine's files: waiting for them lets the time pass."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stuck("every task waits and no timer is set")
        self._loop.pass_time(timeout)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """`time()` begins at 0 and jumps to whatever is due next; `now()` is the world's clock, which may leap ahead."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _NoSelector(self)
        self._clock_resolution = 1e-9
        self._passed = 0.0
        self._leapt = timedelta()

    def time(self) -> float:
        return self._passed

    def now(self) -> datetime:
        """The time of the world, which broker and database agree on."""
        return START + self._leapt + timedelta(milliseconds=int(self._passed * 1000))

    def leap(self, by: timedelta) -> None:
        """Days go by at once."""
        self._leapt += by

    def pass_time(self, seconds: float) -> None:
        """Nothing happens for so long."""
        self._passed += max(0.0, seconds)

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        """At once, in this thread: a blocking call of the product takes no time here."""
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(contextvars.copy_context().run(func, *args))
        except Exception as error:
            done.set_exception(error)
        return done

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody is to be woken: there is one thread."""


class Clock:
    """What stands for the module `time` in the product's code, and for the class `datetime`, while a run lasts."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        return self._loop.time()

    def now(self, zone: object = None) -> datetime:
        return self._loop.now()
