"""Roles: what each may do is part of what its type may do, and whoever we do not know may nothing."""

import pytest

from infra import roles
from infra.participants import ParticipantError, checked_role
from infra.scopes import SCOPES
from referrals.words import OrganizationType as T

EVERY = [(kind, role) for kind in T for role in roles.names(kind)]


@pytest.mark.parametrize(("kind", "role"), EVERY)
def test_a_role_holds_no_more_than_its_type(kind: T, role: str) -> None:
    held = roles.scopes(kind.value, role)
    beside = {"auditor": {roles.AUDIT, roles.OPENINGS}, "admin": {roles.PEOPLE, roles.OPENINGS}}
    beside["investigator"] = {roles.BREAK_GLASS, roles.OPENINGS}
    assert held and held <= {*SCOPES[kind], *beside.get(role, ())}
    assert (roles.AUDIT in held) == (role == "auditor")
    assert (roles.PEOPLE in held) == (role == roles.ADMIN)


@pytest.mark.parametrize("kind", T)
def test_no_system_audits_or_manages_people(kind: T) -> None:
    assert not {roles.AUDIT, roles.PEOPLE, roles.BREAK_GLASS, roles.OPENINGS} & {*SCOPES[kind]}


@pytest.mark.parametrize("kind", T)
def test_an_auditor_reads_the_audit_and_nothing_else(kind: T) -> None:
    assert roles.scopes(kind.value, "auditor") == {roles.AUDIT, roles.OPENINGS}


def test_an_analyst_changes_nothing() -> None:
    held = roles.scopes("mco", "analyst")
    assert held and all(scope.endswith(".read") for scope in held)
    assert held < roles.scopes("mco", "care-manager")


@pytest.mark.parametrize(
    ("type", "role"),
    [("clinic", "root"), ("clinic", ""), ("clinic", None), ("clinic", "analyst"), ("bakery", "staff")],
)
def test_whoever_we_do_not_know_may_nothing(type: str, role: str | None) -> None:
    assert roles.scopes(type, role) == frozenset()


@pytest.mark.parametrize("kind", T)
def test_the_former_name_of_the_usual_role_is_still_taken(kind: T) -> None:
    assert roles.scopes(kind.value, "staff") == roles.scopes(kind.value, roles.names(kind)[0])


def test_no_role_is_given_that_the_type_does_not_have() -> None:
    assert checked_role(T.HUB, "a@hub.example.org", None) == "navigator"
    assert checked_role(T.STATE, "a@state.example.org", "analyst") == "analyst"
    with pytest.raises(ParticipantError, match="navigator, admin, auditor"):
        checked_role(T.HUB, "a@hub.example.org", "analyst")
    for address in ("nobody", "a b@x.org", "a@x.org\nBcc: b@x.org", "@x.org"):
        with pytest.raises(ParticipantError, match="no e-mail address"):
            checked_role(T.HUB, address, None)
