"""Who of those that fit comes first: distance, load, language, freshness, wait, record, preference."""

from typing import Any

import pytest

from referrals import score, standing
from referrals.globe import distance_km
from referrals.route import route
from referrals.service_record import Record
from referrals.standing import Standings
from referrals.wanted import policy
from tests.support.referrals import NOW, service, world
from tests.support.route import WANTED, decided


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


def test_distance_is_kilometres() -> None:
    assert distance_km(37.0, -122.0, 38.0, -122.0) == pytest.approx(111.195, abs=0.001)
