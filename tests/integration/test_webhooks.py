"""Deliveries on a real receiver: signed, ids alone, repeated with the same id until it answers."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from tests.e2e.test_journey import submission
from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real
PLAN = "valley-care-plan"


class Receiver:
    """A small HTTP server that refuses the first call and keeps what it was sent."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
        self.calls.append((headers, await reader.readexactly(int(headers["content-length"]))))
        answer = b"503 Busy" if len(self.calls) == 1 else b"204 No Content"
        writer.write(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[Receiver, str]]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    async with server:
        yield receiver, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


async def refex(exchange: RunningExchange, *words: str) -> str:
    """The command line, against this exchange."""
    environment = {**os.environ, "REFEX_DATA_DIR": str(exchange.data_dir)}
    command = [sys.executable, "-m", "cli.main", *words]
    done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_receiver_gets_signed_news_without_personal_data(exchange: RunningExchange) -> None:
    async with receiving() as (receiver, url):
        printed = await refex(exchange, "participant", "webhook", PLAN, "--url", url, "--json")
        secret = json.loads(printed)["secret"]
        await asyncio.sleep(2.5)  # workers read the participants every two seconds
        name = f"HOOK-{datetime.now(UTC):%H%M%S%f}"
        async with exchange.publisher(PLAN) as publisher:
            sent = await publisher.submit(submission(name))

        async def delivered() -> bool:
            news = [json.loads(body) for _, body in receiver.calls[1:]]
            mine = {n["data"]["version"] for n in news if n["data"]["referral"] == str(sent.id)}
            ids = [headers["webhook-id"] for headers, _ in receiver.calls]
            return mine >= {1, 2, 3} and ids.count(ids[0]) > 1

        await until(delivered, timeout_s=40)
        await refex(exchange, "participant", "webhook", PLAN)
    async with exchange.database() as database:
        wait = "select distinct due_at - at as wait from delivery where stream_id = $1 and recipient = $2"
        waits = await database.fetch(wait, sent.id, PLAN)
    assert [r["wait"] for r in waits] == [timedelta(hours=24)], "the contract says by when a notice is due"
    for headers, body in receiver.calls:
        assert Webhook(secret).verify(body, headers)["data"].keys() == {"referral", "version", "status"}
        assert b"Synthetic" not in body
    first = receiver.calls[0][0]["webhook-id"]
    assert [h["webhook-id"] for h, _ in receiver.calls].count(first) == 2, (
        "refused once, sent again under its id"
    )
