"""POST /oauth/token (RFC 6749 client credentials) and the SMART configuration that announces it.

Comes in: a client's id and secret. Goes out: an opaque random token, stored as its hash. Must never store or log a
secret, nor say which part of the credentials was wrong.
"""

import asyncio
import base64
import binascii
import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import unquote_plus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import auth, metrics, policy
from api.context import context
from api.problems import Problem
from infra import passwords
from infra.scopes import SCOPES

TOKEN_LIFE = timedelta(hours=1)
METHODS = ["client_secret_basic", "client_secret_post"]
_verified: dict[tuple[str, str, str], datetime] = {}


class OAuthError(Exception):
    """An error as RFC 6749 5.2 words it."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


async def token(request: Request) -> Response:
    """Exchange client credentials for an access token."""
    try:
        return _answer(await _grant(request), 200)
    except OAuthError as error:
        response = _answer({"error": error.error, "error_description": error.description}, error.status)
        if error.status == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="refex"'
        return response


async def smart_configuration(request: Request) -> Response:
    """Where and how a client gets its token (SMART App Launch, backend services)."""
    base = context(request).settings.base_url
    scopes = sorted({s for held in SCOPES.values() for s in held})
    return _answer(
        {
            "issuer": base,
            "token_endpoint": f"{base}/oauth/token",
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": METHODS,
            "scopes_supported": scopes,
            "response_types_supported": [],
            "capabilities": ["client-confidential-symmetric", "permission-v2"],
            "code_challenge_methods_supported": ["S256"],
        },
        200,
    )


async def _grant(request: Request) -> dict[str, Any]:
    form = await _form(request)
    client_id, secret = _credentials(request, form)
    address = request.client.host if request.client else ""
    context(request).limits.tokens.check(f"{address} {client_id}")
    async with context(request).database.own() as connection:
        client = await connection.fetchrow(auth.SQL["client"], client_id)
    if not await _is_right(client_id, client["secret_hash"] if client else None, secret) or client is None:
        raise OAuthError("invalid_client", "the client id or its secret is wrong", 401)
    if form.get("grant_type") != "client_credentials":
        raise OAuthError("unsupported_grant_type", "send grant_type=client_credentials")
    scopes = policy.narrowed(client["type"], client["scope"], form.get("scope"))
    if not scopes:
        raise OAuthError("invalid_scope", "this client has none of the scopes asked for")
    value = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    scope = " ".join(sorted(scopes))
    async with context(request).database.own() as connection:
        await connection.execute(
            auth.SQL["insert_token"],
            auth.hashed(value),
            client["tenant"],
            client_id,
            scope,
            now,
            now + TOKEN_LIFE,
        )
    seconds = int(TOKEN_LIFE.total_seconds())
    metrics.TOKENS.inc()
    return {"access_token": value, "token_type": "Bearer", "expires_in": seconds, "scope": scope}


async def _form(request: Request) -> dict[str, str]:
    if "form" not in request.headers.get("content-type", ""):
        raise OAuthError("invalid_request", "send application/x-www-form-urlencoded")
    try:
        form = await request.form()
    except Problem:
        raise
    except Exception:
        raise OAuthError("invalid_request", "the form cannot be read") from None
    fields: dict[str, str] = {}
    for name, value in form.multi_items():
        if name in fields or not isinstance(value, str) or "\x00" in value:
            raise OAuthError("invalid_request", "a parameter is repeated or malformed")
        fields[name] = value
    return fields


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        if "client_id" not in form or "client_secret" not in form:
            raise OAuthError("invalid_client", "send the client id and secret, by Basic or in the form", 401)
        return form["client_id"], form["client_secret"]
    if "client_secret" in form:
        raise OAuthError("invalid_request", "send the credentials once: by Basic or in the form")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise OAuthError("invalid_client", "the Basic credentials cannot be read", 401) from None
    client_id, _, secret = text.partition(":")
    if "\x00" in text:
        raise OAuthError("invalid_client", "the Basic credentials cannot be read", 401)
    return unquote_plus(client_id), unquote_plus(secret)


async def _is_right(client_id: str, stored: str | None, secret: str) -> bool:
    """Whether the secret is the client's; a random one is a cheap hash, a chosen one is argon2, remembered briefly."""
    if stored is None or stored.startswith("sha256:"):
        return passwords.verify_secret(stored or "sha256:", secret)
    now = datetime.now(UTC)
    key = (client_id, stored, sha256(secret.encode()).hexdigest())
    if _verified.get(key, now) > now:
        return True
    if not await asyncio.to_thread(passwords.verify_password, stored, secret):
        return False
    if len(_verified) > 1000:
        _verified.clear()
    _verified[key] = now + timedelta(minutes=5)
    return True


def _answer(body: dict[str, Any], status: int) -> Response:
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(msgspec.json.encode(body), status, headers, "application/json")
