"""An erased person is unreadable in every table, answer and topic of a real Postgres, and a rebuild is the same."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from api.app import build
from cli import person as command
from cli import rebuild
from cli.common import Exchange
from infra.kafka import KafkaLogin
from infra.postgres import connect, pool
from infra.settings import Settings
from infra.vault.kms import LocalKms, Locked
from infra.vault.vault import Vault
from producers.envelope import Said, erasure_asked
from referrals import ids
from stream_processors.decode import Raw
from stream_processors.exchange import Exchange as Batches
from stream_processors.exchange import is_transient
from stream_processors.outbox import outputs
from tests.support.api import Api, answer
from tests.support.referrals import body
from tests.support.vault import KEK, vault

pytestmark = pytest.mark.real
CLINIC = "clinic-a"
ENDED = {"code": "service-provided", "need": "resolved"}
NEW = b"another key-encryption key here!"
TABLES = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind = 'r'
"""


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("erasing")) as running:
        yield running


def canary() -> str:
    return f"Canary{uuid4().hex[:12]}-Test"


async def helped(api: Api, name: str, person: str) -> dict[str, Any]:
    """A referral of a person of that name, completed with a note that says it."""
    who = body()["person"] | {"person_id": person, "family_name": name}
    referral = await api.submitted(CLINIC, person=who)
    await answer(api, referral, "accept")
    done = await answer(api, referral, "complete", outcome=ENDED, note=f"saw {name}")
    assert done.status_code == 200, done.text
    return referral


async def erased(api: Api, person: str, organization: str = CLINIC) -> Any:
    said = Said(uuid4(), organization, datetime.now(UTC), user="operator", channel="exchange")
    await api.broker.send([erasure_asked(said, ids.person_key(organization, person), "asked for it")])
    async with api.owner() as owner:
        return await owner.fetchrow("select * from inbox where event_id = $1", said.event_id)


async def found_in(api: Api, name: str) -> list[str]:
    """The tables that hold it, as text or in bytes."""
    async with api.owner() as owner:
        hits = []
        for row in await owner.fetch(TABLES):
            table = row["relname"]
            text = f'select count(*) from "{table}" t where t::text like $1 or t::text like $2'
            if await owner.fetchval(text, f"%{name}%", f"%{name.encode().hex()}%"):
                hits.append(table)
    return sorted(hits)


async def seen(api: Api, organization: str, referral: dict[str, Any]) -> str:
    async with api.http(organization) as http:
        answers = [
            await http.get(path)
            for path in (
                f"/v1/referrals/{referral['id']}",
                f"/v1/referrals/{referral['id']}/events",
                f"/v1/referrals/{referral['id']}/routing",
                "/v1/referrals",
                f"/fhir/Task/{referral['id']}",
            )
        ]
    assert all(a.status_code < 500 for a in answers), [(a.url.path, a.status_code) for a in answers]
    assert answers[0].status_code == 200
    return "\n".join(a.text for a in answers)


async def topics_hold(api: Api, name: str) -> bool:
    """Whether what the relay publishes of history says it."""
    async with api.owner() as owner:
        rows = [dict(r) for r in await owner.fetch("select * from history order by lane, lane_seq")]
    readers = frozenset({CLINIC})
    return any(name.encode() in out.value for row in rows for out in outputs(row, readers, None))


async def test_no_table_and_no_topic_holds_a_name_even_before_anybody_is_erased(api: Api) -> None:
    name = canary()
    referral = await helped(api, name, "P-before")
    assert await found_in(api, name) == []
    assert not await topics_hold(api, name)
    for organization in (CLINIC, "food-a", "food-b"):
        if organization in (CLINIC, referral["hops"][-1]["organization"]):
            shown = await seen(api, organization, referral)
            assert name in shown and f"saw {name}" in shown


async def test_an_erased_person_is_unreadable_everywhere_and_a_rebuild_is_the_same(api: Api) -> None:
    name, person = canary(), f"P-{uuid4().hex}"
    referral = await helped(api, name, person)
    key = ids.person_key(CLINIC, person)
    async with api.owner() as owner:
        assert await owner.fetchval("select count(*) from person_match where person_key = $1", key) > 0
    assert (await erased(api, person))["outcome"] == "applied"
    async with api.owner() as owner:
        for table in ("person_key", "person_match", "person_unlinked"):
            assert await owner.fetchval(f"select count(*) from {table} where person_key = $1", key) == 0, (
                table
            )
    for organization in (CLINIC, referral["hops"][-1]["organization"], "golden-health-plan", "operator"):
        assert name not in await seen(api, organization, referral)
    async with api.http(CLINIC) as http:
        shown = (await http.get(f"/v1/referrals/{referral['id']}")).json()
    assert "person-erased" in shown["flags"] and shown["person"]["given_name"] == "erased"
    assert (shown["status"], shown["outcome"]["note"]) == ("completed", None)
    assert await found_in(api, name) == []
    where = Exchange(Settings(), api.url, KafkaLogin(bootstrap=""), "")
    result = await rebuild.alone(where, "rebuilt", "archive", True)
    assert result.differences == []
    async with api.owner() as owner:
        assert (
            await owner.fetchval("select count(*) from rebuilt.person_match where person_key = $1", key) == 0
        )
        assert await owner.fetchval("select to_regclass('rebuilt.person_key')") is None


