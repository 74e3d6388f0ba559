"""What wraps the persons' keys and other secrets: a key-encryption key held outside the database.

Comes in: a key, whose it is. Goes out: the wrapped key, or the key again. `Kms` is all that a key service has
to offer; `LocalKms` keeps its keys in a setting or a file. Must never write a key into Postgres.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.keyfiles import made_once
from infra.settings import Settings, SettingsError

NONCE_BYTES = 12


class Locked(RuntimeError):
    """Keys or secrets are wrapped by a key that this process does not have, or not as it should be; the message says
    what to do."""


class Kms(Protocol):
    """A holder of key-encryption keys. Called for a person's first record and when a key is not in memory."""

    @property
    def id(self) -> str:
        """The key that wraps from now on."""

    def knows(self, id: str) -> bool:
        """Whether it can unwrap what that key wrapped."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key, or another short secret, wrapped by `id` and bound to its context."""

    def unwrap(self, id: str, wrapped: bytes, context: bytes) -> bytes:
        """The key again. Raises Locked."""


class LocalKms:
    """Keys of 32 bytes in memory: the first wraps, all unwrap."""

    def __init__(self, keys: Sequence[bytes], random: Callable[[int], bytes]) -> None:
        self._keys = {_id_of(key): AESGCM(key) for key in keys}
        self._id = _id_of(keys[0])
        self._random = random

    @property
    def id(self) -> str:
        """The key that wraps from now on."""
        return self._id

    def knows(self, id: str) -> bool:
        """Whether it has that key."""
        return id in self._keys

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """AES-256-GCM under a nonce of its own."""
        nonce = self._random(NONCE_BYTES)
        return nonce + self._keys[self._id].encrypt(nonce, key, context)

    def unwrap(self, id: str, wrapped: bytes, context: bytes) -> bytes:
        """Raises Locked for another's key, and for one that was altered or moved to another person."""
        cipher = self._keys.get(id)
        if cipher is None:
            raise locked(id)
        try:
            return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise Locked(
                "what a key wraps was altered in the database, or moved to another row: restore it, or set it anew"
            ) from None


def locked(id: str) -> Locked:
    """What to do about a key that is not here."""
    return Locked(
        f"the persons' keys are wrapped by key {id}, which this process does not have: set REFEX_VAULT_KEY to it, or "
        "copy vault/kek.key from the data directory that made it"
    )


def local_kms(config: Settings, random: Callable[[int], bytes]) -> LocalKms:
    """REFEX_VAULT_KEY (keys of 32 bytes in base64, separated by commas, the newest first), else files of the data
    directory: vault/kek.key, and vault/old-*.key beside it. Raises SettingsError."""
    if config.vault_key:
        return LocalKms([_key_of(text.strip()) for text in config.vault_key.split(",")], random)
    folder: Path = config.data_path / "vault"
    newest = made_once(folder / "kek.key")
    return LocalKms([newest, *(path.read_bytes() for path in sorted(folder.glob("old-*.key")))], random)


def _key_of(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise SettingsError(
            "REFEX_VAULT_KEY must be 32 random bytes in base64 (several: separated by commas)"
        )
    return key


def _id_of(key: bytes) -> str:
    return sha256(b"refex key-encryption key" + key).hexdigest()[:16]
