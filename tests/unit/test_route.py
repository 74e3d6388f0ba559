"""Routing: who is excluded by which rule, who is preferred, and that every decision is explained."""

import re
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals import check, score, standing, submitting
from referrals.directory import Service
from referrals.events import HopRequested, RoutingDecided
from referrals.globe import distance_km
from referrals.route import route
from referrals.rules import RULES, limits
from referrals.service_record import Record
from referrals.standing import Standings
from referrals.wanted import Wanted, age, language_code, personal, policy
from tests.support.referrals import COUNTY, NOW, ZIP, body, envelope, service, submit, world

WANTED = Wanted(sender="clinic", domain="food-insecurity", postal_code=ZIP, county=None, language="es")


def decided(*services: Any, loads: dict[str, int] | None = None, **wanted: Any) -> RoutingDecided:
    return route(WANTED._replace(**wanted), world(*services).directory, loads or {}, NOW)


def excluded(decision: RoutingDecided) -> dict[str, str]:
    return {c.organization: c.excluded_by.rule for c in decision.candidates if c.excluded_by}


@pytest.mark.parametrize(
    ("changes", "wanted", "rule"),
    [
        ({"active": False}, {}, "inactive"),
        ({"closures": (("2026-11-01", "2026-11-30"),)}, {}, "closure"),
        ({"languages": ("en",)}, {}, "language"),
        ({"counties": ("elsewhere",)}, {}, "outside-area"),
        ({}, {"postal_code": None, "county": None}, "outside-area"),
        ({}, {"excluded": ("pantry",)}, "client-excluded"),
        ({}, {"earlier": frozenset({"pantry"})}, "earlier-hop"),
        ({}, {"receiving": frozenset({"pantry"})}, "already-receiving"),
        ({"capacity_available": 0, "capacity_version": 2}, {}, "capacity"),
        ({}, {"preferred": "another", "preferred_only": True}, "preferred-only"),
        ({}, {"sender": "pantry"}, "own-organization"),
        ({"service_codes": ("s|a",)}, {"service_code": "s|b"}, "service-code"),
        ({"programmes": ("ecm",)}, {"programme": "community-supports"}, "programme"),
        ({"payers": ("plan-a", "plan-b")}, {"payer": "plan-c"}, "payer-network"),
        ({"payers": ("plan-a",)}, {}, "payer-network"),
        ({"capacity_status": "no-capacity", "capacity_updated": "2026-10-03"}, {}, "capacity"),
        ({"capacity_status": "no-capacity", "capacity_updated": "2026-11-02T09:00:00Z"}, {}, "capacity"),
        ({"minimum_age": 18.0}, {"age": 17}, "age"),
        ({"maximum_age": 17.0}, {"age": 18}, "age"),
        ({"genders": ("female",)}, {"gender": "male"}, "gender"),
        ({"eligibility": ("veteran", "s|unhoused")}, {"attributes": frozenset({"veteran"})}, "eligibility"),
        ({"eligibility": ("veteran",)}, {}, "eligibility"),
        ({"minimum_children": 1}, {"children": 0}, "household"),
        ({"accessibility": ("ramp",)}, {"accessibility": ("ramp", "sign-language")}, "accessibility"),
    ],
)
def test_a_rule_excludes_and_is_named(changes: dict[str, Any], wanted: dict[str, Any], rule: str) -> None:
    decision = decided(service("pantry", **changes), **wanted)
    assert decision.chosen is None
    assert excluded(decision) == {"pantry": rule}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, {}),
        ({"counties": (), "postal_codes": (ZIP,)}, {}),
        ({"counties": (), "statewide": True}, {"postal_code": None}),
        ({}, {"postal_code": None, "county": COUNTY}),
        ({"closures": (("2026-12-24", "2026-12-26"),)}, {}),
        ({"languages": ()}, {"language": "en"}),
        ({}, {"language": None}),
        ({"languages": ("en",), "interpretation": True}, {}),
        ({"service_codes": ("s|a",)}, {"service_code": "s|a"}),
        ({"service_codes": ("s|a",)}, {}),
        ({}, {"service_code": "s|b", "programme": "ecm", "payer": "plan-c", "gender": "male", "age": 3}),
        ({"programmes": ("ecm",)}, {"programme": "ecm"}),
        ({"payers": ("plan-a",)}, {"payer": "plan-a"}),
        ({"capacity_status": "no-capacity", "capacity_updated": "2026-10-02"}, {}),
        ({"capacity_status": "no-capacity"}, {}),
        ({"capacity_status": "no-capacity", "capacity_updated": "soon"}, {}),
        ({"capacity_status": "waitlist", "capacity_updated": "2026-11-01"}, {}),
        ({"minimum_age": 18.0, "maximum_age": 64.0}, {"age": 18}),
        ({"minimum_age": 18.0, "maximum_age": 64.0}, {"age": 64}),
        ({"minimum_age": 18.0}, {}),
        ({"genders": ("female",)}, {"gender": "female"}),
        ({"genders": ("female",)}, {"gender": None}),
        ({"eligibility": ("veteran",)}, {"attributes": frozenset({"veteran"})}),
        ({"minimum_children": 1}, {"children": 1}),
        ({"minimum_children": 1}, {}),
        ({"accessibility": ("ramp", "elevator")}, {"accessibility": ("ramp",)}),
        ({}, {"accessibility": ("ramp",), "children": 0, "attributes": frozenset({"veteran"})}),
    ],
)
def test_a_fitting_service_is_chosen(changes: dict[str, Any], wanted: dict[str, Any]) -> None:
    made = service("pantry", **changes)
    assert decided(made, **wanted).chosen == made.id