async def test_later_referrals_of_an_erased_person_begin_anew(api: Api) -> None:
    name, later, person = canary(), canary(), f"P-{uuid4().hex}"
    before = await helped(api, name, person)
    await erased(api, person)
    after = await helped(api, later, person)
    shown = await seen(api, CLINIC, after)
    assert later in shown and name not in shown
    assert name not in await seen(api, CLINIC, before)
    where = Exchange(Settings(), api.url, KafkaLogin(bootstrap=""), "")
    assert (await rebuild.alone(where, "rebuilt", "archive", True)).differences == []
    assert (await erased(api, person))["outcome"] == "applied"
    assert later not in await seen(api, CLINIC, after)
    assert (await rebuild.alone(where, "rebuilt", "archive", True)).differences == []


async def test_nobody_is_erased_while_they_are_helped_nor_by_another_organization(api: Api) -> None:
    name, person = canary(), f"P-{uuid4().hex}"
    sent = body(uuid4().hex, person=body()["person"] | {"person_id": person, "family_name": name})
    referral = await api.submitted(CLINIC, **sent)
    refused = await erased(api, person)
    assert (refused["outcome"], refused["reason"]) == ("rejected", "illegal")
    assert referral["id"] in refused["detail"]
    assert (await erased(api, person, "clinic-b"))["reason"] == "unknown-person"
    assert name in await seen(api, CLINIC, referral)


async def test_a_sealed_field_that_was_moved_is_not_shown(api: Api) -> None:
    name, person = canary(), f"P-{uuid4().hex}"
    theirs, mine = await helped(api, name, person), await helped(api, canary(), person)
    async with api.owner() as owner:
        sealed = await owner.fetchval("select sealed from referral where id = $1", UUID(mine["id"]))
        await owner.execute(
            "update referral set sealed = (select sealed from referral where id = $1) where id = $2",
            UUID(theirs["id"]),
            UUID(mine["id"]),
        )
    async with api.http(CLINIC) as http:
        got = await http.get(f"/v1/referrals/{mine['id']}")
    assert got.status_code == 500 and name not in got.text
    async with api.owner() as owner:
        await owner.execute("update referral set sealed = $1 where id = $2", sealed, UUID(mine["id"]))


async def test_a_process_with_another_key_waits_and_says_so(api: Api) -> None:
    referral = await helped(api, canary(), f"P-{uuid4().hex}")
    wrong = Vault(LocalKms([NEW], lambda n: b"r" * n))
    async with await pool(api.url, "worker") as connections, api.owner() as owner:
        record = api.broker.sent[0]
        next_offset = await owner.fetchval("select next_offset from progress where topic = $1", record.topic)
        raw = Raw(record.topic, 0, next_offset, record.key, record.value, datetime.now(UTC))
        with pytest.raises(Locked, match="REFEX_VAULT_KEY") as error:
            await Batches(connections, wrong).apply([raw])
        assert is_transient(error.value)
    app, own = build(_settings(api, NEW), api.broker), api.app
    async with app.router.lifespan_context(app):
        api.app = app
        try:
            async with api.http(CLINIC) as http:
                got = await http.get(f"/v1/referrals/{referral['id']}")
        finally:
            api.app = own
    assert got.status_code == 503 and "key" in got.json()["detail"]


def _settings(api: Api, key: bytes) -> Settings:
    text = base64.b64encode(key).decode()
    return Settings(database_url=api.url, kafka_bootstrap="127.0.0.1:1", vault_key=text)


async def test_an_old_copy_of_the_keys_opens_nothing_once_they_are_wrapped_anew(api: Api) -> None:
    name, person = canary(), f"P-{uuid4().hex}"
    referral, kept = await helped(api, name, person), await helped(api, canary(), f"P-{uuid4().hex}")
    key = ids.person_key(CLINIC, person)
    async with api.owner() as owner:
        backup = await owner.fetchrow("select * from person_key where person_key = $1", key)
    assert backup is not None and (await erased(api, person))["outcome"] == "applied"
    both = Vault(LocalKms([NEW, KEK], vault().random))
    where = Exchange(Settings(), api.url, KafkaLogin(bootstrap=""), "")
    done, retired = await command._rewrap(where, both)
    assert done > 0 and retired == [vault().kek]
    async with api.owner() as owner:
        await owner.execute("insert into person_key values ($1, $2, $3, $4, $5)", *backup.values())
    app, own = build(_settings(api, NEW), api.broker), api.app
    async with app.router.lifespan_context(app):
        api.app = app
        try:
            async with api.http(CLINIC) as http:
                restored = await http.get(f"/v1/referrals/{referral['id']}")
                other = await http.get(f"/v1/referrals/{kept['id']}")
        finally:
            api.app = own
    assert restored.status_code == 503 and name not in restored.text
    assert other.status_code == 200 and other.json()["person"]["family_name"].endswith("-Test")
    async with api.owner() as owner:
        await owner.execute("delete from person_key where person_key = $1", key)
    back = Vault(LocalKms([KEK, NEW], vault().random))
    await command._rewrap(where, back)


async def test_each_role_reaches_the_keys_it_needs_and_no_more(api: Api) -> None:
    await helped(api, canary(), f"P-{uuid4().hex}")
    connection = await connect(api.url, "api")
    try:
        async with connection.transaction():
            assert await connection.fetchval("select count(*) from person_key") == 0, "nobody asks"
            for organization, some in (("clinic-b", False), (CLINIC, True)):
                await connection.execute("select set_config('refex.organization', $1, true)", organization)
                found = await connection.fetchval("select count(*) from person_key where tenant = $1", CLINIC)
                assert (found > 0) is some
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("delete from person_key")
    finally:
        await connection.close()
    relay = await connect(api.url, "relay")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await relay.fetch("select wrapped from person_key")
    finally:
        await relay.close()
