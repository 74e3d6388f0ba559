"""Whether an ID token is the provider's answer to this very log-in, and whom it vouches for.

Comes in: the token, the provider's keys, what was registered, the nonce, the time. Goes out: an account there and its
e-mail address. Pure.
Must never take an algorithm or a key that the provider did not publish, nor an address that it did not verify.
Sources: OpenID Connect Core 1.0 section 3.1.3.7; RFC 8725.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from infra.client_keys import Key

LONGEST: Final = 16_384
LONGEST_SUBJECT: Final = 255
SKEW_S: Final = 30
KEY_TYPES: Final[Mapping[str, str]] = {
    "RS256": "RSA",
    "RS384": "RSA",
    "PS256": "RSA",
    "ES256": "EC",
    "ES384": "EC",
}
CURVES: Final = frozenset({"P-256", "P-384"})
_REGISTRY = JWSRegistry(algorithms=list(KEY_TYPES))
_MALFORMED = (JoseError, ValueError, TypeError, KeyError, AttributeError)


class NotVouched(Exception):
    """The token proves nothing; the reason is for the log alone."""


class Vouched(NamedTuple):
    """Who logged in there: the account, which is never another's, and the address that it has now."""

    issuer: str
    subject: str
    email: str


def key_id(text: str) -> str:
    """Which of the provider's keys the token says it was signed with, empty for no word. Raises NotVouched."""
    if len(text) > LONGEST:
        raise NotVouched("too long")
    try:
        header = jws.extract_compact(text.encode()).headers()
    except _MALFORMED as error:
        raise NotVouched(type(error).__name__) from None
    named = header.get("kid", "")
    if header.get("alg") not in KEY_TYPES or not isinstance(named, str):
        raise NotVouched("another algorithm, or a key that is none")
    return named


def vouched(
    text: str,
    keys: Mapping[str, Key],
    issuer: str,
    client_id: str,
    nonce: str,
    domains: Collection[str],
    now: datetime,
) -> Vouched:
    """Who logged in there, under a verified address. Raises NotVouched."""
    named = key_id(text)
    key = keys.get(named) if named or len(keys) != 1 else next(iter(keys.values()))
    if key is None:
        raise NotVouched("no such key")
    algorithms = [name for name, kind in KEY_TYPES.items() if kind == key.key_type]
    try:
        token = jwt.decode(text, key, algorithms, _REGISTRY)
        options = {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": client_id},
        }
        claims = CodeIDToken(token.claims, token.header, options, {"nonce": nonce, "client_id": client_id})
        claims.validate(int(now.timestamp()), SKEW_S)
    except _MALFORMED as error:
        raise NotVouched(f"{type(error).__name__} {getattr(error, 'claim', '')}".strip()) from None
    return Vouched(issuer, _subject(claims), _verified(claims, domains))


def _subject(claims: Mapping[str, Any]) -> str:
    found = claims.get("sub")
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_SUBJECT or "\x00" in found:
        raise NotVouched("no account")
    return found


def _verified(claims: Mapping[str, Any], domains: Collection[str]) -> str:
    found = claims.get("email")
    if not isinstance(found, str) or claims.get("email_verified") is not True or "\x00" in found:
        raise NotVouched("no verified address")
    mailbox, _, domain = found.rpartition("@")
    if not mailbox or domain.lower() not in domains:
        raise NotVouched("an address of another domain")
    return found
