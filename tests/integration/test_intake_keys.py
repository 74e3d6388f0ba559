"""The exchange's keys of the day on a real Postgres: made ahead, told to all, deleted in time; what they are for."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from avro_schemas import topics
from infra.postgres import connect
from infra.vault import intake
from infra.vault.travel import Opener
from producers.envelope import Record
from stream_processors.outbox import outputs
from tests.support.api import Api
from tests.support.referrals import body
from tests.support.vault import vault

pytestmark = pytest.mark.real
PATH = "/.well-known/refex-intake-key"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("intake")) as running:
        while running.app.state.context.intake.session is None:  # it is read in the background
            await asyncio.sleep(0.05)
        yield running


async def keep(api: Api, now: datetime) -> set[bytes]:
    connection = await connect(api.url, "worker")
    try:
        async with connection.transaction():
            return set(await intake.keep(connection, vault(), now))
    finally:
        await connection.close()


async def test_the_key_of_the_day_is_told_to_anybody(api: Api) -> None:
    async with api.http() as http:
        told = (await http.get(PATH)).json()
    assert told["algorithm"] == "X25519-HKDF-SHA256-AES256GCM"
    assert len(base64.b64decode(told["public_key"])) == 32
    until = datetime.fromisoformat(told["use_until"])
    assert datetime.now(UTC) < until <= datetime.now(UTC) + DAY


async def test_what_the_api_publishes_cannot_be_read_by_the_broker(api: Api) -> None:
    name = f"Canary{uuid4().hex}-Test"
    referral = await api.submitted(person=body()["person"] | {"family_name": name})
    assert referral["person"]["family_name"] == name, "the exchange has read it"
    assert api.broker.sent and not any(name.encode() in record.value for record in api.broker.sent)


async def test_a_dead_letter_says_nothing_of_a_person_and_comes_back_as_it_was(api: Api) -> None:
    name = f"Canary{uuid4().hex}-Test".encode()
    record = Record(topics.RESPONSE, b"key", 0, b"\x00\x00\x00\x00\x01" + name, uuid4())
    await api.keys.look()  # as every worker does, again and again: another test may have ended today's
    await api.broker.send([record])
    async with api.owner() as owner:
        (row,) = await owner.fetch("select * from dead_letter order by at desc limit 1")
        (fact,) = await owner.fetch("select * from history where stream_id = $1", row["id"])
        opener = Opener(await intake.private_keys(owner, vault()))
    published = outputs(dict(fact), frozenset(), dict(row))
    assert name not in row["value"] and not any(name in out.value for out in published)
    assert opener.exhumed(row["value"], row["id"]) == record.value


async def test_keys_are_made_ahead_and_deleted_when_nothing_can_need_them(api: Api) -> None:
    today = await keep(api, datetime.now(UTC))
    assert len(today) == 3 and await keep(api, datetime.now(UTC)) == today
    later = await keep(api, datetime.now(UTC) + 2 * DAY)
    assert later > today, "a key in use is kept"
    after = await keep(api, datetime.now(UTC) + 12 * DAY)
    assert not after & today and len(after) >= 3


async def test_a_key_waits_for_what_failed_us(api: Api) -> None:
    now = datetime.now(UTC) + 30 * DAY
    before = await keep(api, now)
    async with api.owner() as owner:
        await owner.execute(
            'insert into parked (id, lane, kind, stream_id, tenant, event_id, topic, partition, "offset", at)'
            " values (gen_random_uuid(), 1, 'referral', gen_random_uuid(), 'clinic-a', gen_random_uuid(), 't', 0,"
            " 0, now())"
        )
        try:
            assert before < await keep(api, now + 30 * DAY)
        finally:
            await owner.execute("delete from parked")
    assert not before & await keep(api, now + 30 * DAY)


async def test_the_api_never_reaches_a_private_key(api: Api) -> None:
    connection = await connect(api.url, "api")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("select wrapped from intake_key")
    finally:
        await connection.close()
