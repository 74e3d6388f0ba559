"""Secrets: made at random, kept only as hashes - argon2id for what people type, SHA-256 for 256-bit random keys.

Comes in: a password or a client secret. Goes out: its hash, or whether they agree. Must never log either.
"""

import hashlib
import hmac
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's minimum for argon2id: 30 ms here, so that 40 demo log-ins cost half a second and a login stays cheap.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aeiou"


def new_secret() -> str:
    """A client secret or a Kafka password: 256 random bits as text."""
    return secrets.token_urlsafe(32)


def new_password(syllables: int = 8) -> str:
    """A password a person can read out and type, 50 bits: `tamu-rilo-keda-fosi`."""
    parts = [secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(syllables)]
    return "-".join("".join(parts[i : i + 2]) for i in range(0, syllables, 2))


def hash_password(password: str) -> str:
    """The argon2id hash to store in app_user.password_hash; blocks for tens of milliseconds."""
    return _HASHER.hash(password)


def verify_password(stored: str, password: str) -> bool:
    """Whether the password is the stored one; blocks for tens of milliseconds."""
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def hash_secret(secret: str) -> str:
    """What client.secret_hash holds: a random 256-bit key needs no slow hash."""
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()


def hashed(token: str) -> bytes:
    """What is stored of a token, a session's or a link's, of 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def verify_secret(stored: str, secret: str) -> bool:
    """Whether the client secret is the stored one, in constant time."""
    return hmac.compare_digest(stored.encode(), hash_secret(secret).encode())
