"""May it be disclosed, to whom, and are outcomes released: tables of consents, and properties over any of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals import words
from referrals.consent import Asked, Known, cover, release, terms, verdict
from referrals.ids import consent_id
from referrals.submission import Consent, Recipient

NOW = datetime(2026, 11, 2, 17, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OWN = consent_id("clinic", "c-1")


def asked(said: Consent | None = None, **changes: Any) -> Asked:
    said = said or Consent(status="active", id="c-1")
    return Asked("clinic", said, NOW, "food-insecurity")._replace(**changes)


def known(hours: float, **changes: Any) -> Known:
    """A record of c-1 that stands since so many hours after the referral."""
    return Known(NOW + hours * HOUR, Consent(**({"status": "active", "id": "c-1"} | changes)))


def named(*organizations: str) -> tuple[Recipient, ...]:
    return tuple(Recipient(organization=o) for o in organizations)


@pytest.mark.parametrize(
    ("said", "record", "expected"),
    [
        ("active", None, "allow"),
        ("refused", None, "refuse"),
        ("absent", None, "review"),
        ("active", known(-1, status="revoked"), "refuse"),
        ("active", known(1, status="revoked"), "refuse"),
        ("active", known(1, status="expired"), "review"),
        ("absent", known(1), "allow"),
        ("absent", known(-1), "review"),
        ("revoked", known(-1), "refuse"),
        ("active", known(1, expires_at=(NOW - HOUR).isoformat()), "review"),
        ("active", known(1, expires_at=(NOW + HOUR).isoformat()), "allow"),
        ("active", known(1, date="2026-11-30"), "review"),
        ("active", known(1, date="2026-11-03"), "allow"),
    ],
)
def test_a_record_wins_over_what_was_said_before_it(said: str, record: Known | None, expected: str) -> None:
    one = asked(Consent(status=said, id="c-1"))
    assert verdict(terms(one, {OWN: record} if record else {}), NOW).verdict == expected


@pytest.mark.parametrize(
    ("said", "hours", "expected"),
    [("c-2", 1, "allow"), (None, 1, "refuse"), (None, -1, "allow"), ("c-1", -1, "refuse")],
)
def test_an_end_reaches_what_names_it_and_what_named_none_before(
    said: str | None, hours: float, expected: str
) -> None:
    one = asked(Consent(status="active", id=said))
    assert verdict(terms(one, {OWN: known(hours, status="revoked")}), NOW).verdict == expected


def test_across_linked_people_an_end_asks_a_person_and_a_grant_gives_nothing() -> None:
    ended, granted = known(1, status="revoked"), known(1)
    assert verdict(terms(asked(), {}, [ended]), NOW).verdict == "review"
    assert verdict(terms(asked(), {}, [known(-1, status="revoked")]), NOW).verdict == "allow"
    absent = asked(Consent(status="absent"))
    assert verdict(terms(absent, {}, [granted]), NOW).verdict == "review"


def test_a_navigator_makes_up_for_a_missing_consent_until_a_later_end() -> None:
    absent = asked(Consent(status="absent", id="c-1"), attested=True)
    assert verdict(terms(absent, {}), NOW).verdict == "allow"
    assert verdict(terms(absent, {OWN: known(-1, status="expired")}), NOW).verdict == "allow"
    assert verdict(terms(absent, {OWN: known(-1, status="revoked")}), NOW).verdict == "refuse"


PART2: dict[str, Any] = {"sensitivity": ("part2",)}
COVERS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({}, {}, True),
    ({"recipients": named("pantry")}, {}, True),
    ({"recipients": named("other")}, {}, False),
    ({"recipients": (Recipient(class_="CBO"),)}, {}, True),
    ({"recipients": (Recipient(class_="food-insecurity"),)}, {}, True),
    ({"recipients": (Recipient(class_="homelessness"),)}, {}, False),
    ({"recipients": (Recipient(class_="nobody knows"), *named("pantry"))}, {}, True),
    ({"purposes": ("TREAT",)}, {}, True),
    ({"purposes": ("care coordination",)}, {}, True),
    ({"purposes": ("research",)}, {}, False),
    ({"scope": ("food-insecurity",)}, {}, True),
    ({"scope": ("homelessness",)}, {}, False),
    ({"scope": ("calaim",)}, {"programme": "CalAIM"}, True),
    ({"data_categories": ("need", "contact")}, {}, True),
    ({"data_categories": ("outcome",)}, {}, False),
    ({}, PART2, False),
    ({"recipients": (Recipient(class_="cbo"),)}, PART2, False),
    ({"recipients": named("pantry")}, PART2, True),
    ({"recipients": named("other")}, PART2, False),
]


@pytest.mark.parametrize(("said", "about", "covered"), COVERS)
def test_whom_a_consent_covers(said: dict[str, Any], about: dict[str, Any], covered: bool) -> None:
    one = asked(Consent(status="active", **said), **about)
    found = cover(terms(one, {}), one)
    assert found.allows("pantry") is covered
    assert covered or found.why, "whoever is left out is told why"


def test_a_part_2_record_may_name_whom_the_referral_did_not() -> None:
    one = asked(**PART2)
    assert cover(terms(one, {OWN: known(-1, recipients=named("pantry"))}), one).allows("pantry")


@pytest.mark.parametrize(
    ("said", "about", "outcome", "rule"),
    [
        ({}, {}, True, "default"),
        ({}, PART2, False, "sensitive-explicit-release"),
        ({}, {"sensitivity": ("violence",)}, False, "sensitive-explicit-release"),
        ({"data_categories": ("outcomes",)}, PART2, True, "explicit-release"),
        ({"scope": ("outcome",)}, PART2, True, "explicit-release"),
        ({"data_categories": ("need",)}, {}, False, "outcomes-left-out"),
        ({"data_categories": ("need", "outcome")}, {}, True, "explicit-release"),
    ],
)
def test_outcomes_are_released_by_a_rule_with_a_name_and_a_version(
    said: dict[str, Any], about: dict[str, Any], outcome: bool, rule: str
) -> None:
    one = asked(Consent(status="active", **said), **about)
    for viewer in ("sender", "payer"):
        found = release(terms(one, {}), one, viewer)
        assert (found.outcome, found.rule) == (outcome, f"{rule}@sharing-2026-11")


def test_nobody_else_is_told_an_outcome() -> None:
    assert not release(terms(asked(), {}), asked(), "state").outcome


ORGANIZATIONS = ("pantry", "shelter", "clinic")
CONSENTS = st.builds(
    Consent,
    status=st.sampled_from(words.CONSENT_STATUSES),
    id=st.sampled_from([None, "c-1", "c-2"]),
    recipients=st.lists(st.sampled_from((*named(*ORGANIZATIONS), Recipient(class_="cbo"))), max_size=2).map(
        tuple
    ),
    purposes=st.lists(st.sampled_from(["referral", "research"]), max_size=2).map(tuple),
    scope=st.lists(st.sampled_from(["food-insecurity", "homelessness"]), max_size=1).map(tuple),
    expires_at=st.sampled_from([None, "2026-01-01", "2030-01-01"]),
)
RECORDS = st.dictionaries(
    st.sampled_from([OWN, consent_id("clinic", "c-2")]),
    st.builds(Known, since=st.integers(-2, 2).map(lambda h: NOW + h * HOUR), consent=CONSENTS),
)
ASKED = st.builds(asked, CONSENTS, sensitivity=st.sampled_from([(), ("part2",), ("violence",)]))


@given(ASKED, RECORDS)
def test_an_end_of_the_named_consent_always_wins(one: Asked, records: dict[Any, Known]) -> None:
    record = records.get(consent_id("clinic", one.said.id or "none"))
    if record is not None and record.consent.status in ("revoked", "refused"):
        assert verdict(terms(one, records), NOW).verdict == "refuse"


@given(ASKED, RECORDS, CONSENTS)
def test_one_consent_more_never_widens(one: Asked, records: dict[Any, Known], more: Consent) -> None:
    found = terms(one, records)
    both, wide = cover((*found, more), one), cover(found, one)
    newly = [o for o in ORGANIZATIONS if both.allows(o) and not wide.allows(o)]
    named_now = {r.organization for r in more.recipients}
    assert not newly or ("part2" in one.sensitivity and set(newly) <= named_now)
    order = ("allow", "review", "refuse")
    strict, before = verdict((*found, more), NOW), verdict(found, NOW)
    assert order.index(strict.verdict) >= order.index(before.verdict)


@given(ASKED, RECORDS)
def test_part_2_covers_named_organizations_alone(one: Asked, records: dict[Any, Known]) -> None:
    one = one._replace(sensitivity=("part2",))
    found = terms(one, records)
    all_named = {r.organization for c in found for r in c.recipients}
    covered = cover(found, one).organizations
    assert covered is not None and covered <= all_named
