"""Where an installation keeps its checkpoints and the key that signs them: outside the database.

Comes in: settings. Goes out: the key, the file, its public half as text. Must never put either into Postgres.
"""

import base64
import binascii
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from infra.keyfiles import made_once
from infra.settings import Settings, SettingsError


def signing_key(config: Settings) -> Ed25519PrivateKey:
    """REFEX_AUDIT_KEY (32 bytes in base64), else a file of the data directory. Raises SettingsError."""
    if not config.audit_key:
        return Ed25519PrivateKey.from_private_bytes(made_once(config.data_path / "audit" / "signing.key"))
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(config.audit_key, validate=True))
    except (binascii.Error, ValueError):
        raise SettingsError("REFEX_AUDIT_KEY must be 32 random bytes in base64") from None


def checkpoint_file(config: Settings) -> Path:
    """The file of checkpoints; copy it away from here as it grows."""
    folder = config.data_path / "audit"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / "checkpoints.jsonl"


def as_text(key: Ed25519PublicKey) -> str:
    """The public key in base64."""
    return base64.b64encode(key.public_bytes_raw()).decode()


def public_key(text: str) -> Ed25519PublicKey:
    """The public key that `as_text` wrote. Raises ValueError."""
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text.strip(), validate=True))
