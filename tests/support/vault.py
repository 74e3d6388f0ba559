"""Keys for tests: the same key-encryption key in every process of a test, persons' keys that repeat."""

import base64
from random import Random

from infra.vault.cipher import PLAIN
from infra.vault.kms import LocalKms
from infra.vault.vault import Keyring, Vault

KEK = b"a key-encryption key for tests!!"
VAULT_KEY = base64.b64encode(KEK).decode()


def vault(seed: str = "tests") -> Vault:
    """A vault whose keys repeat."""
    random = Random(seed).randbytes
    return Vault(LocalKms([KEK], random), random)


def ring() -> Keyring:
    """A batch's keys, none of them there yet."""
    return Keyring(vault(), {})


def plain(content: bytes) -> bytes:
    """Content as it travels."""
    return PLAIN + content
