"""The rules of routing: which excludes whom, who fits, and what a service that says little is asked."""

from typing import Any

import msgspec
import pytest

from referrals import standing
from referrals.directory import Service
from referrals.rules import RULES, limits
from tests.support.referrals import COUNTY, ZIP, service
from tests.support.route import decided, excluded


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


def test_a_service_as_an_older_version_wrote_it_still_decodes() -> None:
    old = b'{"id":"i","organization":"o","name":"n","domains":["food-insecurity"],"statewide":true}'
    found = msgspec.json.decode(old, type=Service)
    assert decided(found, language="en").chosen == "i"


def test_a_service_that_says_nothing_is_asked_about_its_language_alone() -> None:
    assert [name for name, _ in limits(service("pantry"))] == ["language"]
    assert limits(service("pantry", interpretation=True)) == ()
    assert len({name for name, _ in RULES}) == len(RULES) == 16
    assert not {name for name, _ in RULES} & {name for name, _ in standing.SHUT}
