"""A client's public keys, as a JSON Web Key Set (RFC 7517): what may be registered to sign assertions with.

Comes in: the set's bytes. Goes out: its keys by id. Must never accept a private or a shared key, or a weak one.
"""

from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

MAX_BYTES = 65_536
MAX_KEYS = 20
RSA_BITS = range(2048, 8193)
PUBLIC = ("kty", "kid", "n", "e", "crv", "x", "y")
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# algorithm of the assertion -> the key type it needs (SMART App Launch, "Registering a client's public keys")
KEY_TYPES: Mapping[str, str] = {"RS384": "RSA", "ES384": "EC"}
Key = RSAKey | ECKey


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


class BadKeys(ValueError):
    """The set cannot be used; the message says what to change."""


def parse(document: bytes, curves: Collection[str] = ("P-384",)) -> dict[str, Key]:
    """The keys by `kid`; what is not for signatures, or neither RSA nor EC, is passed over. Raises BadKeys."""
    found: dict[str, Key] = {}
    for key in _members(document):
        if PRIVATE & key.keys():
            raise BadKeys(
                "the set holds a private or shared key; make new keys and publish the public ones alone"
            )
        if key.get("kty") not in KEY_TYPES.values() or key.get("use", "sig") != "sig":
            continue
        kid = key.get("kid")
        if not isinstance(kid, str) or not kid or kid in found:
            raise BadKeys("each key needs a `kid` of its own")
        found[kid] = _read(key, curves)
    if not found:
        raise BadKeys("the set holds no RSA or EC key for signatures")
    return found


def _members(document: bytes) -> list[dict[str, Any]]:
    if len(document) > MAX_BYTES:
        raise BadKeys(f"the key set is over {MAX_BYTES} bytes; publish the current keys alone")
    try:
        keys = msgspec.json.decode(document, type=_KeySet).keys
    except msgspec.DecodeError:
        raise BadKeys('the key set must be JSON of the form {"keys": [{...}]} (RFC 7517)') from None
    if not 1 <= len(keys) <= MAX_KEYS:
        raise BadKeys(f"the key set must hold 1 to {MAX_KEYS} keys")
    return keys


def _read(key: dict[str, Any], curves: Collection[str]) -> Key:
    named: dict[str, str | list[str]] = {name: key[name] for name in PUBLIC if name in key}
    try:
        if key["kty"] == "EC":
            curve = ECKey.import_key(named)
            if curve.curve_name not in curves:
                raise BadKeys(f"an EC key must be on {' or '.join(sorted(curves))}")
            return curve
        bits = int.from_bytes(urlsafe_b64decode(str(key["n"]) + "==")).bit_length()
        if bits not in RSA_BITS:
            raise BadKeys("an RSA key must have 2048 to 8192 bits")
        return RSAKey.import_key(named)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, BadKeys):
            raise
        raise BadKeys("a key cannot be read; check its numbers") from None
