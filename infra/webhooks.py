"""Where an organization wants its news, and the secret that signs it.

Comes in: an organization and a URL. Goes out: the secret, once. Must never accept a URL that is not plain HTTP(S).
"""

import base64
import secrets
from urllib.parse import urlsplit

import asyncpg

from infra.participants import SQL, ParticipantError, unknown
from infra.postgres import affected


async def set_webhook(connection: asyncpg.Connection, organization: str, url: str | None) -> str | None:
    """Set or, without a URL, stop an organization's webhook; returns the new secret. Raises ParticipantError."""
    secret = None
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ParticipantError("the webhook must be an http(s) URL without a user name in it")
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    if not affected(await connection.execute(SQL["set_webhook"], organization, url, secret)):
        raise unknown(organization)
    return secret
