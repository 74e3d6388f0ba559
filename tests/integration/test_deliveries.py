"""A webhook's receiver that points elsewhere: the exchange calls the address it was given, and no other."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from infra import webhooks
from infra.postgres import pool
from stream_processors.notify import Notifier
from tests.support.api import Api
from tests.support.running import until
from tests.support.vault import vault

pytestmark = pytest.mark.real
DELIVERY = """
insert into delivery (id, tenant, recipient, kind, stream_id, version, type, status, at, next_attempt_at)
values ($1, 'clinic-a', 'food-a', 'referral', $1, 1, 'referral-received', 'received', now(), now())
"""


@pytest.fixture
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("deliveries")) as running:
        yield running


async def test_a_redirect_is_a_refusal_and_is_not_followed(api: Api) -> None:
    called: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
        called.append(head.split(" ")[1])
        status = "307 Elsewhere\r\nLocation: /inside" if called[-1] == "/hook" else "204 Taken"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    id = uuid4()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, api.owner() as owner, await pool(api.url, "worker") as connections:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        await webhooks.set_webhook(owner, vault(), "food-a", url)
        await owner.execute(DELIVERY, id)
        notifying = asyncio.create_task(Notifier(connections, vault()).run())

        async def answered() -> bool:
            done = "select last_error is not null or delivered_at is not null from delivery where id = $1"
            return bool(await owner.fetchval(done, id))

        try:
            await until(answered, timeout_s=15)
        finally:
            notifying.cancel()
            await asyncio.wait({notifying})
        row = await owner.fetchrow("select delivered_at, last_error from delivery where id = $1", id)
    assert called == ["/hook"]
    assert row is not None and tuple(row) == (None, "the receiver answered 307")
