"""Secrets used as they are, a device's, a provider's, a receiver's: wrapped by the key-encryption key, for their row.

Comes in: a secret and whose it is. Goes out: what is stored, and the secret again. Must never open a secret that was
moved to another row, nor send a provider's to an address that it was not registered with.
"""

from collections.abc import Callable, Mapping
from uuid import UUID

import asyncpg
import msgspec

from infra.postgres import connect, queries
from infra.settings import Settings
from infra.vault.kms import Locked
from infra.vault.vault import Vault, vault_of

SQL = queries("infra.vault", "kept.sql")


def of_device(user: UUID, tenant: str) -> bytes:
    """Whose a second step's secret is."""
    return msgspec.json.encode(("second-factor", user, tenant))


def of_provider(tenant: str, issuer: str, client_id: str) -> bytes:
    """Whose a provider's secret is, and where alone it may be sent."""
    return msgspec.json.encode(("identity-provider", tenant, issuer, client_id))


def of_receiver(tenant: str) -> bytes:
    """Whose the secret is that signs an organization's webhooks."""
    return msgspec.json.encode(("webhook", tenant))


def opened(vault: Vault, kek: str | None, secret: bytes, whose: bytes) -> bytes:
    """The secret of a row. Raises Locked."""
    if kek is None:
        raise Locked("a secret is still in the clear: run `refex migrate`, which seals it")
    return vault.unwrap(kek, secret, whose)


async def seal(url: str, config: Settings) -> int:
    """Seal what earlier versions stored in the clear; how many. Raises Locked, SettingsError."""
    connection = await connect(url, "migrate")
    try:
        if not await connection.fetchval(SQL["in_the_clear"]):
            return 0
        return await wrap(connection, vault_of(config), only_clear=True)
    finally:
        await connection.close()


async def wrap(connection: asyncpg.Connection, vault: Vault, only_clear: bool = False) -> int:
    """Wrap by the newest key what an older one wraps, or none; how many. Raises Locked."""
    done = 0
    async with connection.transaction():
        await vault.agree(connection)
        for kind, whose in KINDS.items():
            for row in await connection.fetch(SQL[f"{kind}s"], vault.kek, only_clear):
                secret = _secret(vault, kind, row, whose(row))
                wrapped = vault.wrap(secret, whose(row))
                await connection.execute(SQL[f"seal_{kind}"], row["id"], vault.kek, wrapped)
                done += 1
    return done


def _secret(vault: Vault, kind: str, row: asyncpg.Record, whose: bytes) -> bytes:
    secret: bytes = row["secret"]
    try:
        return secret if row["kek"] is None else vault.unwrap(row["kek"], secret, whose)
    except Locked as error:
        raise Locked(f"{kind} {row['id']}: {error}") from None


KINDS: Mapping[str, Callable[[asyncpg.Record], bytes]] = {
    "device": lambda row: of_device(row["id"], row["tenant"]),
    "provider": lambda row: of_provider(row["id"], row["issuer"], row["client_id"]),
    "receiver": lambda row: of_receiver(row["id"]),
}
