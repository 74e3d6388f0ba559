"""The exchange's keys for what is on its way: one a day, made a day ahead, deleted when nothing can need it any more.

Comes in: a session of a worker, or of the API. Goes out: private keys for the Opener, the public key of today. The
private halves are wrapped as persons' keys are; must never hand one out unwrapped.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from infra.postgres import Connection, queries
from infra.vault.travel import ID_BYTES
from infra.vault.vault import Vault

SQL = queries("infra.vault", "intake.sql")
DAY = timedelta(days=1)
AHEAD = 2
KEPT = timedelta(days=9)
"""After its day: one more in which sessions made with it go on, seven of retention, one for whoever is late."""


class PublicKey(NamedTuple):
    """The key that producers seal to until a moment."""

    id: bytes
    public: bytes
    until: datetime


async def keep(connection: Connection, vault: Vault, now: datetime) -> dict[bytes, X25519PrivateKey]:
    """Make the keys of today and the next days, forget the old, and return all there are. Raises Locked."""
    await vault.keyring(connection, ())
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(AHEAD + 1):
        await _make(connection, vault, day + number * DAY)
    await connection.execute(SQL["forget"], now - KEPT)
    return await private_keys(connection, vault)


async def private_keys(connection: Connection, vault: Vault) -> dict[bytes, X25519PrivateKey]:
    """Every key there is. Raises Locked."""
    found = {}
    for row in await connection.fetch(SQL["all"]):
        private = vault.unwrap(row["kek"], row["wrapped"], _context(row["id"]))
        found[row["id"]] = X25519PrivateKey.from_private_bytes(private)
    return found


async def public_key(connection: Connection, now: datetime) -> PublicKey | None:
    """The key of this moment; None while no worker has made any."""
    row = await connection.fetchrow(SQL["public"], now)
    return PublicKey(row["id"], row["public"], row["used_until"]) if row is not None else None


async def rewrap(connection: Connection, vault: Vault) -> int:
    """Wrap every key by the newest key-encryption key; how many were not."""
    rows = await connection.fetch(SQL["wrapped_before"], vault.kek)
    for row in rows:
        private = vault.unwrap(row["kek"], row["wrapped"], _context(row["id"]))
        wrapped = vault.wrap(private, _context(row["id"]))
        await connection.execute(SQL["rewrap"], row["id"], vault.kek, wrapped)
    return len(rows)


async def _make(connection: Connection, vault: Vault, day: datetime) -> None:
    if await connection.fetchval(SQL["there"], day):
        return
    private, id = X25519PrivateKey.generate(), os.urandom(ID_BYTES)
    wrapped = vault.wrap(private.private_bytes_raw(), _context(id))
    public = private.public_key().public_bytes_raw()
    await connection.execute(SQL["make"], id, public, vault.kek, wrapped, day, day + DAY)


def _context(id: bytes) -> bytes:
    return b"intake" + id