def test_the_nearer_service_comes_first_and_the_less_loaded_at_the_same_place() -> None:
    near, far = service("near"), service("far", latitude=38.6, longitude=-121.5)
    assert decided(far, near).chosen == near.id
    twin = service("twin")
    assert decided(near, twin, loads={"near": 9}).chosen == twin.id


ASSURED = {"assured_date": "2026-10-01"}
NO_ROOM = {"capacity_status": "waitlist", "capacity_updated": "2026-11-01"}
ROOM = {"capacity_status": "capacity", "capacity_updated": "2026-11-01"}


@pytest.mark.parametrize(
    ("better", "worse", "part"),
    [
        ({}, {"languages": ("en",), "interpretation": True}, "language"),
        (ASSURED, {}, "freshness"),
        (ASSURED, {"assured_date": "2020-10-01"}, "freshness"),
        (ROOM, {}, "wait"),
        ({}, NO_ROOM, "wait"),
    ],
)
def test_of_two_at_one_place_the_better_is_chosen(
    better: dict[str, Any], worse: dict[str, Any], part: str
) -> None:
    for names in (("a", "b"), ("b", "a")):
        first, second = service(names[0], **better), service(names[1], **worse)
        decision = decided(first, second)
        assert decision.chosen == first.id
        parts = [c.parts for c in decision.candidates]
        assert parts[0][part] > parts[1].get(part, 0.0)
        others = set(parts[0]) - {part, "trust"}  # trust falls too when the row is old
        assert {p: parts[0][p] for p in others} == {p: parts[1][p] for p in others}


@pytest.mark.parametrize(
    "worse",
    [
        Record(asked=9, accepted=9, bounces=5),
        Record(asked=9, accepted=9, wrong=5),
        Record(asked=9, rejected=9),
    ],
)
def test_a_service_with_a_worse_record_comes_later(worse: Record) -> None:
    one, two = service("one"), service("two")
    good = Record(asked=9, accepted=9, response_seconds=9 * 3600)
    for doubted, other in ((one, two), (two, one)):
        records = {(doubted.id, doubted.organization): worse, (other.id, other.organization): good}
        decision = route(WANTED, world(one, two).directory, {}, NOW, Standings(records=records))
        assert decision.chosen == other.id


def test_every_part_is_weighed_and_every_weight_has_a_part() -> None:
    assert set(policy().weights) == {*score.PARTS, *(name for name, _ in standing.PARTS)}


def test_a_preferred_organization_wins_over_distance() -> None:
    near, far = service("near"), service("far", latitude=38.6, longitude=-121.5)
    assert decided(near, far, preferred="far").chosen == far.id


def test_of_those_out_of_reach_a_few_are_named_and_the_rest_counted() -> None:
    many = [service(f"far-{n:03}", counties=("elsewhere",)) for n in range(70)]
    decision = decided(service("pantry"), *many)
    assert len(decision.candidates) == 1 + policy().named_outside
    assert decision.others_excluded == {"outside-area": 65}


