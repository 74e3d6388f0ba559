"""Which client asks for a token: by its secret, in the header or the form, or by an assertion it signed.

Comes in: the request and its form. Goes out: the client's row. Must never say which part of the proof was wrong, take
an assertion twice, nor answer 401 when the database is away.
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

import asyncpg
import structlog
from starlette.requests import Request

from api import assertion, auth
from api.assertion import NotGenuine
from api.context import context
from infra import passwords
from infra.client_keys import Key, parse
from infra.postgres import affected
from producers import signing

log = structlog.get_logger("refex.api")


class OAuthError(Exception):
    """An error as RFC 6749 5.2 words it."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


def token_url(request: Request) -> str:
    """Where tokens are asked for: the audience of every assertion."""
    return f"{context(request).settings.base_url}/oauth/token"


async def identify(request: Request, form: dict[str, str]) -> asyncpg.Record:
    """The client that proves itself. Raises OAuthError, or the 429 of too many attempts."""
    signed = form.get("client_assertion")
    if signed is None and "client_assertion_type" not in form:
        return await _by_secret(request, *_credentials(request, form))
    if signed is None or form.get("client_assertion_type") != signing.TYPE:
        raise OAuthError(
            "invalid_request", f"send client_assertion, with client_assertion_type={signing.TYPE}"
        )
    if "client_secret" in form or _basic(request) is not None:
        raise OAuthError("invalid_request", "send one proof: the assertion or a secret")
    try:
        return await _by_assertion(request, signed, form.get("client_id"))
    except NotGenuine as error:
        log.warning("client assertion refused", reason=error)
        raise OAuthError("invalid_client", "the client assertion is not valid", 401) from None


async def _by_secret(request: Request, client_id: str, secret: str) -> asyncpg.Record:
    client = await _client(request, client_id)
    stored = client["secret_hash"] if client is not None else None
    if not passwords.verify_secret(stored or "sha256:", secret) or client is None:
        raise OAuthError("invalid_client", "the client id or its secret is wrong", 401)
    return client


async def _by_assertion(request: Request, text: str, client_id: str | None) -> asyncpg.Record:
    said = assertion.read(text)
    if client_id not in (None, said.issuer):
        raise NotGenuine("client_id is another client")
    client = await _client(request, said.issuer)
    if client is None:
        raise NotGenuine("no such client")
    keys = await _keys(request, client, said.key_id)
    now = datetime.now(UTC)
    jti, ends = assertion.check(said, said.issuer, client["jwks_url"], keys, token_url(request), now)
    async with context(request).database.own() as connection:
        used = await connection.execute(auth.SQL["use_assertion"], said.issuer, jti, ends)
    if not affected(used):
        raise NotGenuine("used before")
    return client


async def _client(request: Request, client_id: str) -> asyncpg.Record | None:
    """The client's row, after its quota."""
    address = request.client.host if request.client else ""
    context(request).limits.tokens.check(f"{address} {client_id}")
    async with context(request).database.own() as connection:
        return await connection.fetchrow(auth.SQL["client"], client_id)


async def _keys(request: Request, client: asyncpg.Record, key_id: str) -> dict[str, Key]:
    """The keys of a client that signs: those registered, or those at its registered address."""
    if client["jwks_url"] is not None:
        return dict(await context(request).key_sets.keys(client["jwks_url"], key_id))
    return parse(client["jwks"].encode()) if client["jwks"] is not None else {}


def _basic(request: Request) -> str | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    return encoded.strip() if scheme.lower() == "basic" else None


def _credentials(request: Request, form: dict[str, Any]) -> tuple[str, str]:
    encoded = _basic(request)
    if encoded is None:
        if "client_id" not in form or "client_secret" not in form:
            raise OAuthError("invalid_client", "send the client id and secret, by Basic or in the form", 401)
        return form["client_id"], form["client_secret"]
    if "client_secret" in form:
        raise OAuthError("invalid_request", "send the credentials once: by Basic or in the form")
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise OAuthError("invalid_client", "the Basic credentials cannot be read", 401) from None
    client_id, _, secret = text.partition(":")
    if "\x00" in text:
        raise OAuthError("invalid_client", "the Basic credentials cannot be read", 401)
    return unquote_plus(client_id), unquote_plus(secret)
