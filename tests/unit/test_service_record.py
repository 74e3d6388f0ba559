"""A service's record: a sum of what facts tell, in any order; places taken and given back."""

from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals import events as e
from referrals.service_record import (
    KEEP,
    NOTHING,
    Record,
    added,
    places_taken,
    silences,
    told_by_capacity,
)
from referrals.words import HopStatus
from tests.support.service_record import TOLD, hop, later, told

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
