"""Which key sets may be registered."""

import json
from typing import Any

import pytest

from infra.client_keys import MAX_BYTES, BadKeys, parse
from tests.support.assertions import ec, key_set, rsa


def as_set(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


RSA, EC = rsa().as_dict(private=False), ec().as_dict(private=False)


def test_the_keys_are_found_by_id() -> None:
    assert {kid: key.key_type for kid, key in parse(key_set()).items()} == {"rsa-1": "RSA", "ec-1": "EC"}


def test_keys_for_other_uses_are_passed_over() -> None:
    others = ({**RSA, "kid": "enc", "use": "enc"}, {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": "AA"})
    assert set(parse(as_set(RSA, *others))) == {"rsa-1"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"", "JSON"),
        (b"[]", "JSON"),
        (b'{"keys": {}}', "JSON"),
        (b'{"keys": [1]}', "JSON"),
        (b'{"keys": []}', "1 to"),
        (as_set(*[RSA] * 21), "1 to"),
        (b" " * (MAX_BYTES + 1), "bytes"),
        (json.dumps({"keys": [rsa().as_dict(private=True)]}).encode(), "private"),
        (as_set({"kty": "oct", "kid": "a", "k": "AAAA"}), "private or shared"),
        (as_set({**RSA, "kid": ""}), "kid"),
        (as_set({k: v for k, v in RSA.items() if k != "kid"}), "kid"),
        (as_set(RSA, RSA), "kid"),
        (key_set(rsa("weak", 1024)), "2048"),
        (key_set(ec("p256", "P-256")), "P-384"),
        (as_set({**EC, "x": "AAAA"}), "cannot be read"),
        (as_set({**RSA, "n": 5}), "cannot be read"),
        (as_set({"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": "AA"}), "no RSA"),
    ],
)
def test_a_set_that_cannot_be_used_says_why(document: bytes, said: str) -> None:
    with pytest.raises(BadKeys, match=said):
        parse(document)