def test_out_of_reach_the_nearest_are_named_and_the_preferred_first() -> None:
    far = [service(f"far-{n:02}", counties=("elsewhere",), latitude=30.0 - n) for n in range(30)]
    decision = decided(*far, preferred="far-29")
    named = [c.organization for c in decision.candidates]
    assert named == ["far-29", *(f"far-{n:02}" for n in range(4))]
    assert decision.others_excluded == {"outside-area": 25}
    assert "elsewhere" in str(decision.candidates[0].excluded_by)


def test_more_than_fifty_in_reach_are_counted_per_rule() -> None:
    many = [service(f"p-{n:03}", languages=("en",), latitude=38.0 + n / 100) for n in range(60)]
    decision = decided(service("pantry"), *many, service("far", counties=("elsewhere",)))
    assert decision.chosen == service("pantry").id
    assert len(decision.candidates) == 50
    assert {c.organization for c in decision.candidates} == {"pantry", *(f"p-{n:03}" for n in range(49))}
    assert decision.others_excluded == {"language": 11, "outside-area": 1}


@given(
    st.lists(st.tuples(*[st.booleans()] * 6), max_size=80), st.booleans(), st.sampled_from([ZIP, None, "1"])
)
def test_every_service_of_the_need_is_accounted_for(
    kinds: list[tuple[bool, ...]], only: bool, postal_code: str | None
) -> None:
    services = [
        service(
            f"s{n}",
            counties=(COUNTY,) * county,
            postal_codes=(ZIP,) * zip_,
            statewide=whole,
            active=active,
            languages=("es",) if speaks else ("en",),
            domains=("food-insecurity",) if food else ("homelessness",),
        )
        for n, (county, zip_, whole, active, speaks, food) in enumerate(kinds)
    ]
    decision = decided(*services, postal_code=postal_code, preferred="s1", preferred_only=only)
    names = [c.service for c in decision.candidates]
    food = {s.id for s in services if "food-insecurity" in s.domains}
    fit = [c for c in decision.candidates if not c.excluded_by]
    assert len(set(names)) == len(names) <= 50
    assert set(names) <= food
    assert decision.chosen == (fit[0].service if fit else None)
    unnamed = len(food) - len(names)
    assert sum(decision.others_excluded.values()) == unnamed or (
        len(fit) == 50 and sum(decision.others_excluded.values()) <= unnamed
    )


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


def test_the_order_of_the_directory_changes_nothing() -> None:
    services = [service(f"pantry-{n}") for n in range(6)]
    assert decided(*services) == decided(*reversed(services))


@pytest.mark.parametrize(
    ("text", "code"),
    [("Spanish", "es"), ("es-US", "es"), ("es", "es"), (" ", None), (None, None), ("tlh", "tlh")],
)
def test_languages_as_senders_write_them(text: str | None, code: str | None) -> None:
    assert language_code(text) == code


def test_distance_is_kilometres() -> None:
    assert distance_km(37.0, -122.0, 38.0, -122.0) == pytest.approx(111.195, abs=0.001)


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


def test_a_service_as_an_older_version_wrote_it_still_decodes() -> None:
    old = b'{"id":"i","organization":"o","name":"n","domains":["food-insecurity"],"statewide":true}'
    found = msgspec.json.decode(old, type=Service)
    assert decided(found, language="en").chosen == "i"


def test_a_service_that_says_nothing_is_asked_about_its_language_alone() -> None:
    assert [name for name, _ in limits(service("pantry"))] == ["language"]
    assert limits(service("pantry", interpretation=True)) == ()
    assert len({name for name, _ in RULES}) == len(RULES) == 15
    assert not {name for name, _ in RULES} & {name for name, _ in standing.SHUT}


def test_a_submission_is_routed_by_its_sealed_part() -> None:
    grown, young = service("grown", minimum_age=18.0), service("young", maximum_age=17.0, latitude=38.9)
    child = submit(person=body()["person"] | {"birth_date": "2020-01-01"})
    for command, asked in ((submit(), grown), (child, young)):
        facts = submitting.submit(None, command, envelope("clinic"), world(grown, young))
        assert isinstance(facts, tuple)
        assert [f.event.service for f in facts if isinstance(f.event, HopRequested)] == [asked.id]
