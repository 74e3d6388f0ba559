"""Personal data on its way: sealed by a producer to the exchange's public key of the day, opened by its workers.

Comes in: content and the event it belongs to. Goes out: bytes that name the key, and the content again. One X25519
agreement a producer's session, then AES-256-GCM a record. Must never open bytes of another event or organization.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

TRAVELLING = b"\x02"
ID_BYTES, PUBLIC_BYTES, NONCE_BYTES, TAG_BYTES = 8, 32, 12, 16
HEAD = 1 + ID_BYTES + PUBLIC_BYTES
SESSIONS = 2_000
BURIED, DEAD_LETTER = b"refex-sealed:", "dead-letter"


class Unopenable(ValueError):
    """Sealed to a key that is not here, or altered, or of another event."""


class Session:
    """One producer's session; make a new one each day, with the exchange's key of that day."""

    def __init__(self, id: bytes, public: bytes) -> None:
        """`id`, `public`: the exchange's key as /.well-known/refex-intake-key tells it. Raises ValueError."""
        own = X25519PrivateKey.generate()
        self._head = TRAVELLING + id + own.public_key().public_bytes_raw()
        self._cipher = _cipher(own.exchange(X25519PublicKey.from_public_bytes(public)), self._head)

    def sealed(self, content: bytes, organization: str, event: str) -> bytes:
        """The content of one event; `event` is its id as the record has it."""
        nonce = os.urandom(NONCE_BYTES)
        return self._head + nonce + self._cipher.encrypt(nonce, content, _whose(organization, event))


class Opener:
    """The exchange's side: its keys as they were last read, and the sessions they have met."""

    def __init__(self, keys: Mapping[bytes, X25519PrivateKey], plain: bool = True) -> None:
        """`plain`: whether senders may still send what is not sealed."""
        self.plain = plain
        self._keys = dict(keys)
        self._session = lru_cache(SESSIONS)(self._agreed)
        self._today: tuple[bytes, Session] | None = None

    def learn(self, keys: Mapping[bytes, X25519PrivateKey], today: bytes | None = None) -> None:
        """These keys and no others from now on; `today`: the one to bury with."""
        if keys.keys() != self._keys.keys():
            self._keys = dict(keys)
            self._session.cache_clear()
        if today is not None and (self._today is None or self._today[0] != today):
            public = keys[today].public_key().public_bytes_raw()
            self._today = today, Session(today, public)

    def buried(self, value: bytes | None, letter: UUID) -> bytes | None:
        """A record nobody could read, as it is kept: what it says of a person lasts as long as the key of the day."""
        if not value or self._today is None:
            return value
        return BURIED + self._today[1].sealed(value, DEAD_LETTER, str(letter))

    def exhumed(self, value: bytes | None, letter: UUID) -> bytes | None:
        """The record as it came. Raises Unopenable."""
        if not value or not value.startswith(BURIED):
            return value
        return self.opened(value[len(BURIED) :], DEAD_LETTER, str(letter))

    def opened(self, content: bytes, organization: str, event: str) -> bytes:
        """What the producer sealed. Raises Unopenable."""
        head, body = content[:HEAD], content[HEAD:]
        if len(body) < NONCE_BYTES + TAG_BYTES:
            raise Unopenable("sealed content was cut")
        try:
            return self._session(head).decrypt(
                body[:NONCE_BYTES], body[NONCE_BYTES:], _whose(organization, event)
            )
        except InvalidTag:
            raise Unopenable("sealed content was altered, or belongs to another event") from None

    def _agreed(self, head: bytes) -> AESGCM:
        key = self._keys.get(head[1 : 1 + ID_BYTES])
        if key is None:
            raise Unopenable("sealed to a key that the exchange does not have, or no longer")
        try:
            shared = key.exchange(X25519PublicKey.from_public_bytes(head[1 + ID_BYTES :]))
        except ValueError:
            raise Unopenable("sealed by a session whose key is none") from None
        return _cipher(shared, head)


def _cipher(shared: bytes, head: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, None, b"refex intake" + head).derive(shared))


def _whose(organization: str, event: str) -> bytes:
    return f"{organization}|{event}".encode()
