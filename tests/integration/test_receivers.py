"""One receiver that hangs delays no other; what a receiver answers is never kept; a webhook taken back harms nobody."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import psutil  # type: ignore[import-untyped]
import pytest

from infra import webhooks
from infra.postgres import pool
from stream_processors.notify import Notifier
from stream_processors.receivers import ALTOGETHER, EACH
from tests.support.api import Api
from tests.support.vault import vault

pytestmark = pytest.mark.real
HANGS, WELL, GONE, FLOODS = "clinic-a", "clinic-b", "golden-health-plan", "valley-care-plan"
MIB = 1024 * 1024


class Hook:
    """One server for all: `/hang` reads and never answers, `/flood` answers without end, the rest says 204."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.open: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.flooded = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split()[1]
            self.calls[path] += 1
            self.open[path] += 1
            self.most[path] = max(self.most[path], self.open[path])
            try:
                await self._answer(path, reader, writer)
            finally:
                self.open[path] -= 1
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if path == "/hang":
            await reader.read(MIB)
            await reader.read(1)  # until the other side gives up
        elif path == "/flood":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(b"x" * 65_536)
                self.flooded += 65_536
                await writer.drain()
        else:
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            await writer.drain()


@pytest.fixture
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("receivers")) as running:
        yield running


@asynccontextmanager
async def notifying(api: Api, *receivers: tuple[str, str]) -> AsyncIterator[Hook]:
    """The deliveries run, to these organizations under these paths."""
    hook = Hook()
    server = await asyncio.start_server(hook.handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with api.owner() as owner:
        for organization, path in receivers:
            await webhooks.set_webhook(owner, vault(), organization, f"http://127.0.0.1:{port}/{path}")
    async with await pool(api.url, "worker") as connections:
        running = asyncio.create_task(Notifier(connections, vault()).run())
        try:
            yield hook
            assert not running.done(), running
        finally:
            running.cancel()
            await asyncio.wait({running})
            server.close()


async def due(api: Api, recipient: str, number: int) -> None:
    """So many deliveries, due now."""
    async with api.owner() as owner:
        await owner.executemany(
            "insert into delivery (id, tenant, recipient, kind, stream_id, version, type, at, next_attempt_at)"
            " values ($1, $2, $2, 'referral', $3, 1, 'synthetic', now(), now())",
            [(uuid4(), recipient, uuid4()) for _ in range(number)],
        )


async def pending(api: Api, recipient: str) -> int:
    query = (
        "select count(*) from delivery where recipient = $1 and delivered_at is null and failed_at is null"
    )
    async with api.owner() as owner:
        return int(await owner.fetchval(query, recipient))


async def done(api: Api, recipient: str, within_s: float) -> float:
    """The seconds until nothing of this recipient is pending."""
    began = time.monotonic()
    while await pending(api, recipient):
        assert time.monotonic() - began < within_s, f"{await pending(api, recipient)} left"
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def test_a_receiver_that_hangs_or_floods_delays_no_other(api: Api) -> None:
    before = psutil.Process().memory_info().rss
    async with notifying(api, (HANGS, "hang"), (WELL, "well"), (FLOODS, "flood")) as hook:
        await due(api, HANGS, 500)
        await due(api, FLOODS, 20)
        async with asyncio.timeout(10):
            while not (hook.calls["/hang"] and hook.calls["/flood"]):
                await asyncio.sleep(0.05)
        await due(api, WELL, 200)
        seconds = await done(api, WELL, 9.0)
        assert hook.calls["/well"] == 200
        await done(api, FLOODS, 15.0)
    grown = (psutil.Process().memory_info().rss - before) / MIB
    print(json.dumps({"well_s": round(seconds, 2), "hang": hook.calls["/hang"], "rss_mib": round(grown, 1)}))
    assert hook.most["/hang"] <= EACH < ALTOGETHER
    assert hook.calls["/hang"] <= 2 * EACH, "it rests after a failure"
    assert hook.flooded < 20 * 8 * MIB, "an endless answer is cut off"
    assert grown < 50


async def test_a_webhook_taken_back_leaves_nothing_pending_and_stops_nobody(api: Api) -> None:
    await due(api, GONE, 3)
    await due(api, WELL, 3)
    async with notifying(api, (WELL, "well")) as hook:
        await done(api, WELL, 9.0)
        await done(api, GONE, 9.0)
        assert hook.calls == {"/well": 3}
    async with api.owner() as owner:
        why = await owner.fetch("select distinct last_error from delivery where recipient = $1", GONE)
    assert [r["last_error"] for r in why] == ["the receiver has no webhook any more"]
