"""Break-glass: what must be said, who may, what is shown of an organization's view, a record with its reason."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from api import grants, policy, views
from api.disclosures import PURPOSES, fields_of, said_of
from api.policy import Verdict
from api.principal import Principal
from infra import roles
from infra.audit import records
from referrals import break_glass
from referrals.check import Invalid
from referrals.words import HopStatus
from tests.unit.minimum_cases import CBO, CLINIC, NOW, PLAN, plain

WHY = "a complaint about a call that never came"
ID = UUID(int=5)


@pytest.mark.parametrize(
    ("reason", "minutes", "wrong"),
    [
        ("", 60, ["/reason"]),
        ("   \n\t  ", 60, ["/reason"]),
        ("too short", 60, ["/reason"]),
        ("x" * 501, 60, ["/reason"]),
        ("a bell \a rings in it", 60, ["/reason"]),
        ("reads \u202ebackwards from here", 60, ["/reason"]),
        (WHY, 0, ["/minutes"]),
        (WHY, -5, ["/minutes"]),
        (WHY, 61, ["/minutes"]),
        ("", 10**12, ["/reason", "/minutes"]),
    ],
)
def test_without_a_reason_or_for_longer_than_an_hour_nothing_is_opened(
    reason: str, minutes: int, wrong: list[str]
) -> None:
    with pytest.raises(Invalid) as refused:
        break_glass.asked(reason, minutes)
    assert [p.pointer for p in refused.value.problems] == wrong


def test_a_reason_is_kept_as_one_line() -> None:
    assert break_glass.asked(f"  {WHY[:11]}\n {WHY[11:]} ", 60) == WHY
    assert break_glass.asked("queja de la niña, año 2026", 1) == "queja de la niña, año 2026"


def investigator(second_step: bool, *scopes: str) -> Principal:
    return Principal(
        organization="operator",
        type="operator",
        name="",
        user="u",
        scopes=frozenset(scopes),
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
        credential=b"",
        second_step=second_step,
    )


@pytest.mark.parametrize("action", ["open", "look", "end"])
def test_it_takes_the_right_and_a_code_and_is_never_unknown_to_who_lacks_the_code(action: str) -> None:
    types = frozenset({"operator"})
    for second_step, scopes, expected in (
        (True, (roles.BREAK_GLASS,), Verdict.ALLOWED),
        (False, (roles.BREAK_GLASS,), Verdict.FORBIDDEN),
        (True, tuple(policy.held("operator")), Verdict.FORBIDDEN),
    ):
        who = investigator(second_step, *scopes)
        assert policy.authorize(who, action) is expected
        assert policy.admits(who, action, types, reads_one=False) is expected
    assert policy.admits(investigator(False, roles.BREAK_GLASS), action, types, True) is Verdict.FORBIDDEN
    assert all(roles.BREAK_GLASS not in policy.held(type) for type in roles.ROLES), "no system can hold it"


@pytest.mark.parametrize("kind", grants.OPENED)
def test_an_opened_view_is_never_more_than_the_organizations_own_and_has_no_notes(kind: str) -> None:
    own, opened = grants.GRANTS[kind], grants.OPENED[kind]
    assert opened.fields <= own.fields and "notes" not in opened.fields
    for part in ("person", "need", "coverage", "consent"):
        mine, theirs = getattr(opened, part), getattr(own, part)
        assert mine <= theirs or theirs == {"*"}, part
        assert "*" not in mine
    assert not {"race_ethnicity", "attributes", "person_id"} & opened.person and "note" not in opened.need
    assert opened.all_hops == own.all_hops
    assert (said_of(f"break-glass-{kind}"), fields_of(f"break-glass-{kind}") != []) == ("break-glass", True)


def test_every_view_but_the_operators_own_can_be_opened() -> None:
    assert set(grants.OPENED) == set(grants.GRANTS) - {"operator"}
    assert PURPOSES["break-glass"][0] == "BTG"


@pytest.mark.parametrize(
    ("organization", "kind", "name", "city"),
    [
        (CLINIC, "sender", "canary/person.given_name", "canary/person.address.city"),
        (CBO, "holder", "canary/person.given_name", "canary/person.address.city"),
        (PLAN, "payer", "canary/person.given_name", None),
    ],
)
def test_it_shows_what_that_organization_sees_without_notes_and_says_so(
    organization: str, kind: str, name: str, city: str | None
) -> None:
    who = investigator(True)
    view = views.opened(who, organization, plain(HopStatus.ACCEPTED).seen, ID)
    assert view is not None
    assert view["person"]["given_name"] == name
    assert (view["person"].get("address") or {}).get("city") == city
    said = msgspec.json.encode(view).decode()
    assert "note" not in view["need"] and "canary/outcome-note" not in said and "race" not in said
    (looked,) = who.looks.all()
    assert (looked.shown, looked.basis) == (f"break-glass-{kind}", f"break-glass {ID}")
    assert (looked.owner, looked.person) == (CLINIC, UUID(int=8) if looked.person else None)


@pytest.mark.parametrize("organization", ["clinic-b", "operator", "hub-b", ""])
def test_of_an_organization_that_has_no_part_in_it_there_is_no_view(organization: str) -> None:
    who = investigator(True)
    assert views.opened(who, organization, plain(HopStatus.ACCEPTED).seen, ID) is None
    assert list(who.looks.all()) == []


def test_a_record_of_one_carries_its_reason_and_its_id_or_cannot_be_read() -> None:
    record = records.BreakGlass(
        at=NOW,
        request="r",
        route="GET /v1/break-glass/{id}",
        action="look",
        operation="R",
        status=200,
        opening=ID,
        reason=WHY,
    )
    body = records.body(record)
    assert records.record("break-glass", body) == record and WHY.encode() in body
    bare = {k: v for k, v in msgspec.json.decode(body).items() if k not in ("reason", "opening")}
    with pytest.raises(ValueError, match="required field"):
        records.record("break-glass", msgspec.json.encode(bare))
