"""Routing: who is excluded by which rule, who is preferred, and that every decision is explained."""

from typing import Any

import pytest

from referrals.events import RoutingDecided
from referrals.route import Wanted, distance_km, language_code, route
from tests.support.referrals import COUNTY, NOW, ZIP, service, world

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
        ({}, {"preferred": "another", "preferred_only": True}, "preferred-only"),
        ({}, {"sender": "pantry"}, "own-organization"),
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


def test_a_preferred_organization_wins_over_distance() -> None:
    near, far = service("near"), service("far", latitude=38.6, longitude=-121.5)
    assert decided(near, far, preferred="far").chosen == far.id


def test_only_fifty_candidates_are_named_and_the_rest_counted_per_rule() -> None:
    many = [service(f"far-{n:03}", counties=("elsewhere",)) for n in range(70)]
    decision = decided(service("pantry"), *many)
    assert len(decision.candidates) == 50
    assert decision.others_excluded == {"outside-area": 21}


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
