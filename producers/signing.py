"""A client's own key: made, kept in a file, and used to sign who it is (private_key_jwt).

Comes in: a private JWK, the token address, the time. Goes out: an assertion for one use, or the public half. Must
never print or send the private half.
Source: SMART App Launch 2.2, client authentication: asymmetric.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey, import_key

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFE: Final = timedelta(minutes=4)
PrivateKey = ECKey | RSAKey
ALGORITHMS: Final[Mapping[str, str]] = {"RSA": "RS384", "EC": "ES384"}


class BadKey(ValueError):
    """The file does not hold a private key that signs; the message says what is needed."""


def new_key(key_id: str) -> ECKey:
    """A new P-384 key."""
    return ECKey.generate_key("P-384", {"kid": key_id, "use": "sig", "alg": "ES384"})


def read_key(text: str) -> PrivateKey:
    """The key of a private JWK. Raises BadKey."""
    try:
        key = import_key(json.loads(text))
    except Exception:
        raise BadKey("the file must hold one private key as a JSON Web Key") from None
    if not isinstance(key, ECKey | RSAKey) or not key.is_private or key.kid is None:
        raise BadKey("the key must be a private RSA or EC key with a `kid`")
    return key


def public_set(key: PrivateKey) -> dict[str, Any]:
    """The key set to register or publish."""
    return {"keys": [key.as_dict(private=False)]}


def assertion(key: PrivateKey, client_id: str, token_url: str, now: datetime, jti: UUID) -> str:
    """Who the client is, signed: good once, for that address, for four minutes."""
    algorithm = ALGORITHMS[key.key_type]
    header = {"alg": algorithm, "kid": key.kid, "typ": "JWT"}
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": token_url,
        "jti": str(jti),
        "iat": int(now.timestamp()),
        "exp": int((now + LIFE).timestamp()),
    }
    return jwt.encode(header, claims, key, [algorithm])
