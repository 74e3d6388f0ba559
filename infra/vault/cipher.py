"""One sealed field: AES-256-GCM under a person's key, bound to where it stands.

Comes in: content, the person's key, the kind of field and the stream it belongs to. Goes out: bytes that say whose key
opens them, and the content again. Must never open what was altered, or moved to another person, kind or stream.
"""

from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PLAIN, PERSONAL = b"\x00", b"\x01"
SUBMISSION, NOTE = "submission", "note"
ID_BYTES, NONCE_BYTES, TAG_BYTES = 8, 12, 16
HEAD = 1 + 16 + ID_BYTES


class Erased(ValueError):
    """The person was erased: nobody can open this any more."""


class Withheld(Erased):
    """Whoever asks is not given the person's key."""


class Broken(ValueError):
    """Sealed bytes that were altered, cut, or moved from where they belong."""


class Key(NamedTuple):
    """A person's key, unwrapped; it never leaves the process that unwrapped it."""

    person: UUID
    tenant: str
    id: bytes
    cipher: AESGCM


def sealed(key: Key, kind: str, stream: UUID, content: bytes, nonce: bytes) -> bytes:
    """Format byte, person, key id, nonce, ciphertext; `nonce`: 12 random bytes."""
    head = PERSONAL + key.person.bytes + key.id
    return head + nonce + key.cipher.encrypt(nonce, content, _place(head, key.tenant, kind, stream))


def opened(key: Key, kind: str, stream: UUID, content: bytes) -> bytes:
    """What `sealed` was given. Raises Broken."""
    head, body = content[:HEAD], content[HEAD:]
    try:
        return key.cipher.decrypt(
            body[:NONCE_BYTES], body[NONCE_BYTES:], _place(head, key.tenant, kind, stream)
        )
    except (InvalidTag, ValueError):
        raise Broken(f"the sealed {kind} of {stream} was altered or moved; restore it from the log") from None


def named(content: bytes) -> tuple[UUID, bytes] | None:
    """Whose key opens these bytes, and which of theirs; None for plain ones. Raises Broken."""
    if content[:1] in (b"", PLAIN):
        return None
    if content[:1] != PERSONAL or len(content) < HEAD + NONCE_BYTES + TAG_BYTES:
        raise Broken("sealed in a format this version cannot open; update it")
    return UUID(bytes=content[1:17]), content[17:HEAD]


def _place(head: bytes, tenant: str, kind: str, stream: UUID) -> bytes:
    return head + stream.bytes + f"{kind}|{tenant}".encode()
