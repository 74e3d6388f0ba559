"""The check at every door: what the body alone shows to be wrong, and nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals import check
from referrals.check import Invalid

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PERSON: dict[str, Any] = {
    "person_id": "P1",
    "given_name": "Luz",
    "family_name": "Maple-Test",
    "birth_date": "1984-07-19",
}
BODY: dict[str, Any] = {
    "sender_referral_id": "R1",
    "person": PERSON,
    "need": {"domain": "food-insecurity"},
    "consent": {"status": "active"},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def pointers(body: Any) -> list[str]:
    with pytest.raises(Invalid) as caught:
        check.submissions(body, NOW)
    assert all(problem.detail for problem in caught.value.problems)
    return [problem.pointer for problem in caught.value.problems]


def person(**changes: Any) -> dict[str, Any]:
    return BODY | {"person": PERSON | changes}


def test_the_smallest_body_is_a_submission() -> None:
    made = check.submission(BODY, NOW)
    assert (made.priority, made.routing, made.coverage) == ("routine", None, None)


@pytest.mark.parametrize("body", [None, [], 5, "x", True])
def test_only_an_object_is_a_body(body: Any) -> None:
    assert pointers(body) == [""]


@pytest.mark.parametrize("field", ["sender_referral_id", "person", "need", "consent"])
def test_a_required_field_missing_or_null_is_named(field: str) -> None:
    assert pointers({k: v for k, v in BODY.items() if k != field}) == [f"/{field}"]
    assert pointers(BODY | {field: None}) == [f"/{field}"]


@pytest.mark.parametrize("field", sorted(PERSON))
def test_a_required_field_of_the_person_is_named(field: str) -> None:
    assert pointers(person(**{field: None})) == [f"/person/{field}"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"sender_referral_id": " "}, "/sender_referral_id"),
        ({"sender_referral_id": "x" * 201}, "/sender_referral_id"),
        ({"priority": "soon"}, "/priority"),
        ({"routing": "random"}, "/routing"),
        ({"need": {"domain": "food"}}, "/need/domain"),
        ({"consent": {"status": "yes"}}, "/consent/status"),
        ({"consent": {"status": "active", "date": "yesterday"}}, "/consent/date"),
        ({"consent": {"status": "active", "expires_at": "9999-12-31T23:59:59-14:00"}}, "/consent/expires_at"),
        ({"sensitivity": ["secret"]}, "/sensitivity/0"),
        ({"requested_at": "2026-06-01T12:06:00Z"}, "/requested_at"),
        ({"requested_at": "2026-06-01T11:00:00"}, "/requested_at"),
        ({"requested_at": "0001-01-01T00:00:00+14:00"}, "/requested_at"),
        ({"person": PERSON | {"birth_date": "1984-02-30"}}, "/person/birth_date"),
        ({"person": PERSON | {"birth_date": "2026-06-02"}}, "/person/birth_date"),
        ({"person": PERSON | {"given_name": "L\x00z"}}, "/person/given_name"),
        ({"person": PERSON | {"given_name": "L\ud800z"}}, "/person/given_name"),
        ({"person": PERSON | {"given_name": 5}}, "/person/given_name"),
        ({"person": PERSON | {"attributes": [{"value": {"a\x00": 1}}]}}, "/person/attributes/0/value"),
        ({"person": PERSON | {"race_ethnicity": 5, "race": "2106-3"}}, "/person/race_ethnicity"),
        ({"person": PERSON | {"race": [[1]]}}, "/person/race_ethnicity/0"),
        ({"needs": []}, "/needs"),
    ],
)
def test_what_is_wrong_is_named_by_its_pointer(changes: dict[str, Any], pointer: str) -> None:
    assert pointers(BODY | changes) == [pointer]


def test_five_minutes_ahead_is_a_clock_and_not_the_future() -> None:
    assert check.submission(BODY | {"requested_at": "2026-06-01T12:05:00Z"}, NOW)


def test_nulls_and_unknown_fields_are_as_if_absent() -> None:
    body = BODY | {"priority": None, "shoe_size": 9, "coverage": {"payer": None}}
    assert check.submission(body, NOW).priority == "routine"


def test_aliases_fill_the_field_they_stand_for() -> None:
    aliases = {
        "sex": "female",
        "language": "es",
        "race": "2106-3",
        "phone": "1",
        "contact": {"phone_ok": True},
    }
    made = check.submission(person(**aliases), NOW).person
    assert (made.gender, made.spoken_language) == ("female", "es")
    assert [c.code for c in made.race_ethnicity] == ["2106-3"]
    assert made.contact and [(p.number, p.safe) for p in made.contact.phones] == [("1", True)]


def test_several_needs_are_several_submissions_of_one_case() -> None:
    needs = [{"domain": d} for d in ("food-insecurity", "stress", "food-insecurity")]
    body = {k: v for k, v in BODY.items() if k != "need"} | {"needs": needs}
    made = check.submissions(body, NOW)
    assert [s.sender_referral_id for s in made] == ["R1#food-insecurity", "R1#stress", "R1#food-insecurity.2"]
    assert {s.case_id for s in made} == {"R1"}


def test_a_wrong_need_of_several_is_named_by_its_place() -> None:
    body = {k: v for k, v in BODY.items() if k != "need"} | {"needs": [{"domain": "stress"}, {"domain": "x"}]}
    assert pointers(body) == ["/needs/1/domain"]


def test_nesting_without_end_is_refused() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    assert pointers(person(attributes=[{"value": deep}]))


@given(st.sampled_from([*BODY, "needs", "coverage", "requested_at", "sensitivity"]), JSON)
def test_any_json_in_any_field_is_a_submission_or_invalid(field: str, value: Any) -> None:
    try:
        check.submissions(BODY | {field: value}, NOW)
    except Invalid as error:
        assert error.problems


@given(
    st.sampled_from([*PERSON, "race", "race_ethnicity", "contact", "address", "phone", "household"]),
    JSON,
    JSON,
)
def test_any_json_in_the_person_is_a_submission_or_invalid(field: str, value: Any, other: Any) -> None:
    try:
        check.submissions(person(**{"ethnicity": other, field: value}), NOW)
    except Invalid as error:
        assert error.problems
