"""Log-in at an organization's own identity provider (OpenID Connect): there and back, by code with PKCE.

Comes in: an organization; later what the provider's page sent the browser back with. Goes out: where to go; later a
session. Must never take an answer that this browser did not ask for, or let in whom the organization has not added.
Sources: OpenID Connect Core 1.0 section 3.1, Discovery 1.0; RFC 7636 (PKCE); RFC 9207 (iss).
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

import asyncpg
import httpx
import msgspec
import structlog
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from starlette.requests import Request

from api import id_token
from api.context import context
from api.descriptions import BASIC, MAX_BYTES, Description
from api.fetching import FAILED, fetched
from api.id_token import NotVouched
from api.sessions import Begun, Person, begin
from infra.passwords import hashed
from infra.postgres import queries

SQL = queries("api", "oidc.sql")
log = structlog.get_logger("refex.api")
LIFE = timedelta(minutes=10)


class Left(NamedTuple):
    """Where to send the browser, and what it must hold when it comes back."""

    url: str
    browser: str


async def offered(request: Request, email: str) -> list[asyncpg.Record]:
    """The organizations whose provider vouches for addresses like this one."""
    async with context(request).database.own() as connection:
        return await connection.fetch(SQL["providers"], email.rpartition("@")[2].lower())


async def leave(request: Request, organization: str, following: str) -> Left | None:
    """Begin a log-in there; None for an organization without a provider, or one that does not answer."""
    provider = await _provider(request, organization)
    if provider is None:
        return None
    try:
        description = await context(request).descriptions.of(provider["issuer"])
    except NotVouched as error:
        log.warning("an identity provider cannot be used", reason=error)
        return None
    state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
    async with context(request).database.own() as connection:
        values = (hashed(state), organization, hashed(browser), nonce, verifier, following)
        await connection.execute(SQL["leave"], *values, datetime.now(UTC) + LIFE)
    url = prepare_grant_uri(
        description.authorization_endpoint,
        provider["client_id"],
        "code",
        redirect_uri(request),
        "openid email",
        state,
        nonce=nonce,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )
    return Left(url, browser)


async def arrive(request: Request, browser: str) -> tuple[Begun, str] | None:
    """A session for whom the provider vouches, and where to go on; None for everything else. Serves once."""
    asked = request.query_params
    state, code, now = asked.get("state", ""), asked.get("code", ""), datetime.now(UTC)
    async with context(request).database.own() as connection:
        flow = await connection.fetchrow(SQL["arrive"], hashed(state), hashed(browser), now)
    if flow is None or not code:
        return None
    try:
        email = await _vouched(request, flow, code)
    except NotVouched as error:
        log.warning("a provider's answer was refused", reason=error)
        return None
    async with context(request).database.own() as connection:
        user = await connection.fetchrow(SQL["user"], flow["tenant"], email)
    if user is None:
        return None
    return await begin(request, Person.of(user)), flow["following"]


def redirect_uri(request: Request) -> str:
    """Where providers send browsers back to; registered with each of them."""
    return f"{context(request).settings.base_url}/login/oidc"


async def _vouched(request: Request, flow: asyncpg.Record, code: str) -> str:
    """The address that the provider's token vouches for. Raises NotVouched."""
    provider = await _provider(request, flow["tenant"])
    if provider is None:
        raise NotVouched("no provider any more")
    if request.query_params.get("iss", provider["issuer"]) != provider["issuer"]:
        raise NotVouched("another issuer answered")
    description = await context(request).descriptions.of(provider["issuer"])
    text = await _exchanged(request, provider, description, flow["verifier"], code)
    keys = await context(request).provider_keys.keys(description.jwks_uri, id_token.key_id(text))
    client_id, domains = provider["client_id"], provider["domains"]
    now = datetime.now(UTC)
    return id_token.address(text, keys, provider["issuer"], client_id, flow["nonce"], domains, now)


async def _exchanged(
    request: Request, provider: asyncpg.Record, description: Description, verifier: str, code: str
) -> str:
    """The ID token for the code (RFC 6749 section 4.1.3). Raises NotVouched."""
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    form["redirect_uri"] = redirect_uri(request)
    proof: dict[str, Any] = {"data": form}
    if BASIC in description.token_endpoint_auth_methods_supported:
        name, secret = (quote(provider[part], safe="") for part in ("client_id", "client_secret"))
        proof["auth"] = httpx.BasicAuth(name, secret)
    else:
        form |= {"client_id": provider["client_id"], "client_secret": provider["client_secret"]}
    try:
        answer = msgspec.json.decode(
            await fetched(description.token_endpoint, MAX_BYTES, "POST", **proof), type=dict[str, Any]
        )
    except (*FAILED, msgspec.DecodeError) as error:
        raise NotVouched(f"the code was not exchanged: {type(error).__name__}") from None
    found = answer.get("id_token")
    if not isinstance(found, str):
        raise NotVouched("no ID token")
    return found


async def _provider(request: Request, organization: str) -> asyncpg.Record | None:
    async with context(request).database.own() as connection:
        return await connection.fetchrow(SQL["provider"], organization)
