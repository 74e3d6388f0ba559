"""What a referral asks of a service: personal facts reach the rules alone, languages, ages, the sealed part."""

import re
from datetime import date

import pytest

from referrals import check, submitting
from referrals.events import HopRequested
from referrals.wanted import age, language_code, personal
from tests.support.referrals import NOW, body, envelope, service, submit, world
from tests.support.route import decided


def test_what_is_personal_reaches_the_rules_and_not_the_explanation() -> None:
    person = check.submission(
        body(
            person=body()["person"]
            | {
                "birth_date": "1980-11-03",
                "gender": "Female",
                "interpreter_needed": True,
                "accessibility": ["Wheel chair"],
                "household": {"children": 2},
                "attributes": [
                    {"system": "s", "code": "veteran", "value": True},
                    {"code": "unhoused", "value": "no"},
                    {"code": "already-receiving", "value": "shelter"},
                ],
            }
        ),
        NOW,
    )
    found = personal(person, NOW.date())
    assert found == {
        "age": 45,
        "gender": "female",
        "interpreter_needed": True,
        "accessibility": ("wheel-chair",),
        "attributes": frozenset({"veteran", "s|veteran", "already-receiving", "|already-receiving"}),
        "children": 2,
        "receiving": frozenset({"shelter"}),
    }
    for limit in ({"maximum_age": 17.0}, {"genders": ("male",)}, {"accessibility": ("ramp",)}):
        detail = str(decided(service("pantry", **limit), **found).candidates[0].excluded_by)
        assert not {"45", "female", "wheel"} & set(re.split(r"\W+", detail))


@pytest.mark.parametrize(
    ("text", "code"),
    [("Spanish", "es"), ("es-US", "es"), ("es", "es"), (" ", None), (None, None), ("tlh", "tlh")],
)
def test_languages_as_senders_write_them(text: str | None, code: str | None) -> None:
    assert language_code(text) == code


@pytest.mark.parametrize(
    ("born", "day", "years"),
    [
        ("2008-11-02", "2026-11-02", 18),
        ("2008-11-03", "2026-11-02", 17),
        ("2008-02-29", "2026-02-28", 17),
        ("2008-02-29", "2026-03-01", 18),
        ("unknown", "2026-03-01", None),
    ],
)
def test_age_is_whole_years_on_the_day(born: str, day: str, years: int | None) -> None:
    assert age(born, date.fromisoformat(day)) == years


def test_a_submission_is_routed_by_its_sealed_part() -> None:
    grown, young = service("grown", minimum_age=18.0), service("young", maximum_age=17.0, latitude=38.9)
    child = submit(person=body()["person"] | {"birth_date": "2020-01-01"})
    for command, asked in ((submit(), grown), (child, young)):
        facts = submitting.submit(None, command, envelope("clinic"), world(grown, young))
        assert isinstance(facts, tuple)
        assert [f.event.service for f in facts if isinstance(f.event, HopRequested)] == [asked.id]
