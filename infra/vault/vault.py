"""The persons' keys: loaded for a batch in one statement, unwrapped when first used, the newest kept in memory.

Comes in: a transaction, whose keys are wanted. Goes out: a Keyring that seals and opens. A key that is no longer in the
database opens nothing here either: every batch reads anew which there are.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from asyncpg import Record
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.postgres import Connection, queries
from infra.settings import Settings
from infra.vault.cipher import ID_BYTES, NONCE_BYTES, Erased, Key, Withheld, named, opened, sealed
from infra.vault.kms import Kms, Locked, local_kms, locked

SQL = queries("infra.vault", "vault.sql")
MOST = 4_096
"""Unwrapped keys in memory, 2.4 kB each; to unwrap one again costs microseconds."""


class Row(NamedTuple):
    """One row of `person_key`."""

    person: UUID
    tenant: str
    key_id: bytes
    kek: str
    wrapped: bytes


class Vault:
    """One process's way to the keys; `random`: a source of random bytes, another only where runs must repeat."""

    def __init__(self, kms: Kms, random: Callable[[int], bytes] = os.urandom, most: int = MOST) -> None:
        self._kms = kms
        self.random = random
        self.key = lru_cache(most)(self._unwrapped)
        self._known = False

    async def keyring(self, connection: Connection, persons: Collection[UUID]) -> "Keyring":
        """The keys of these people as the transaction sees them. Raises Locked."""
        await self.agree(connection)
        rows = await connection.fetch(SQL["load_keys"], list(persons)) if persons else []
        return Keyring(self, {row.person: row for row in map(row_of, rows)})

    async def agree(self, connection: Connection, first: bool = True) -> None:
        """Before anything is wrapped: what the database has is wrapped by keys that we have. Raises Locked.

        `first`: whether this process may be the first to use its key; the API's role may not say so.
        """
        if self._known:
            return
        there = {r["id"] for r in await connection.fetch(SQL["keks"])}
        for id in sorted(there):
            if not self._kms.knows(id):
                raise locked(id)
        if self._kms.id in there:
            self._known = True
        elif not first:
            raise Locked(f"nobody uses key {self._kms.id} yet: start a worker with it, then try again")
        else:
            await connection.execute(SQL["keep_kek"], self._kms.id)

    @property
    def kek(self) -> str:
        """The key-encryption key that wraps from now on."""
        return self._kms.id

    def made(self, person: UUID, tenant: str) -> tuple[Row, Key]:
        """A new key for a person, and the row that keeps it."""
        secret, id = self.random(32), self.random(ID_BYTES)
        wrapped = self._kms.wrap(secret, _whose(person, tenant, id))
        return Row(person, tenant, id, self._kms.id, wrapped), Key(person, tenant, id, AESGCM(secret))

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        """Another secret of the exchange, wrapped by the newest key."""
        return self._kms.wrap(secret, context)

    def unwrap(self, kek: str, wrapped: bytes, context: bytes) -> bytes:
        """The secret again. Raises Locked."""
        return self._kms.unwrap(kek, wrapped, context)

    def rewrapped(self, row: Row) -> Row:
        """The row, its key wrapped by the newest key. Raises Locked."""
        context = _whose(row.person, row.tenant, row.key_id)
        secret = self._kms.unwrap(row.kek, row.wrapped, context)
        return row._replace(kek=self._kms.id, wrapped=self._kms.wrap(secret, context))

    def open(self, content: bytes, kind: str, stream: UUID, kept: bytes | None) -> bytes:
        """The content of a sealed field; `kept`: key_of() of it. Raises Erased, Withheld, Broken, Locked."""
        whose = named(content)
        if whose is None:
            return content[1:]
        if kept is None:
            raise Erased("the person was erased")
        if not kept:
            raise Withheld("who asks sees ids")
        kek, tenant, wrapped = kept.split(b" ", 2)
        row = Row(whose[0], tenant.decode(), whose[1], kek.decode(), wrapped)
        return opened(self.key(row), kind, stream, content)

    def _unwrapped(self, row: Row) -> Key:
        context = _whose(row.person, row.tenant, row.key_id)
        secret = self._kms.unwrap(row.kek, row.wrapped, context)
        return Key(row.person, row.tenant, row.key_id, AESGCM(secret))


def row_of(record: Record | Mapping[str, Any]) -> Row:
    """What a statement returned of `person_key`."""
    return Row(*(record[name] for name in ("person_key", "tenant", "key_id", "kek", "wrapped")))


class Keyring:
    """The keys of one batch: those there are, those it makes, those it erases."""

    def __init__(self, vault: Vault, kept: Mapping[UUID, Row]) -> None:
        self._vault = vault
        self._kept = dict(kept)
        self._new: dict[UUID, Key] = {}
        self.made: dict[UUID, Row] = {}
        self.erased: dict[UUID, None] = {}

    def child(self) -> "Keyring":
        """The same keys for work that may be thrown away."""
        made = Keyring(self._vault, self._kept)
        made._new, made.made, made.erased = dict(self._new), dict(self.made), dict(self.erased)
        return made

    def seal(self, person: UUID, tenant: str, kind: str, stream: UUID, content: bytes) -> bytes:
        """The field under the person's key; the first makes the key."""
        key = self._key(person)
        if key is None:
            self.made[person], key = self._vault.made(person, tenant)
            self._new[person] = key
        return sealed(key, kind, stream, content, self._vault.random(NONCE_BYTES))

    def open(self, content: bytes, kind: str, stream: UUID) -> bytes:
        """The content of a sealed field. Raises Erased and Broken."""
        whose = named(content)
        if whose is None:
            return content[1:]
        key = self._key(whose[0])
        if key is None or key.id != whose[1]:
            raise Erased("the person was erased")
        return opened(key, kind, stream, content)

    def erase(self, person: UUID) -> None:
        """From here on nothing of the person's can be opened; who says more of them makes a new key."""
        self._kept.pop(person, None)
        self._new.pop(person, None)
        self.made.pop(person, None)
        self.erased[person] = None

    def id(self, person: UUID) -> bytes | None:
        """Which key the person has now."""
        row = self.made.get(person) or self._kept.get(person)
        return row.key_id if row else None

    def _key(self, person: UUID) -> Key | None:
        if (key := self._new.get(person)) is not None:
            return key
        row = self._kept.get(person)
        return self._vault.key(row) if row is not None else None


def persons_in(sealed: Iterable[bytes]) -> set[UUID]:
    """Whose keys open these fields. Raises Broken."""
    return {whose[0] for content in sealed if (whose := named(content)) is not None}


def vault_of(config: Settings) -> Vault:
    """The vault of an installation. Raises SettingsError."""
    return Vault(local_kms(config, os.urandom))


def _whose(person: UUID, tenant: str, id: bytes) -> bytes:
    return person.bytes + id + tenant.encode()
