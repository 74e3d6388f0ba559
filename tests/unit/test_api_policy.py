"""Scopes: what a token holds, what an action needs."""

from datetime import UTC, datetime

import pytest

from api import policy
from api.principal import Principal


def principal(type: str, *scopes: str) -> Principal:
    return Principal(
        organization="o",
        type=type,
        name="O",
        user="u",
        scopes=frozenset(scopes),
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
        credential=b"",
    )


def test_a_token_holds_what_was_asked_of_what_the_client_has() -> None:
    assert policy.narrowed("cbo", "referrals.read responses.write", "referrals.read") == {"referrals.read"}


def test_a_token_without_a_scope_parameter_holds_all() -> None:
    assert policy.narrowed("cbo", "referrals.read responses.write", None) == {
        "referrals.read",
        "responses.write",
    }


def test_a_client_never_holds_more_than_its_type_may() -> None:
    assert policy.narrowed("cbo", "referrals.write referrals.read", "referrals.write") == frozenset()
    assert policy.held("stranger") == frozenset()


@pytest.mark.parametrize(
    ("scopes", "action", "allowed"),
    [
        (("referrals.read",), "read", True),
        (("referrals.read",), "submit", False),
        ((), "me", True),
        ((), "read", False),
    ],
)
def test_an_action_needs_its_scope(scopes: tuple[str, ...], action: str, allowed: bool) -> None:
    assert policy.permitted(principal("clinic", *scopes), action) is allowed
