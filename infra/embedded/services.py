"""The embedded exchange's services: Kafka and Postgres, and further children under the same supervision.

In: a data directory of our own, a cache directory. Out: addresses, logins and pids of what runs.
It must never leave a process behind, however it ends, nor share its data directory with another exchange.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from infra.embedded.errors import ChildFailedError
from infra.embedded.guard import Guard
from infra.embedded.guardian import end
from infra.embedded.kafka import EmbeddedKafka
from infra.embedded.local import DataDirLock, keep_or_make_token
from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.process import Child, Supervised

log = structlog.get_logger()


class EmbeddedServices:
    """`async with EmbeddedServices(data_dir, cache_dir, print) as services:` starts both, and ends all."""

    def __init__(
        self,
        data_dir: Path,
        cache_dir: Path,
        progress: Callable[[str], None] = lambda _: None,
        on_change: Callable[[str, int], None] = lambda _name, _pid: None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.cache_dir = cache_dir.absolute()
        self.on_change = on_change
        self.children: dict[str, Supervised] = {}
        self.kafka = EmbeddedKafka(self.data_dir / "kafka", self.cache_dir, progress)
        self.postgres = EmbeddedPostgres(self.data_dir / "postgres", progress)
        self._progress = progress
        self._lock = DataDirLock(self.data_dir)
        self._guard: Guard | None = None

    @property
    def pids(self) -> dict[str, int]:
        """The process itself of every child; after a death the last one until the new one runs."""
        return {name: child.pid for name, child in self.children.items()}

    @property
    def guardian_pid(self) -> int | None:
        """The process that ends all others when this one is killed."""
        return self._guard.pid if self._guard else None

    async def __aenter__(self) -> Self:
        """Both are up and answer when this returns."""
        self.data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
        # The database's own user must be able to pass through; nothing secret here is readable by others.
        self.data_dir.chmod(self.data_dir.stat().st_mode | 0o011)
        self.data_dir.joinpath("logs").mkdir(mode=0o700, exist_ok=True)
        self.cache_dir.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(self._lock.__enter__)
        try:
            token = self._token()
            # Children of an exchange that was killed together with its guardian.
            await asyncio.to_thread(end, token, {})
            self._guard = Guard(self._log_file("guardian"), token, hold=(self._lock.descriptor,))
            self._guard.start()
            await _both(self._start_kafka(), self._start_postgres())
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the added children, side by side, then the services."""
        await self._close()

    async def supervise(self, child: Child) -> Supervised:
        """Start one more child and keep it alive; returns when it answers."""
        if self._guard is None:
            raise RuntimeError("the embedded services are not started")
        if child.name in self.children:
            raise ValueError(f"there is a child named {child.name} already")
        supervised = Supervised(child, self._guard, self._log_file(child.name), self._changed)
        self.children[child.name] = supervised
        try:
            await supervised.start()
        except BaseException:
            del self.children[child.name]
            raise
        return supervised

    async def dismiss(self, name: str) -> None:
        """Stop one added child for good."""
        await self.children.pop(name).stop()

    async def _start_kafka(self) -> None:
        began = time.monotonic()
        child = await self.kafka.prepare()
        try:
            await self.supervise(child)
        except ChildFailedError:
            if not self.kafka.discard_archive():
                raise
            await self.supervise(child)  # once more, without the class archive
        self._progress(f"kafka: ready on {self.kafka.bootstrap} after {time.monotonic() - began:.1f} s")

    async def _start_postgres(self) -> None:
        began = time.monotonic()
        await self.supervise(await self.postgres.prepare())
        await self.postgres.provision()
        port = self.postgres.state.port
        self._progress(f"postgres: ready on port {port} after {time.monotonic() - began:.1f} s")

    async def _close(self) -> None:
        try:
            added = [name for name in self.children if name not in ("kafka", "postgres")]
            await asyncio.gather(*(self.dismiss(name) for name in added))
            if "kafka" in self.children:
                self.kafka.stopping()
            stopping = dict(self.children)
            await asyncio.gather(*(child.stop() for child in stopping.values()))
            if "kafka" in stopping:
                self.kafka.stopped(stopping["kafka"].exit_code)
            self.children.clear()
        finally:
            if self._guard is not None:
                await asyncio.to_thread(self._guard.stop)
                self._guard = None
            self._lock.__exit__(None, None, None)

    def _token(self) -> str:
        """Marks our children, now and after a restart; the path tells them from those of a copied directory."""
        return f"{keep_or_make_token(self.data_dir / 'token')} {self.data_dir.resolve()}"

    def _changed(self, name: str, pid: int) -> None:
        try:
            self.on_change(name, pid)
        except Exception as error:  # the listener's trouble must not cost the child that has just begun
            log.error("the listener of a part's pid failed", part=name, pid=pid, error=error)

    def _log_file(self, name: str) -> Path:
        return self.data_dir / "logs" / f"{name}.log"


async def _both(*parts: Awaitable[None]) -> None:
    """Run them together; the first failure ends the other and is raised as it is."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
