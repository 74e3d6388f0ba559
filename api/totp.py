"""Codes of six digits that change every half minute, the same on a person's device and here (RFC 6238, RFC 4226).

Comes in: a secret, the time. Goes out: a code, or which step a given one belongs to. Pure. Must never take a code of a
step that one was taken of before.
"""

import base64
import hmac
import struct
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

STEP_S: Final = 30
DIGITS: Final = 6
BYTES: Final = 20
AROUND: Final = (0, -1, 1)
"""Clocks differ: the step before and the one after count too (RFC 6238 section 5.2)."""


def step_of(now: datetime) -> int:
    """The step of a moment."""
    return int(now.timestamp()) // STEP_S


def code(secret: bytes, step: int) -> str:
    """The code of a step: RFC 4226 section 5.3 over the step as a big-endian 64-bit number."""
    digest = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    place = digest[-1] & 0x0F
    number = int.from_bytes(digest[place : place + 4]) & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def taken(secret: bytes, given: str, now: datetime, last: int) -> int | None:
    """The step whose code was given, if it is about now and after the last one taken."""
    for near in AROUND:
        step = step_of(now) + near
        if step > last and hmac.compare_digest(code(secret, step).encode(), given.encode()):
            return step
    return None


def spelled(secret: bytes) -> str:
    """The secret as people type it into their device: base32 in groups of four."""
    text = base64.b32encode(secret).decode()
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def address(secret: bytes, account: str, issuer: str) -> str:
    """The secret as an otpauth address, which devices open."""
    said = {"secret": base64.b32encode(secret).decode(), "issuer": issuer, "digits": str(DIGITS)}
    return f"otpauth://totp/{quote(f'{issuer}:{account}')}?{urlencode(said)}"
