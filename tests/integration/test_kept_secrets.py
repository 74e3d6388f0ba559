"""Secrets that the exchange must use as they are: worthless in a copy of the database, and in any other row of it."""

import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import httpx
import pytest

from api import totp
from cli import person as command
from cli.common import Exchange
from infra import identity_providers, people, webhooks
from infra.identity_providers import Provider as Registered
from infra.kafka import KafkaLogin
from infra.settings import Settings
from infra.vault import kept
from infra.vault.kms import LocalKms, Locked
from infra.vault.vault import Vault
from tests.support.api import Api
from tests.support.people import browser, entered, joined, token_of, unhurried
from tests.support.provider import CLIENT, Provider
from tests.support.vault import KEK, VAULT_KEY, vault

pytestmark = pytest.mark.real
HOME, RECEIVER = "clinic-a", "food-a"
NEW = b"another key-encryption key here!"
TABLES = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind = 'r'
"""


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as running:
        yield running


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("kept")) as running:
        unhurried(running)
        yield running


@pytest.fixture(autouse=True)
async def registered(api: Api, provider: Provider) -> None:
    async with api.owner() as owner:
        found = Registered(provider.issuer, *CLIENT, [f"{HOME}.example.org"])
        await identity_providers.set_provider(owner, vault(), HOME, found)


async def enrolled(api: Api, email: str) -> bytes:
    """The secret of a person's device, set up in the browser."""
    async with browser(api, email) as http:
        shown = await http.post("/account/code", data={"csrf": await token_of(http)})
        found = re.search(r"<code>([A-Z2-7 ]+)</code>", shown.text)
        assert found is not None
        secret = base64.b32decode(found[1].replace(" ", ""))
        code = totp.code(secret, totp.step_of(datetime.now(UTC)) - 1)
        done = await http.post("/account/code/confirm", data={"csrf": await token_of(http), "code": code})
        assert done.status_code == 303
    return secret


async def by_code(api: Api, email: str, secret: bytes) -> httpx.Response:
    """The answer to a log-in with the device's code of now."""
    async with api.http() as http:
        await entered(http, email)
        page = (await http.get("/login/code")).text
        found = re.search(r'action="/login/code".*?name="csrf" value="([^"]+)"', page, re.DOTALL)
        code = totp.code(secret, totp.step_of(datetime.now(UTC)))
        return await http.post("/login/code", data={"csrf": found[1] if found else "", "code": code})


async def copied(owner: asyncpg.Connection) -> str:
    """Every row of every table as a dump writes it."""
    found = []
    for table in [r["relname"] for r in await owner.fetch(TABLES)]:
        found += [f"{table} {r[0]}" for r in await owner.fetch(f'select t::text from "{table}" t')]
    return "\n".join(found)


def forms(secret: bytes) -> list[str]:
    """A secret as somebody may have written it."""
    said = [secret.hex(), base64.b32encode(secret).decode(), base64.b64encode(secret).decode()]
    return [*said, secret.decode()] if secret.isascii() else said


async def signing(owner: asyncpg.Connection) -> bytes:
    """The secret that signs a receiver's webhooks."""
    secret = await webhooks.set_webhook(owner, vault(), RECEIVER, "https://food-a.example.org/hook")
    assert secret is not None
    return secret.encode()


async def test_a_copy_of_the_database_gives_no_code_and_nobodys_secret(api: Api) -> None:
    email = await joined(api, "operator", "operator")
    secret = await enrolled(api, email)
    async with api.owner() as owner:
        receivers = await signing(owner)
        dump = await copied(owner)
    assert email in dump and all(
        table in dump for table in ("second_factor", "identity_provider", "webhook_secret")
    )
    key = base64.b64decode(receivers.removeprefix(b"whsec_"))
    for kept_secret in (secret, CLIENT[1].encode(), receivers, key):
        assert [form for form in forms(kept_secret) if form in dump] == []
    assert VAULT_KEY not in dump and KEK.hex() not in dump
    assert (await by_code(api, email, secret)).status_code == 303, "and yet it serves"


