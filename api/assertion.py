"""Whether a client's signed assertion (private_key_jwt) is its own, fresh and meant for us.

Comes in: the compact JWS, the client's registered keys, our token address, the time. Goes out: its id and end. Must
never take an algorithm, a key or an address from the assertion itself, nor say why it was refused.
Sources: SMART App Launch 2.2 (client authentication: asymmetric), RFC 7523 section 3, RFC 8725.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from msgspec import Struct

from infra.client_keys import KEY_TYPES, Key

MAX_LENGTH = 8_192
MAX_TEXT = 255
LIFE = timedelta(minutes=5)
SKEW = timedelta(seconds=30)
HEADER = frozenset({"alg", "kid", "typ", "jku"})
_REGISTRY = JWSRegistry(algorithms=list(KEY_TYPES))


class NotGenuine(Exception):
    """The assertion proves nothing; the reason is for the log alone."""


class Assertion(Struct, frozen=True):
    """What an assertion says of itself, before anything is proved."""

    text: str
    issuer: str
    algorithm: str
    key_id: str
    jku: str | None
    claims: Mapping[str, Any]


def read(text: str) -> Assertion:
    """What the assertion says. Raises NotGenuine."""
    if len(text) > MAX_LENGTH:
        raise NotGenuine("too long")
    parts = text.split(".")
    if len(parts) != 3:
        raise NotGenuine("not a compact JWS")
    header, claims = _object(parts[0]), _object(parts[1])
    if not header.keys() <= HEADER:
        raise NotGenuine("a header parameter that we do not take")
    if header.get("typ", "JWT") not in ("JWT", "jwt"):
        raise NotGenuine("another type of token")
    algorithm = _text(header, "alg")
    if algorithm not in KEY_TYPES:
        raise NotGenuine("another algorithm")
    jku = header.get("jku")
    if jku is not None and not isinstance(jku, str):
        raise NotGenuine("jku is not text")
    return Assertion(text, _text(claims, "iss"), algorithm, _text(header, "kid"), jku, claims)


def check(
    said: Assertion,
    client_id: str,
    jwks_url: str | None,
    keys: Mapping[str, Key],
    audience: str,
    now: datetime,
) -> tuple[str, datetime]:
    """Its `jti` and when it ends. Raises NotGenuine for whatever is not exactly as the client registered."""
    if said.jku is not None and said.jku != jwks_url:
        raise NotGenuine("jku is not the registered address")
    key = keys.get(said.key_id)
    if key is None or key.key_type != KEY_TYPES[said.algorithm]:
        raise NotGenuine("no such key")
    try:
        jws.deserialize_compact(said.text, key, [said.algorithm], _REGISTRY)
    except (JoseError, ValueError) as error:
        raise NotGenuine(type(error).__name__) from None
    claims = said.claims
    if said.issuer != client_id or _text(claims, "sub") != client_id:
        raise NotGenuine("iss and sub are not the client")
    if claims.get("aud") not in (audience, [audience]):
        raise NotGenuine("another audience")
    ends = _moment(claims, "exp")
    if ends is None or not now < ends <= now + LIFE + SKEW:
        raise NotGenuine("expired, or ends too late")
    for name in ("nbf", "iat"):
        begins = _moment(claims, name)
        if begins is not None and begins > now + SKEW:
            raise NotGenuine(f"{name} is ahead")
    return _text(claims, "jti"), ends


def _object(segment: str) -> dict[str, Any]:
    """A segment's JSON object, with no name twice."""
    try:
        raw = base64.b64decode(segment + "=" * (-len(segment) % 4), b"-_", validate=True)
        found = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (binascii.Error, ValueError, RecursionError):
        raise NotGenuine("a segment cannot be read") from None
    if not isinstance(found, dict):
        raise NotGenuine("a segment is no object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or "\x00" in value:
        raise NotGenuine(f"{name} is not a short text")
    return value


def _moment(claims: Mapping[str, Any], name: str) -> datetime | None:
    """A NumericDate (RFC 7519 section 2), None when it is not there."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotGenuine(f"{name} is no number")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        raise NotGenuine(f"{name} is no date") from None
