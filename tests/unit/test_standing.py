"""How a service stands by its record and its capacity: shut, paused or full, and how well it scores."""

from datetime import datetime

import pytest
from hypothesis import given

from referrals import events as e
from referrals import submitting
from referrals.placing import World
from referrals.service_record import (
    Record,
    added,
    closed_since,
    told_by_capacity,
)
from referrals.standing import SHUT, Standings, standing
from referrals.words import HopStatus
from tests.support.referrals import envelope, service, submit, world
from tests.support.service_record import DAY, OWNER, PANTRY, TOLD, later, told


def room(status: str, at: datetime, said: datetime | None = None) -> Record:
    return told_by_capacity({"room": {"status": status, "updated": (said or at).isoformat()}}, at)


@pytest.mark.parametrize(
    ("then", "closed"),
    [
        (room("capacity", later(3)), False),
        (room("waitlist", later(3)), False),
        (room("no-capacity", later(3)), True),
        (room("capacity", later(3), later(1)), True),
        (room("capacity", later(1)), True),
        (told_by_capacity({"closures": []}, later(3)), True),
        (told(e.HopAccepted(hop="h"), hours=3), False),
        (told(e.HopAccepted(hop="h"), hours=1), True),
    ],
    ids=[
        "room",
        "waitlist",
        "still none",
        "only closures said",
        "earlier",
        "closures",
        "accepts",
        "accepted",
    ],
)
def test_no_capacity_closes_a_service_until_its_cbo_shows_room(then: Record, closed: bool) -> None:
    full = e.HopRejected(hop="h", reason="no-capacity", close_service=True)
    record = added(told(full, hours=2), then)
    assert (closed_since(record) is not None) is closed
    shut = Standings(records={OWNER: record}).of(PANTRY, DAY).shut
    assert (shut is not None and shut.rule == "capacity") is closed


def test_a_service_that_let_too_many_expire_is_paused() -> None:
    standings = Standings()
    after = standings.policy.pause_after_expiries
    for n in range(after):
        assert standings.of(PANTRY, DAY).shut is None
        standings.tell(OWNER, told(e.HopExpired(hop="h"), hours=n))
    shut = standings.of(PANTRY, DAY).shut
    assert shut is not None and shut.rule == "paused" and str(after) in shut.detail
    standings.tell(OWNER, told(e.HopAccepted(hop="h"), HopStatus.EXPIRED, hours=after))
    assert standings.of(PANTRY, DAY).shut is None


def test_better_records_score_higher_part_by_part() -> None:
    good = Record(asked=10, accepted=10, response_seconds=10 * 600)
    worse = {
        "acceptance": Record(asked=10, accepted=4, rejected=6, response_seconds=10 * 600),
        "speed": Record(asked=10, accepted=10, response_seconds=10 * 90_000),
        "trust": Record(asked=10, accepted=10, response_seconds=10 * 600, wrong=1, bounces=1),
    }
    best = Standings(records={OWNER: good}).of(PANTRY, DAY)
    for part, record in worse.items():
        found = Standings(records={OWNER: record}).of(PANTRY, DAY)
        assert found.parts[part] < best.parts[part]
        assert {p: v for p, v in found.parts.items() if p != part} == {
            p: v for p, v in best.parts.items() if p != part
        }


@given(TOLD, TOLD)
def test_every_part_lies_between_nothing_and_one(one: Record, other: Record) -> None:
    found = Standings(records={OWNER: added(one, other)}).of(PANTRY, DAY)
    assert all(0.0 <= value <= 1.0 for value in found.parts.values())


def test_a_row_that_nobody_assured_for_long_is_trusted_less() -> None:
    fresh, stale = service("a", assured_date="2026-10-01"), service("b", assured_date="2023-10-01")
    assert Standings().of(stale, DAY).parts["trust"] < Standings().of(fresh, DAY).parts["trust"]


def test_a_child_sees_its_own_changes_and_its_parent_only_what_it_absorbs() -> None:
    one_place = service("pantry", capacity_available=1, capacity_version=3)
    parent = Standings()
    first, second = parent.child(), parent.child()
    first.take((one_place.id, "pantry", 3), 1)
    shut = first.of(one_place, DAY).shut
    assert shut is not None and shut.detail == "the one place of version 3 is taken"
    assert second.of(one_place, DAY).shut is None and parent.of(one_place, DAY).shut is None
    parent.absorb(first)
    assert parent.of(one_place, DAY).shut is not None
    assert parent.child().taken[one_place.id, "pantry", 3] == 1


@pytest.mark.parametrize(
    ("available", "taken", "day", "detail"),
    [
        (5, 4, "2026-11-02", None),
        (5, 5, "2026-11-02", "all 5 places of 2026-10-01 are taken"),
        (5, 6, "2026-11-02", "all 5 places of 2026-10-01 are taken"),
        (0, 0, "2026-11-02", "has no place (2026-10-01)"),
        (5, 5, "2026-12-02", None),
    ],
)
def test_a_numeric_capacity_is_exact_until_its_own_end(
    available: int, taken: int, day: str, detail: str | None
) -> None:
    until, at = "2026-11-30", datetime.fromisoformat(day).date()
    made = service(
        "pantry", capacity_available=available, capacity_updated="2026-10-01", capacity_until=until
    )
    standings = Standings(taken={(made.id, "pantry", 0): taken})
    assert standings.full(made, at) == detail
    shut = standing(standings.seen(made, at), made).shut
    assert (shut and shut.detail) == detail


def test_every_reason_to_be_shut_can_be_reached() -> None:
    assert [name for name, _ in SHUT] == ["inactive", "closure", "capacity", "capacity", "capacity", "paused"]


def with_places(made: World, taken: dict[tuple[str, str, int], int]) -> World:
    return made._replace(standings=Standings(taken=taken))


def test_a_request_says_which_statement_it_takes_a_place_of() -> None:
    counted = service("pantry", capacity_available=2, capacity_version=4)
    facts = submitting.submit(None, submit(), envelope("clinic"), world(counted))
    assert isinstance(facts, tuple)
    asked = [f.event for f in facts if isinstance(f.event, e.HopRequested)]
    assert [a.capacity_version for a in asked] == [4]
    full = with_places(world(counted), {(counted.id, "pantry", 4): 2})
    facts = submitting.submit(None, submit(), envelope("clinic"), full)
    assert isinstance(facts, tuple)
    review = facts[-1].event
    assert isinstance(review, e.ReviewNeeded) and "capacity" in review.detail
