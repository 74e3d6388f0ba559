"""POST /oauth/token (RFC 6749 client credentials) and the SMART configuration that announces it.

Comes in: a client's proof of itself (clients.py). Goes out: an opaque random token, stored as its hash. Must never
store or log the token itself.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import auth, clients, metrics, policy
from api.clients import OAuthError
from api.context import context
from api.problems import Problem
from infra.client_keys import KEY_TYPES
from infra.passwords import hashed
from infra.scopes import SCOPES

TOKEN_LIFE = timedelta(hours=1)
METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt"]


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
            "token_endpoint": clients.token_url(request),
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": METHODS,
            "token_endpoint_auth_signing_alg_values_supported": sorted(KEY_TYPES),
            "scopes_supported": scopes,
            "response_types_supported": [],
            "capabilities": [
                "client-confidential-symmetric",
                "client-confidential-asymmetric",
                "permission-v2",
            ],
            "code_challenge_methods_supported": ["S256"],
        },
        200,
    )


async def _grant(request: Request) -> dict[str, Any]:
    form = await _form(request)
    client = await clients.identify(request, form)
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
            hashed(value),
            client["tenant"],
            client["client_id"],
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


def _answer(body: dict[str, Any], status: int) -> Response:
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(msgspec.json.encode(body), status, headers, "application/json")
