"""ID tokens: the provider's own signature over this log-in is taken, everything else proves nothing."""

import base64
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from api import id_token
from api.id_token import NotVouched, Vouched

ISSUER, CLIENT, NONCE = "https://id.clinic.example.org", "exchange", "nonce of this log-in"
DOMAINS = ["clinic.example.org"]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RSA = RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)
EC = ECKey.generate_key("P-256", {"kid": "ec"}, private=True)
OTHER = RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)
KEYS: dict[str, RSAKey | ECKey] = {
    "rsa": RSAKey.import_key(RSA.as_dict(private=False)),
    "ec": ECKey.import_key(EC.as_dict(private=False)),
}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "1",
    "aud": CLIENT,
    "nonce": NONCE,
    "iat": int(NOW.timestamp()) - 5,
    "exp": int(NOW.timestamp()) + 300,
    "email": "Ana@clinic.example.org",
    "email_verified": True,
}

ANA = Vouched(ISSUER, "1", "Ana@clinic.example.org")


def token(key: Any = RSA, header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {k: v for k, v in (CLAIMS | changes).items() if v is not None}
    alg = {"RSA": "RS256", "EC": "ES256"}[key.key_type]
    kid = {"RSA": "rsa", "EC": "ec"}[key.key_type]
    return jwt.encode(
        {"alg": alg, "kid": kid} | (header or {}), claims, key, algorithms=[alg, "PS256", "RS384"]
    )


def read(text: str) -> Vouched:
    return id_token.vouched(text, KEYS, ISSUER, CLIENT, NONCE, DOMAINS, NOW)


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS256", "ES256"])
def test_the_account_and_verified_address_of_a_genuine_token(key: Any) -> None:
    assert read(token(key)) == ANA
    assert read(token(key, aud=[CLIENT])) == ANA
    assert read(token(key, aud=[CLIENT, "other"], azp=CLIENT)) == ANA


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://id.other.example.org"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": None},
        {"aud": [CLIENT, "other"], "azp": "other"},
        {"aud": [CLIENT, "other"]},
        {"nonce": "of another log-in"},
        {"nonce": None},
        {"exp": int(NOW.timestamp()) - 60},
        {"exp": None},
        {"exp": "soon"},
        {"iat": int(NOW.timestamp()) + 3600},
        {"iat": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 1},
        {"sub": "x" * 256},
        {"sub": "1\x00"},
        {"email": None},
        {"email": ["Ana@clinic.example.org"]},
        {"email": "ana@clinic.example.org\x00"},
        {"email": "ana@evil.example.org"},
        {"email": "ana@clinic.example.org@evil.example.org"},
        {"email": "clinic.example.org"},
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"email_verified": 1},
    ],
    ids=str,
)
def test_a_token_about_something_else_proves_nothing(changes: dict[str, Any]) -> None:
    with pytest.raises(NotVouched):
        read(token(**changes))


def coded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed_by_hand(alg: str, secret: bytes = b"") -> str:
    """What no library would sign."""
    text = ".".join(coded(json.dumps(part).encode()) for part in ({"alg": alg, "kid": "rsa"}, CLAIMS))
    return f"{text}.{coded(hmac.digest(secret, text.encode(), 'sha256')) if secret else ''}"


def genuinely_signed(header: dict[str, Any]) -> str:
    """By the provider's key, under a header that no library would write."""
    text = ".".join(coded(json.dumps(p).encode()) for p in ({"alg": "RS256", "kid": "rsa"} | header, CLAIMS))
    key = serialization.load_pem_private_key(RSA.as_pem(private=True), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return f"{text}.{coded(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


FORGED = {
    "unsigned": signed_by_hand("none"),
    "unsigned as RS256": signed_by_hand("RS256"),
    "signed by another": token(OTHER),
    "signed with our public key": signed_by_hand("HS256", RSA.as_pem(private=False)),
    "a key nobody published": token(RSA, {"kid": "new"}),
    "no key named, of two": token(RSA, {"kid": ""}),
    "the other key's name": token(RSA, {"kid": "ec"}),
    "an extension we do not know": genuinely_signed({"crit": ["exp"], "exp": 1}),
    "a key of its own": token(OTHER, {"jwk": OTHER.as_dict(private=False)}),
    "changed": token().rpartition(".")[0] + "." + "A" * 342,
    "cut": token()[:-5],
    "nothing": "",
    "two parts": "a.b",
    "no base64": "..",
    "too long": token(nothing="x" * 20_000),
    "ünicode": "ü.ü.ü",
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_token_that_the_provider_did_not_sign_proves_nothing(forged: str) -> None:
    with pytest.raises(NotVouched):
        read(FORGED[forged])


def test_what_is_signed_by_hand_is_taken_where_nothing_is_wrong_with_it() -> None:
    assert read(genuinely_signed({})) == ANA


def test_a_provider_with_one_key_need_not_name_it() -> None:
    text = token(RSA, {"kid": ""})
    assert id_token.vouched(text, {"rsa": KEYS["rsa"]}, ISSUER, CLIENT, NONCE, DOMAINS, NOW)
    with pytest.raises(NotVouched):
        id_token.vouched(text, {"ec": KEYS["ec"]}, ISSUER, CLIENT, NONCE, DOMAINS, NOW)
