"""Client assertions: a good one is taken, every forged one proves nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from api import assertion
from api.assertion import NotGenuine
from infra.client_keys import parse
from tests.support.assertions import Forger, ec, key_set, rsa, signed

NOW = datetime(2030, 5, 1, 12, tzinfo=UTC)
AUDIENCE = "https://exchange.example.org/oauth/token"
FORGER = Forger("bay-clinic-signing", AUDIENCE, NOW)
FORGED = dict(FORGER.forged())
KEYS = parse(key_set())


def checked(text: str, now: datetime = NOW, jwks_url: str | None = None) -> tuple[str, datetime]:
    return assertion.check(assertion.read(text), FORGER.client_id, jwks_url, KEYS, AUDIENCE, now)


def test_an_assertion_of_either_key_type_is_taken() -> None:
    jti, ends = checked(FORGER.good(jti="one"))
    assert (jti, ends) == ("one", NOW + timedelta(seconds=240))
    assert checked(signed(FORGER.header(alg="ES384", kid="ec-1"), FORGER.claims(jti="two"), ec()))[0] == "two"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCE]},
        {"exp": FORGER.now + 330},
        {"nbf": FORGER.now + 30},
        {"iat": None},
        {"exp": FORGER.now + 0.5},
    ],
)
def test_what_the_rules_allow_is_taken(changes: dict[str, object]) -> None:
    assert checked(FORGER.good(**changes))


def test_the_registered_jku_may_be_named() -> None:
    text = signed(FORGER.header(jku="https://bay.example/keys"), FORGER.claims())
    assert checked(text, jwks_url="https://bay.example/keys")
    with pytest.raises(NotGenuine):
        checked(text, jwks_url="https://bay.example/other")


def test_there_are_enough_forged_ones_all_different() -> None:
    assert len(FORGED) >= 80
    assert len(set(FORGED.values())) == len(FORGED)


@pytest.mark.parametrize("attack", FORGED)
def test_a_forged_assertion_proves_nothing(attack: str) -> None:
    with pytest.raises(NotGenuine):
        checked(FORGED[attack])


def test_it_ends_at_its_time() -> None:
    text = FORGER.good()
    assert checked(text, NOW + timedelta(seconds=239))
    with pytest.raises(NotGenuine):
        checked(text, NOW + timedelta(seconds=240))


def test_a_key_that_is_no_longer_published_proves_nothing() -> None:
    rotated = parse(key_set(rsa("rsa-2")))
    with pytest.raises(NotGenuine):
        assertion.check(assertion.read(FORGER.good()), FORGER.client_id, None, rotated, AUDIENCE, NOW)