async def test_a_devices_secret_that_was_moved_to_another_person_opens_nothing(api: Api) -> None:
    mine, theirs = [await joined(api, "operator", "operator") for _ in range(2)]
    secret = await enrolled(api, mine)
    await enrolled(api, theirs)
    move = """update second_factor set secret = (select secret from second_factor f join app_user u on u.id = f.user_id
        where u.email = $1), last_step = 0 where user_id = (select id from app_user where email = $2)"""
    async with api.owner() as owner:
        await owner.execute(move, mine, theirs)
    got = await by_code(api, theirs, secret)
    assert got.status_code == 503 and "set-cookie" not in got.headers
    async with api.owner() as owner:
        with pytest.raises(Locked, match=r"device [0-9a-f-]{36}: .*moved to another row"):
            await kept.wrap(owner, Vault(LocalKms([NEW, KEK], vault().random)))
        await people.reset(owner, theirs)


async def test_a_providers_secret_is_sent_nowhere_but_where_it_was_registered(
    api: Api, provider: Provider
) -> None:
    email = await joined(api, HOME)
    await provider.person(email, email=email, email_verified=True)
    before = await provider.exchanged()
    async with Provider() as another, api.owner() as owner, api.http() as http:
        await another.person(email, email=email, email_verified=True)
        await owner.execute("update identity_provider set issuer = $1", another.issuer)
        left = await http.get(f"/login/organization/{HOME}")
        back = await http.get(await another.vouched(left.headers["location"], email))
        assert (back.status_code, await another.exchanged()) == (503, 0)
        assert (await http.get("/v1/me")).status_code == 401
    assert await provider.exchanged() == before


async def test_a_new_key_takes_over_and_what_was_in_the_clear_is_sealed(api: Api) -> None:
    email = await joined(api, "operator", "operator")
    secret = await enrolled(api, email)
    async with api.owner() as owner:
        user = await owner.fetchval("select id from app_user where email = $1", email)
        await owner.execute(
            "update second_factor set kek = null, secret = $2, last_step = 0 where user_id = $1", user, secret
        )
        await owner.execute("update identity_provider set kek = null, client_secret = $1", CLIENT[1].encode())
        receivers = await signing(owner)
        await owner.execute("update webhook_secret set kek = null, secret = $1", receivers)
    assert (await by_code(api, email, secret)).status_code == 503, "what is in the clear serves nobody"
    config = Settings(vault_key=VAULT_KEY)
    assert (await kept.seal(api.url, config), await kept.seal(api.url, config)) == (3, 0)
    assert (await by_code(api, email, secret)).status_code == 303
    both = Vault(LocalKms([NEW, KEK], vault().random))
    where = Exchange(Settings(), api.url, KafkaLogin(bootstrap=""), "")
    _, retired = await command._rewrap(where, both)
    assert retired == [vault().kek]
    only = Vault(LocalKms([NEW], vault().random))
    async with api.owner() as owner:
        assert await opens(owner, only, user) == (secret, CLIENT[1].encode(), receivers)
        with pytest.raises(Locked):
            await opens(owner, vault(), user)
    _, retired = await command._rewrap(where, Vault(LocalKms([KEK, NEW], vault().random)))
    assert retired == [only.kek]


async def test_the_apis_role_does_not_read_what_signs_webhooks(api: Api) -> None:
    async with api.owner() as owner:
        await signing(owner)
        for role in ("refex_api", "refex_relay", "refex_reader"):
            async with owner.transaction():
                await owner.execute(f"set local role {role}")
                assert await owner.fetchval("select count(*) from organization") > 0, "and yet it reads"
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with owner.transaction():
                        await owner.fetch("select * from webhook_secret")


async def opens(owner: asyncpg.Connection, with_keys: Vault, user: UUID) -> tuple[bytes, bytes, bytes]:
    """What the stored secrets are to whoever has those keys."""
    device = await owner.fetchrow("select * from second_factor where user_id = $1", user)
    client = await owner.fetchrow("select * from identity_provider where tenant = $1", HOME)
    hook = await owner.fetchrow("select * from webhook_secret where tenant = $1", RECEIVER)
    assert device is not None and client is not None and hook is not None
    whose = kept.of_provider(HOME, client["issuer"], client["client_id"])
    return (
        kept.opened(with_keys, device["kek"], device["secret"], kept.of_device(user, device["tenant"])),
        kept.opened(with_keys, client["kek"], client["client_secret"], whose),
        kept.opened(with_keys, hook["kek"], hook["secret"], kept.of_receiver(RECEIVER)),
    )
