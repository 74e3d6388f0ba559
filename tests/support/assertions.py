"""Client assertions, one good and many forged, each under the name of its attack.

Comes in: keys, the client, the audience, the time. Goes out: name -> compact JWS. Must never hold a real key.
Sources of the attacks: RFC 8725, and CVE-2024-37568, CVE-2025-59420, CVE-2026-32597, CVE-2026-48523.
"""

import base64
import hashlib
import hmac
import json
import warnings
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from typing import Any
from uuid import uuid4

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

Json = dict[str, Any]


@cache
def rsa(name: str = "rsa-1", bits: int = 2048) -> RSAKey:
    """A key of a client, made once for all tests; the library warns of a weak one, which is what it is for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return RSAKey.generate_key(bits, {"kid": name})


@cache
def ec(name: str = "ec-1", curve: str = "P-384") -> ECKey:
    """The same on a curve."""
    return ECKey.generate_key(curve, {"kid": name})


def key_set(*keys: Any) -> bytes:
    """The published set of keys."""
    return json.dumps({"keys": [k.as_dict(private=False) for k in keys or (rsa(), ec())]}).encode()


def part(value: Any) -> str:
    """A segment: JSON (or the text or bytes as they are) in base64url."""
    raw = (
        value
        if isinstance(value, bytes)
        else (value if isinstance(value, str) else json.dumps(value)).encode()
    )
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Any, claims: Any, key: Any = None) -> str:
    """A real signature over whatever the two parts hold; the algorithm follows the key, not the header."""
    key = rsa() if key is None else key
    text = f"{part(header)}.{part(claims)}"
    if isinstance(key, bytes):
        return f"{text}.{part(hmac.new(key, text.encode(), hashlib.sha256).digest())}"
    names = {"RSA": "RS384", "EC": "ES384"}
    algorithm = header.get("alg") if isinstance(header, dict) else None
    known = algorithm if isinstance(algorithm, str) and algorithm in jws.JWSRegistry.algorithms else None
    model = jws.JWSRegistry.algorithms[known or names.get(key.key_type, "EdDSA")]
    if known in ("none", None) or model.key_type != key.key_type:
        model = jws.JWSRegistry.algorithms[names.get(key.key_type, "EdDSA")]
    return f"{text}.{part(model.sign(text.encode(), key))}"


class Forger:
    """Makes assertions for one client and audience at one moment."""

    def __init__(self, client_id: str, audience: str, now: datetime) -> None:
        self.client_id = client_id
        self.audience = audience
        self.now = int(now.timestamp())

    def header(self, **changes: Any) -> Json:
        """A good header, changed; a None takes a part away."""
        return _changed({"alg": "RS384", "kid": "rsa-1", "typ": "JWT"}, changes)

    def claims(self, **changes: Any) -> Json:
        """Good claims, changed."""
        good = {"iss": self.client_id, "sub": self.client_id, "aud": self.audience, "jti": uuid4().hex}
        return _changed(good | {"exp": self.now + 240, "iat": self.now}, changes)

    def good(self, **changes: Any) -> str:
        """An assertion that must be taken."""
        return signed(self.header(), self.claims(**changes))

    def forged(self) -> Iterator[tuple[str, str]]:
        """Every attack: its name and the assertion."""
        for family in FAMILIES:
            yield from family(self)


def _changed(good: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in (good | changes).items() if v is not None}


def _algorithms(f: Forger) -> Iterator[tuple[str, str]]:
    for name in ("none", "None", "NONE", "nOnE", ""):
        yield f"alg {name!r} unsigned", f"{part(f.header(alg=name))}.{part(f.claims())}."
        yield f"alg {name!r} signed", signed(f.header(alg=name), f.claims())
    pem = rsa().as_pem(private=False)
    for secret, what in ((pem, "pem"), (key_set(), "key set"), (b"", "empty")):
        for name in ("HS256", "HS384", "RS384"):
            yield f"{name} with the public {what}", signed(f.header(alg=name), f.claims(), secret)
    for name in ("RS256", "RS512", "PS384", "ES256", "ES512", "EdDSA", "dir", "RSA-OAEP", "RS384 "):
        yield f"alg {name}", signed(f.header(alg=name), f.claims())
    for value, what in (
        (384, "a number"),
        (["RS384"], "a list"),
        ({"a": 1}, "an object"),
        (True, "a boolean"),
    ):
        yield f"alg is {what}", signed(f.header() | {"alg": value}, f.claims())
    yield "alg is missing", signed(f.header(alg=None), f.claims())
    yield "alg of the other key type", signed(f.header(alg="ES384"), f.claims())


def _keys(f: Forger) -> Iterator[tuple[str, str]]:
    stranger, weak = rsa("rsa-1-stranger"), rsa("weak", 1024)
    yield "signed by another key", signed(f.header(), f.claims(), stranger)
    yield "signed by a weak key", signed(f.header(kid="weak"), f.claims(), weak)
    yield (
        "signed on another curve",
        signed(f.header(alg="ES256", kid="ec-1"), f.claims(), ec("ec-1", "P-256")),
    )
    yield "signed with Ed25519", signed(f.header(alg="EdDSA"), f.claims(), OKPKey.generate_key("Ed25519"))
    public = stranger.as_dict(private=False)
    yield "brings its own key", signed(f.header(jwk=public), f.claims(), stranger)
    allowed = dict(OctKey.generate_key(256).as_dict()) | {"alg": "HS256"}
    yield "brings its own shared key", signed(f.header(jwk=allowed), f.claims(), stranger)
    for name in ("jku", "x5u"):
        for url in ("https://attacker.example/keys", "http://169.254.169.254/", "file:///etc/passwd"):
            yield f"{name} {url}", signed(f.header(**{name: url}), f.claims(), stranger)
    yield "jku is a number", signed(f.header(jku=1), f.claims())
    yield "brings a certificate", signed(f.header(x5c=["MIIB"]), f.claims(), stranger)
    for kid in (
        "../../../../dev/null",
        "' or '1'='1",
        "'; drop table client; --",
        "nobody",
        "",
        "rsa-1\x00",
        "k" * 300,
    ):
        yield f"kid {kid[:20]!r}", signed(f.header(kid=kid), f.claims())
    others: list[Any] = [None, 1, ["rsa-1"], {"$ne": 1}]
    for other in others:
        yield f"kid is {other!r}", signed(f.header(kid=other), f.claims())


def _headers(f: Forger) -> Iterator[tuple[str, str]]:
    for crit in (["exp"], ["b64"], ["unknown"], [], "exp", None):
        yield f"crit {crit!r}", signed(f.header() | {"crit": crit, "unknown": 1}, f.claims())
    yield "b64 false", signed(f.header(b64=False, crit=["b64"]), f.claims())
    yield "compressed", signed(f.header(zip="DEF"), zlib.compress(json.dumps(f.claims()).encode()))
    yield "nested", signed(f.header(cty="JWT"), f.claims())
    for typ in ("at+jwt", "JWE", 1, ["JWT"]):
        yield f"typ {typ!r}", signed(f.header(typ=typ), f.claims())
    yield "alg twice", signed('{"alg":"none","alg":"RS384","kid":"rsa-1"}', f.claims())
    yield "header is a list", signed(json.dumps([f.header()]), f.claims())
    yield "header is deep", signed("[" * 3000, f.claims())


def _claims(f: Forger) -> Iterator[tuple[str, str]]:
    def claiming(**changes: Any) -> str:
        return signed(f.header(), f.claims(**changes))

    for name in ("iss", "sub", "aud", "exp", "jti"):
        yield f"without {name}", claiming(**{name: None})
    for name in ("iss", "sub"):
        for value in ("somebody-else", 1, [f.client_id], f.client_id + " ", f.client_id.upper(), ""):
            yield f"{name} {value!r}", claiming(**{name: value})
    audiences = (
        "https://attacker.example/oauth/token",
        f.audience + "/",
        f.audience.rsplit("/", 1)[0],
        "",
        1,
    )
    for audience in (*audiences, [], [f.audience, "https://attacker.example"], {"aud": f.audience}):
        yield f"aud {audience!r}", claiming(aud=audience)
    ends: list[Any] = [
        f.now - 1,
        f.now,
        f.now - 86_400,
        f.now + 345,
        f.now + 86_400,
        -1,
        0,
        1e400,
        10**400,
        True,
        "soon",
        [],
    ]
    for end in ends:
        yield f"exp {str(end)[:12]!r}", claiming(exp=end)
    yield "exp is text", claiming(exp=str(f.now + 60))
    yield "not before later", claiming(nbf=f.now + 120)
    yield "issued later", claiming(iat=f.now + 120)
    yield "nbf is text", claiming(nbf="now")
    for jti in (1, "", "a\x00b", "j" * 300, ["x"]):
        yield f"jti {str(jti)[:10]!r}", claiming(jti=jti)
    good = json.dumps(f.claims())
    yield "iss twice", signed(f.header(), good[:-1] + f', "iss": "{f.client_id}"}}')
    yield "NaN", signed(f.header(), good[:-1] + ', "x": NaN}')
    yield "claims are a list", signed(f.header(), f"[{good}]")
    yield "claims are deep", signed(f.header(), '{"a":' * 900 + "1" + "}" * 900)
    yield "claims are not text", signed(f.header(), b"\xff\xfe\x00")


def _shapes(f: Forger) -> Iterator[tuple[str, str]]:
    good = f.good()
    header, claims, signature = good.split(".")
    yield "empty", ""
    yield "one part", header
    yield "two parts", f"{header}.{claims}"
    yield "four parts", f"{good}.{signature}"
    yield "five parts", f"{header}.{claims}.{signature}.{header}.{claims}"
    yield "no signature", f"{header}.{claims}."
    yield "half a signature", f"{header}.{claims}.{signature[:-20]}"
    yield "signature of other claims", f"{header}.{part(f.claims())}.{signature}"
    yield "signature of another header", f"{part(f.header(typ=None))}.{claims}.{signature}"
    yield "JSON serialization", json.dumps({"protected": header, "payload": claims, "signature": signature})
    yield "not base64", f"{header}.***.{signature}"
    yield "standard base64", f"{header}.{claims}.{signature.replace('-', '+').replace('_', '/')}+/"
    yield "spaces", f" {good}"
    yield "line break", good[:40] + "\n" + good[40:]
    yield "a megabyte", f"{header}.{part('x' * 749_000)}.{signature}"
    yield (
        "encrypted",
        ".".join([part({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}), "", "AAAA", "AAAA", "AAAA"]),
    )


FAMILIES: tuple[Callable[[Forger], Iterator[tuple[str, str]]], ...] = (
    _algorithms,
    _keys,
    _headers,
    _claims,
    _shapes,
)
