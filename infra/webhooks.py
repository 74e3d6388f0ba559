"""Where an organization wants its news, and the secret that signs it.

Comes in: an organization and a URL. Goes out: the secret, once. Must never accept a URL that is not plain HTTP(S), nor
store the secret as it is.
"""

import base64
import secrets
from urllib.parse import urlsplit

import asyncpg

from infra.participants import SQL, ParticipantError, unknown
from infra.postgres import affected
from infra.vault import kept
from infra.vault.vault import Vault


async def set_webhook(
    connection: asyncpg.Connection, vault: Vault, organization: str, url: str | None
) -> str | None:
    """Set or, without a URL, stop an organization's webhook; the new secret. Raises ParticipantError, Locked."""
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ParticipantError("the webhook must be an http(s) URL without a user name in it")
    async with connection.transaction():
        if not affected(await connection.execute(SQL["set_webhook"], organization, url)):
            raise unknown(organization)
        if url is None:
            await connection.execute(SQL["forget_webhook_secret"], organization)
            return None
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        await vault.agree(connection)
        wrapped = vault.wrap(secret.encode(), kept.of_receiver(organization))
        await connection.execute(SQL["keep_webhook_secret"], organization, vault.kek, wrapped)
    return secret
