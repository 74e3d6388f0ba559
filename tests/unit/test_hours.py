"""Opening hours: weekly, monthly, past midnight, in UTC, over daylight saving; closures win; nonsense is not open."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referrals.hours import open_at, postal_code, schedules
from tests.support.referrals import service

HOME = ZoneInfo("America/Los_Angeles")
PANTRY = service("pantry")
Json = dict[str, Any]
DAILY = {"freq": "WEEKLY", "byday": "MO,TU,WE,TH,FR", "opens_at": "09:00", "closes_at": "17:00"}


def at(text: str) -> datetime:
    """A moment said in local time."""
    return datetime.fromisoformat(text).replace(tzinfo=HOME).astimezone(UTC)


def is_open(moment: str, **schedule: Any) -> bool:
    return open_at(PANTRY, {"schedules": [DAILY | schedule]}, at(moment), HOME)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-02T08:59:59", False),
        ("2026-11-02T09:00:00", True),
        ("2026-11-02T16:59:59", True),
        ("2026-11-02T17:00:00", False),
        ("2026-11-01T12:00:00", False),  # a Sunday, and the day summer time ends
        ("2026-10-30T16:30:00", True),  # in summer time
    ],
)
def test_hours_of_weekdays_in_the_zone_of_the_place(moment: str, expected: bool) -> None:
    assert is_open(moment) is expected


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ({"valid_from": "2026-11-03"}, "2026-11-02T10:00", False),
        ({"valid_to": "2026-11-01"}, "2026-11-02T10:00", False),
        ({"until": "2026-11-02"}, "2026-11-02T10:00", True),
        ({"opens_at": "22:00", "closes_at": "02:00", "byday": "MO"}, "2026-11-03T01:30", True),
        ({"opens_at": "22:00", "closes_at": "02:00", "byday": "MO"}, "2026-11-02T01:30", False),
        ({"opens_at": "00:00", "closes_at": "00:00", "byday": "MO"}, "2026-11-02T23:59", True),
        ({"opens_at": "17:00Z", "closes_at": "19:00Z"}, "2026-11-02T10:00", True),
        ({"opens_at": "17:00Z", "closes_at": "19:00Z"}, "2026-11-02T12:00", False),
        ({"timezone": -5}, "2026-11-02T06:30", True),
        ({"timezone": "America/New_York"}, "2026-11-02T13:30", True),
        ({"timezone": "America/New_York"}, "2026-11-02T14:30", False),
        ({"timezone": "Nowhere/../../etc/passwd"}, "2026-11-02T10:00", True),
        ({"interval": 2, "dtstart": "2026-10-19"}, "2026-11-02T10:00", True),
        ({"interval": 2, "dtstart": "2026-10-26"}, "2026-11-02T10:00", False),
        ({"byday": None, "dtstart": "2026-10-26"}, "2026-11-02T10:00", True),
        ({"byday": None, "dtstart": "2026-10-27"}, "2026-11-02T10:00", False),
        ({"freq": "MONTHLY", "byday": "1MO"}, "2026-11-02T10:00", True),
        ({"freq": "MONTHLY", "byday": "2MO"}, "2026-11-02T10:00", False),
        ({"freq": "MONTHLY", "byday": "-1MO"}, "2026-11-30T10:00", True),
        ({"freq": "MONTHLY", "byday": "-1MO"}, "2026-11-23T10:00", False),
        ({"freq": "MONTHLY", "byday": None, "bymonthday": "2,16"}, "2026-11-16T10:00", True),
        ({"freq": "MONTHLY", "byday": None, "bymonthday": "-1"}, "2026-11-30T10:00", True),
        ({"freq": "MONTHLY", "byday": None, "dtstart": "2026-09-02"}, "2026-11-02T10:00", True),
        (
            {"freq": "MONTHLY", "byday": None, "dtstart": "2026-09-02", "interval": 4},
            "2026-11-02T10:00",
            False,
        ),
        ({"freq": "MONTHLY", "byday": None}, "2026-11-02T10:00", False),
        ({"opens_at": None}, "2026-11-02T10:00", False),
        ({"closes_at": "late"}, "2026-11-02T10:00", False),
    ],
)
def test_a_recurrence(schedule: Json, moment: str, expected: bool) -> None:
    assert is_open(moment, **schedule) is expected


def test_nobody_is_said_to_be_open_who_says_no_hours() -> None:
    assert not open_at(PANTRY, {}, at("2026-11-02T10:00"), HOME)


def test_a_closure_wins_over_the_hours() -> None:
    closed = service("pantry", closures=(("2026-11-02", "2026-11-02"),))
    body = {"schedules": [DAILY]}
    assert not open_at(closed, body, at("2026-11-02T10:00"), HOME)
    assert open_at(closed, body, at("2026-11-03T10:00"), HOME)


def test_the_hours_of_the_place_count_where_the_service_has_none() -> None:
    place = {"schedules": [DAILY], "addresses": [{"postal_code": "94607-1234"}]}
    body: Json = {"service_at_locations": [{"location": place}, 5]}
    assert schedules(body) == [DAILY] and postal_code(body) == "94607"
    assert schedules({"schedules": [DAILY | {"freq": "X"}]} | body) == [DAILY | {"freq": "X"}]
    assert postal_code({"service_at_locations": "x"}) == ""


ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)


@given(
    st.dictionaries(st.sampled_from([*DAILY, "dtstart", "interval", "timezone", "bymonthday", "until"]), ANY)
)
@settings(deadline=None)
def test_nonsense_is_open_or_not_and_never_fails(schedule: Json) -> None:
    for freq in ("WEEKLY", "MONTHLY"):
        made = DAILY | {"freq": freq} | schedule
        assert open_at(PANTRY, {"schedules": [made, 5]}, at("2026-11-02T10:00"), HOME) in (True, False)
