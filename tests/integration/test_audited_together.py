"""What is written and its record are one: neither a fact nor a notice without the audit's word of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from infra import webhooks
from infra.audit.verify import prove
from infra.postgres import pool
from producers import envelope
from producers.envelope import Said
from referrals import check, ids
from stream_processors.notify import Notifier
from tests.support.api import Api
from tests.support.referrals import body
from tests.support.running import until
from tests.support.vault import vault

pytestmark = pytest.mark.real
CLINIC = "clinic-a"
NO_RECORDS = """
create function no_records() returns trigger language plpgsql as
    $$ begin raise 'the audit takes no records now' using errcode = 'serialization_failure'; end $$;
create trigger no_records before insert on audit_record execute function no_records()
"""
SAID = "select convert_from(body, 'utf8')::jsonb from audit_record where chain like 'notify-%'"


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("together")) as running:
        yield running


async def test_a_write_that_cannot_go_on_record_does_not_happen(api: Api) -> None:
    now = datetime.now(UTC)
    said = Said(ids.event_id(CLINIC, "TOGETHER-1"), CLINIC, now)
    record = envelope.submitted(said, check.submission(body("TOGETHER-1"), now))
    written = "select count(*) from history where event_id = $1"
    moved = "select next_offset from progress where topic = $1"
    async with api.owner() as owner:
        await owner.execute("insert into progress values ($1, 0, 0, 'c', 't')", record.topic)
        await owner.execute(NO_RECORDS)
        try:
            with pytest.raises(asyncpg.SerializationError):
                await api.broker.send([record])
            assert await owner.fetchval(written, said.event_id) == 0
            assert await owner.fetchval(moved, record.topic) == 0
        finally:
            await owner.execute("drop function no_records cascade")
        await api.broker.release()
        assert await owner.fetchval(written, said.event_id) > 0
        async with owner.transaction(isolation="repeatable_read", readonly=True):
            assert (await prove(owner, [])).wrong == []


async def test_a_notice_is_on_record_before_it_leaves(api: Api) -> None:
    on_record: list[list[str]] = []
    async with api.owner() as owner, api.owner() as looking:

        async def receiver(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
            found = f"select said->>'request', said->'objects'->0->>'id' from ({SAID}) as r (said)"
            on_record.extend([*map(str, row)] for row in await looking.fetch(found))
            writer.write(b"HTTP/1.1 204 Taken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(receiver, "127.0.0.1", 0)
        async with server, await pool(api.url, "worker") as connections:
            referral = await api.submitted(CLINIC)
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
            await webhooks.set_webhook(owner, vault(), "food-a", url)
            delivery = ids.event_id("food-a", "a notice")
            await owner.execute(
                "insert into delivery (id, tenant, recipient, kind, stream_id, version, type, status, at,"
                " next_attempt_at) values ($1, $2, 'food-a', 'referral', $3, 1, 'hop-offered', 'requested',"
                " now(), now())",
                *(delivery, CLINIC, UUID(referral["id"])),
            )
            notifying = asyncio.create_task(Notifier(connections, vault()).run())

            async def arrived() -> bool:
                done = "select delivered_at is not null from delivery where id = $1"
                return bool(await owner.fetchval(done, delivery))

            try:
                await until(arrived, timeout_s=15)
            finally:
                notifying.cancel()
                await asyncio.wait({notifying})
    assert on_record == [[str(delivery), referral["id"]]]
