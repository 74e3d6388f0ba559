"""An organization's client that signs instead of sending a secret: its public keys, or the address where they are.

Comes in: an organization and its key set or address. Goes out: the client's id. Must never take an address that is
not https, except on this machine itself.
"""

import asyncpg

from infra import addresses, client_keys
from infra.participants import SQL, ParticipantError, type_of
from infra.postgres import affected
from infra.scopes import scope_of


async def set_keys(
    connection: asyncpg.Connection, organization: str, jwks: bytes | None, url: str | None
) -> str | None:
    """Register the keys or their address, or, with neither, end the client; returns its id. Raises ParticipantError."""
    kind = await type_of(connection, organization)
    client_id = f"{organization}-signing"
    if jwks is None and url is None:
        await connection.execute(SQL["end_signing_client"], client_id, organization)
        return None
    values = (client_id, organization, scope_of(kind), _checked_keys(jwks), _checked_url(url))
    if not affected(await connection.execute(SQL["upsert_signing_client"], *values)):
        raise ParticipantError(f"the client id {client_id} is taken; end that client first")
    return client_id


def _checked_keys(jwks: bytes | None) -> str | None:
    if jwks is None:
        return None
    try:
        client_keys.parse(jwks)
    except client_keys.BadKeys as error:
        raise ParticipantError(str(error)) from None
    return jwks.decode()


def _checked_url(url: str | None) -> str | None:
    if url is None:
        return None
    if not addresses.secure(url):
        raise ParticipantError("the key set's address must be an https URL without a user name or a fragment")
    return url
