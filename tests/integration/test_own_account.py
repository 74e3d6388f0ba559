"""A person's account at their organization's provider: the first that logs them in is theirs, until a reset."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from infra import identity_providers, people
from infra.audit import records
from infra.identity_providers import Provider as Registered
from tests.support.api import Api
from tests.support.managing import deed, person
from tests.support.people import browser, joined, unhurried
from tests.support.provider import CLIENT, Provider
from tests.support.vault import vault

pytestmark = pytest.mark.real
HOME = "clinic-a"


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as running:
        yield running


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("account")) as running:
        unhurried(running)
        async with running.owner() as owner:
            found = Registered(provider.issuer, *CLIENT, [f"{HOME}.example.org"])
            await identity_providers.set_provider(owner, vault(), HOME, found)
        yield running


async def account(provider: Provider, email: str, sub: str | None = None) -> str:
    """An account there that has this address now."""
    named = sub or f"account-{uuid4().hex}"
    await provider.person(named, email=email, email_verified=True)
    return named


async def logged_in(api: Api, provider: Provider, sub: str) -> tuple[int, int, httpx.Response]:
    """What the log-in through the provider answers, whether a session came of it, and the answer."""
    async with api.http() as http:
        http.headers["X-Request-Id"] = uuid4().hex
        left = await http.get(f"/login/organization/{HOME}")
        got = await http.get(await provider.vouched(left.headers["location"], sub))
        return got.status_code, (await http.get("/v1/me")).status_code, got


async def on_record(api: Api, email: str) -> list[tuple[Any, ...]]:
    """Log-ins by this person through a provider, as the audit has them."""
    query = "select body from audit_record where kind = 'request' order by at"
    async with api.owner() as owner:
        user = str(await owner.fetchval("select id from app_user where email = $1", email))
        found = [records.record("request", r["body"]) for r in await owner.fetch(query)]
    return [
        (r.organization, r.action, r.status)
        for r in found
        if isinstance(r, records.Request) and r.user == user and r.route == "GET /login/oidc"
    ]


async def test_another_account_of_the_same_address_stays_out_until_a_reset(
    api: Api, provider: Provider
) -> None:
    email = await joined(api, HOME)
    first, second = await account(provider, email), await account(provider, email)
    assert (await logged_in(api, provider, first))[:2] == (303, 200)
    status, me, page = await logged_in(api, provider, second)
    assert (status, me) == (403, 401)
    assert "another account than the first time" in page.text and "reset" in page.text
    assert (await logged_in(api, provider, first))[:2] == (303, 200), "the first one still counts"
    assert await on_record(api, email) == [
        (HOME, "log-in", 303),
        (HOME, "log-in", 403),
        (HOME, "log-in", 303),
    ]
    async with api.owner() as owner:
        await people.reset(owner, email)
    assert (await logged_in(api, provider, second))[:2] == (303, 200)
    assert (await logged_in(api, provider, first))[:2] == (403, 401)


async def test_an_account_whose_address_becomes_a_colleagues_stays_its_persons(
    api: Api, provider: Provider
) -> None:
    ana, ben = await joined(api, HOME), await joined(api, HOME)
    sub = await account(provider, ana)
    assert (await logged_in(api, provider, sub))[:2] == (303, 200)
    await account(provider, ben, sub)
    assert (await logged_in(api, provider, sub))[:2] == (403, 401)
    async with api.owner() as owner:
        await people.disable(owner, ana)
    assert (await logged_in(api, provider, sub))[:2] == (303, 200), (
        "the address of who left may be given anew"
    )


async def test_a_reset_by_the_organizations_admin_counts_as_well(api: Api, provider: Provider) -> None:
    boss, email = await joined(api, HOME, "admin"), await joined(api, HOME)
    first, second = await account(provider, email), await account(provider, email)
    assert (await logged_in(api, provider, first))[:2] == (303, 200)
    async with browser(api, boss) as admin:
        done = await deed(admin, (await person(api, email))["id"], "reset")
        assert done.status_code == 200, done.text
    assert (await logged_in(api, provider, second))[:2] == (303, 200)
    assert (await logged_in(api, provider, first))[:2] == (403, 401)


async def test_the_api_itself_cannot_bind_a_person_to_another_account(api: Api, provider: Provider) -> None:
    email = await joined(api, HOME)
    assert (await logged_in(api, provider, await account(provider, email)))[0] == 303
    async with api.app.state.context.database.own() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("update provider_account set subject = 'another'")
        assert await connection.execute("delete from provider_account") == "DELETE 0", "no organization asks"
