"""Signed checkpoints: where every chain ended at a moment, in a file outside the database, one line each.

Comes in: heads and an Ed25519 key. Goes out: lines that follow from each other. Must never rewrite a line: a database
whose chains were cut or made anew no longer agrees with them.
"""

import base64
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from infra.audit.chain import Head


class Tampered(ValueError):
    """The file of checkpoints is not as it was written; the message says at which line."""


class Checkpoint(Struct, frozen=True):
    """The chains that grew since the checkpoint before: chain -> (length, hash in hex)."""

    at: datetime
    previous: str
    heads: Mapping[str, tuple[int, str]]
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        unsigned = Checkpoint(self.at, self.previous, dict(sorted(self.heads.items())))
        return msgspec.json.encode(unsigned)


def made(key: Ed25519PrivateKey, heads: Iterable[Head], previous: bytes, at: datetime) -> bytes:
    """The next line of the file; `previous` is the line before it, empty for the first."""
    reached = {h.chain: (h.length, h.hash.hex()) for h in heads}
    unsigned = Checkpoint(at, sha256(previous).hexdigest(), reached)
    signature = base64.b64encode(key.sign(unsigned.signed_bytes())).decode()
    return msgspec.json.encode(msgspec.structs.replace(unsigned, signature=signature))


def append(file: Path, line: bytes) -> None:
    """Add the line, in place of one that a crash cut short, and wait until it is on disk."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        if end and os.pread(descriptor, 1, end - 1) != b"\n":
            end = file.read_bytes().rfind(b"\n") + 1
            os.ftruncate(descriptor, end)
            os.lseek(descriptor, end, os.SEEK_SET)
        os.write(descriptor, line + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lines(file: Path) -> list[bytes]:
    """The whole lines of the file; one that a crash cut short is none."""
    return file.read_bytes().split(b"\n")[:-1] if file.exists() else []


def read(kept: Iterable[bytes], key: Ed25519PublicKey) -> list[Checkpoint]:
    """Every checkpoint, each signed and following from the one before. Raises Tampered."""
    found: list[Checkpoint] = []
    previous = b""
    for number, line in enumerate(kept, 1):
        try:
            checkpoint = msgspec.json.decode(line, type=Checkpoint)
            key.verify(base64.b64decode(checkpoint.signature), checkpoint.signed_bytes())
        except (msgspec.DecodeError, ValueError, InvalidSignature):
            raise Tampered(f"checkpoint {number} is not signed by this key") from None
        if checkpoint.previous != sha256(previous).hexdigest():
            raise Tampered(f"checkpoint {number} does not follow from the one before it")
        found.append(checkpoint)
        previous = line
    return found
