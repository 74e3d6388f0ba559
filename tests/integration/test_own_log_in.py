"""Log-in through an organization's own identity provider: a real provider process, there and back."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from infra import identity_providers
from infra.identity_providers import Provider as Registered
from infra.participants import ParticipantError
from tests.support.api import Api
from tests.support.people import joined, unhurried
from tests.support.provider import CLIENT, Provider
from tests.support.vault import vault

DOMAIN = "clinic-a.example.org"


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as running:
        yield running


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("own")) as running:
        unhurried(running)
        await registered(running, provider.issuer)
        yield running


async def registered(api: Api, issuer: str, secret: str = CLIENT[1], domain: str = DOMAIN) -> None:
    async with api.owner() as owner:
        found = Registered(issuer, CLIENT[0], secret, [domain])
        await identity_providers.set_provider(owner, vault(), "clinic-a", found)


async def known(api: Api, provider: Provider, organization: str = "clinic-a", **claims: Any) -> str:
    """Somebody whom both the organization and its provider know; `claims` as the provider says them."""
    email = await joined(api, organization)
    await provider.person(email, **{"email": email, "email_verified": True, **claims})
    return email


async def away(http: httpx.AsyncClient) -> str:
    """Where the browser is sent to."""
    got = await http.get("/login/organization/clinic-a", params={"next": "/account"})
    assert got.status_code == 303, got.text
    return str(got.headers["location"])


async def is_in(http: httpx.AsyncClient) -> bool:
    return (await http.get("/v1/me")).status_code == 200


async def test_there_and_back(api: Api, provider: Provider) -> None:
    email = await known(api, provider)
    async with api.http() as http:
        found = await http.post("/login/organization", data={"email": email})
        assert re.findall(r'href="(/login/organization/[^"]+)"', found.text) == [
            "/login/organization/clinic-a"
        ]
        back = await http.get(await provider.vouched(await away(http), email))
        assert (back.status_code, back.headers["location"]) == (303, "/account")
        assert email in (await http.get("/account")).text


async def test_an_answer_serves_once_and_in_the_browser_that_asked(api: Api, provider: Provider) -> None:
    email = await known(api, provider)
    async with api.http() as http, api.http() as other:
        address = await provider.vouched(await away(http), email)
        assert (await other.get(address)).status_code == 401 and not await is_in(other)
        await away(other)
        assert (await other.get(address)).status_code == 401 and not await is_in(other)
        assert (await http.get(address)).status_code == 303 and await is_in(http)
    async with api.http() as http:
        assert (await http.get(address)).status_code == 401 and not await is_in(http)


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"email": None},
        {"email": "stranger@clinic-a.example.org"},
        {"email": "staff@clinic-b.example.org"},
        {"nonce": "another"},
        {"iss": "https://elsewhere.example.org"},
        {"aud": "another client"},
        {"exp": 1},
    ],
    ids=str,
)
async def test_whom_the_provider_does_not_vouch_for_stays_out(
    api: Api, provider: Provider, claims: dict[str, Any]
) -> None:
    email = await known(api, provider, **claims)
    async with api.http() as http:
        got = await http.get(await provider.vouched(await away(http), email))
        assert got.status_code == 401 and not await is_in(http)


async def test_the_people_of_others_and_those_shut_out_stay_out(api: Api, provider: Provider) -> None:
    await registered(api, provider.issuer, domain="clinic-b.example.org")
    try:
        email = await known(api, provider, "clinic-b")
        async with api.http() as http:
            got = await http.get(await provider.vouched(await away(http), email))
            assert got.status_code == 401 and not await is_in(http)
    finally:
        await registered(api, provider.issuer)
    email = await known(api, provider)
    async with api.owner() as owner:
        await owner.execute("update app_user set active = false where email = $1", email)
    async with api.http() as http:
        got = await http.get(await provider.vouched(await away(http), email))
        assert got.status_code == 401 and not await is_in(http)


async def test_without_the_secret_or_the_verifier_the_provider_gives_nothing(
    api: Api, provider: Provider
) -> None:
    email, before = await known(api, provider), await provider.exchanged()
    await registered(api, provider.issuer, secret="wrong")
    try:
        async with api.http() as http:
            assert (await http.get(await provider.vouched(await away(http), email))).status_code == 401
    finally:
        await registered(api, provider.issuer)
    async with api.http() as http:
        address = await provider.vouched(await away(http), email)
        async with api.owner() as owner:
            await owner.execute("update login_flow set verifier = 'another'")
        assert (await http.get(address)).status_code == 401
    assert await provider.exchanged() == before


async def test_a_provider_that_is_not_there_or_says_it_is_another(api: Api, provider: Provider) -> None:
    for issuer in ("http://127.0.0.1:9", provider.issuer.replace("127.0.0.1", "localhost") + "/x"):
        await registered(api, issuer)
        try:
            async with api.http() as http:
                got = await http.get("/login/organization/clinic-a")
                assert got.status_code == 401 and "location" not in got.headers
        finally:
            await registered(api, provider.issuer)
    async with api.http() as http:
        assert (await http.get("/login/organization/clinic-b")).status_code == 401


@pytest.mark.parametrize(
    ("issuer", "domain"),
    [
        ("http://id.example.org", DOMAIN),
        ("https://u@id.example.org", DOMAIN),
        ("file:///etc/passwd", DOMAIN),
        ("https://id.example.org", "not a domain"),
        ("https://id.example.org/.well-known/openid-configuration", DOMAIN),
    ],
)
async def test_what_cannot_be_a_provider_is_not_registered(api: Api, issuer: str, domain: str) -> None:
    with pytest.raises(ParticipantError):
        await registered(api, issuer, domain=domain)
