"""A service's record: a sum of what facts tell, in any order; how it stands by it; places taken and given back."""

from datetime import datetime, timedelta
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals import events as e
from referrals import submitting, words
from referrals.placing import World
from referrals.service_record import (
    KEEP,
    NOTHING,
    Record,
    added,
    closed_since,
    places_taken,
    silences,
    told_by,
    told_by_capacity,
)
from referrals.standing import SHUT, Standings, standing
from referrals.state import Hop
from referrals.words import HopStatus
from tests.support.referrals import NOW, envelope, service, submit, world

DAY = NOW.date()
PANTRY = service("pantry")
OWNER = (PANTRY.id, "pantry")


def hop(status: HopStatus = HopStatus.REQUESTED) -> Hop:
    return Hop(
        hop="h",
        number=1,
        organization="pantry",
        service=PANTRY.id,
        status=status,
        requested_at=NOW,
        due_at=NOW,
    )


def later(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def told(event: e.Event, status: HopStatus = HopStatus.REQUESTED, hours: float = 2) -> Record:
    return told_by(hop(status), event, later(hours)) or NOTHING


ANSWERED = {"response_seconds": 7200, "answered_at": later(2)}


@pytest.mark.parametrize(
    ("event", "status", "tells"),
    [
        (
            e.HopAccepted(hop="h"),
            "requested",
            {"asked": 1, "accepted": 1, "reopened_at": later(2)} | ANSWERED,
        ),
        (
            e.HopAccepted(hop="h"),
            "expired",
            {"accepted": 1, "answered_at": later(2), "reopened_at": later(2)},
        ),
        (e.HopRejected(hop="h", reason="language"), "requested", {"asked": 1, "rejected": 1} | ANSWERED),
        (
            e.HopRejected(hop="h", reason="outside-area"),
            "requested",
            {"asked": 1, "rejected": 1, "wrong": 1} | ANSWERED,
        ),
        (
            e.HopRejected(hop="h", reason="no-capacity", close_service=True),
            "requested",
            {"asked": 1, "rejected": 1, "closed_at": later(2)} | ANSWERED,
        ),
        (
            e.HopRejected(hop="h", reason="no-capacity"),
            "requested",
            {"asked": 1, "rejected": 1} | ANSWERED,
        ),
        (
            e.HopRejected(hop="h", reason="language", close_service=True),
            "requested",
            {"asked": 1, "rejected": 1} | ANSWERED,
        ),
        (e.HopExpired(hop="h"), "requested", {"asked": 1, "expired": 1, "expiries": (later(2),)}),
        (
            e.HopTransferred(hop="h", reason="transferred"),
            "accepted",
            {"bounces": 1, "answered_at": later(2)},
        ),
        (
            e.HopTransferred(hop="h", reason="transferred"),
            "requested",
            {"asked": 1, "rejected": 1} | ANSWERED,
        ),
        (
            e.HopWithdrawn(hop="h", reason="no-capacity"),
            "in-progress",
            {"bounces": 1, "answered_at": later(2)},
        ),
        (e.HopWithdrawn(hop="h", reason="client-withdrew"), "accepted", {"answered_at": later(2)}),
        (e.HopCancelled(hop="h", reason="need-met"), "requested", {}),
        (e.HopSuperseded(hop="h", reason="accepted-elsewhere"), "requested", {}),
    ],
)
def test_what_a_fact_tells(event: e.Event, status: str, tells: dict[str, Any]) -> None:
    assert told(event, HopStatus(status)) == Record(**tells)


TOLD = st.builds(
    told,
    st.sampled_from(
        [
            e.HopAccepted(hop="h"),
            e.HopExpired(hop="h"),
            *(
                e.HopRejected(hop="h", reason=reason, close_service=closes)
                for reason in words.table("reject_reasons")
                for closes in (False, True)
            ),
            *(e.HopWithdrawn(hop="h", reason=reason) for reason in words.table("withdraw_reasons")),
        ]
    ),
    st.sampled_from(HopStatus),
    st.integers(0, 40),
)


@given(st.lists(TOLD, max_size=30).flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_a_shuffled_history_tells_the_same(both: tuple[list[Record], list[Record]]) -> None:
    history, shuffled = both
    middle = len(shuffled) // 2
    parts = (reduce(added, shuffled[:middle], NOTHING), reduce(added, shuffled[middle:], NOTHING))
    assert reduce(added, history, NOTHING) == added(*parts)


def test_silences_count_since_the_last_answer() -> None:
    silent = reduce(added, (told(e.HopExpired(hop="h"), hours=n) for n in range(5)), NOTHING)
    assert silences(silent) == 5
    answered = added(silent, told(e.HopRejected(hop="h", reason="other"), hours=2.5))
    assert silences(answered) == 2
    assert silences(added(answered, told_by_capacity({}, later(9)))) == 0
    many = reduce(added, (told(e.HopExpired(hop="h"), hours=n) for n in range(KEEP + 7)), NOTHING)
    assert silences(many) == KEEP


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


S = HopStatus


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (None, S.REQUESTED, 1),
        (S.REQUESTED, S.ACCEPTED, 0),
        (S.REQUESTED, S.REJECTED, -1),
        (S.REQUESTED, S.EXPIRED, -1),
        (S.REQUESTED, S.CANCELLED, -1),
        (S.EXPIRED, S.ACCEPTED, 1),
        (S.ACCEPTED, S.CANCELLED, -1),
        (S.ON_HOLD, S.REJECTED, -1),
        (S.IN_PROGRESS, S.CANCELLED, 0),
        (S.IN_PROGRESS, S.COMPLETED, 0),
        (S.ACCEPTED, S.FAILED, 0),
        (S.COMPLETED, S.IN_PROGRESS, 0),
    ],
)
def test_a_place_is_taken_by_the_request_and_comes_back_before_help_began(
    before: HopStatus | None, after: HopStatus, change: int
) -> None:
    assert places_taken(hop(before) if before else None, hop(after)) == change


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
