"""Business time over two years, three time zones, holidays, closures and every change of the clocks."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from holidays import country_holidays
from hypothesis import given, settings
from hypothesis import strategies as st

from referrals.business_time import Calendar, Week, add, add_days, between, is_open, opening
from referrals.open_days import days, opened

PACIFIC = "America/Los_Angeles"
OFFICE = Calendar(time_zone=PACIFIC, state="CA")
NIGHTS = Week(
    mon=("00:00-02:30", "22:00-24:00"),
    sat=("20:00-24:00",),
    sun=("00:00-01:15", "01:30-02:30", "02:45-03:15", "03:30-24:00"),
)
SUNDAYS = Week(mon=(), tue=(), wed=(), thu=(), fri=(), sun=("00:00-24:00",))
ALWAYS = Week(*[("00:00-24:00",)] * 7)
CALENDARS = [
    OFFICE,
    Calendar(time_zone="America/New_York", state="NY", hours=NIGHTS),
    Calendar(time_zone=PACIFIC, state=None, hours=ALWAYS),
    Calendar(time_zone=PACIFIC, state="CA", hours=NIGHTS, closures=(("2026-11-23", "2026-12-04"),)),
    Calendar(
        time_zone="America/Phoenix",
        state="AZ",
        hours=Week(mon=("08:00-12:00", "13:00-17:00"), fri=("09:00-11:00",), sat=("10:00-10:20",)),
        closures=(("2027-03-01", "2027-03-01"), ("2026-12-20", "2027-01-10")),
    ),
]
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
SPRING, FALL = datetime(2026, 3, 8, 8, tzinfo=UTC), datetime(2026, 11, 1, 7, tzinfo=UTC)
ANY = st.integers(0, 2 * 365 * 86400)
NEAR = st.tuples(
    st.sampled_from([SPRING, FALL, SPRING.replace(2027, 3, 14), FALL.replace(2027, 11, 7)]),
    st.integers(0, 8 * 3600),
)
INSTANTS = ANY.map(lambda s: FIRST + timedelta(seconds=s)) | NEAR.map(
    lambda n: n[0] + timedelta(seconds=n[1])
)
AMOUNTS = st.integers(0, 400 * 3600).map(lambda s: timedelta(seconds=s))
CALENDAR = st.sampled_from(CALENDARS)
HOLIDAYS = {s: country_holidays("US", subdiv=s, years=(2025, 2026, 2027, 2028)) for s in ("CA", "NY", "AZ")}


def at(text: str, zone: str = PACIFIC) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@settings(max_examples=600, deadline=None)
@given(CALENDAR, INSTANTS, INSTANTS, AMOUNTS, AMOUNTS)
def test_business_time_is_monotone_additive_open_and_invertible(
    calendar: Calendar, a: datetime, b: datetime, first: timedelta, second: timedelta
) -> None:
    due = add(calendar, a, first)
    assert due >= a and is_open(calendar, due), "never in closed time, never before the start"
    assert add(calendar, due, second) == add(calendar, a, first + second), "additive"
    assert between(calendar, a, due) == first, "the inverse agrees"
    early, late = sorted((a, b))
    assert add(calendar, early, first) <= add(calendar, late, first), "monotone in the start"
    assert add(calendar, a, min(first, second)) <= add(calendar, a, max(first, second)), "and in the amount"
    assert between(calendar, a, b) == -between(calendar, b, a)
    assert timedelta(0) <= between(calendar, early, late) <= late - early


@settings(max_examples=300, deadline=None)
@given(CALENDAR, INSTANTS, st.integers(0, 20), st.integers(0, 20))
def test_business_days_are_monotone_additive_and_end_with_the_day(
    calendar: Calendar, start: datetime, first: int, second: int
) -> None:
    due = add_days(calendar, start, first)
    assert due >= start and is_open(calendar, due)
    assert due.astimezone(ZoneInfo(calendar.time_zone)).second == 0, "the end of its hours"
    assert add_days(calendar, due, second) == add_days(calendar, start, first + second)
    assert add_days(calendar, start, first) < add_days(calendar, start, first + 1)


@settings(max_examples=300, deadline=None)
@given(INSTANTS, AMOUNTS)
def test_around_the_clock_without_holidays_is_elapsed_time(start: datetime, amount: timedelta) -> None:
    always = Calendar(time_zone=PACIFIC, hours=ALWAYS)
    assert add(always, start, amount) == start + amount == add(None, start, amount)


@settings(max_examples=100, deadline=None)
@given(CALENDAR, INSTANTS, st.integers(1, 40))
def test_open_time_is_what_counting_minutes_gives(calendar: Calendar, start: datetime, hours: int) -> None:
    """Against the plainest way to say it: look at every minute, in local time."""
    start = start.replace(second=0)
    minutes = (start + timedelta(minutes=n) for n in range(hours * 60))
    counted = sum(plainly_open(calendar, m) for m in minutes)
    assert between(calendar, start, start + timedelta(hours=hours)) == timedelta(minutes=counted)


def plainly_open(calendar: Calendar, when: datetime) -> bool:
    local = when.astimezone(ZoneInfo(calendar.time_zone))
    days = [getattr(calendar.hours, d) for d in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")]
    off = calendar.state and local.date() in HOLIDAYS[calendar.state]
    closed = any(a <= local.date().isoformat() <= b for a, b in calendar.closures)
    clock = f"{local:%H:%M}"
    spans = [span.split("-") for span in days[local.weekday()]]
    if local.fold:  # an hour that comes twice: what stays open past it is open both times
        return not off and not closed and any(a < "02:00" <= b for a, b in spans)
    return not off and not closed and any(a <= clock < b for a, b in spans)


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-11-23T09:00", 2, "2026-11-25T17:00"),
        ("2026-11-22T15:10", 2, "2026-11-25T17:00"),  # a Sunday counts as the Monday
        ("2026-11-25T09:00", 2, "2026-12-01T17:00"),  # Thanksgiving and the day after are free in California
        ("2026-11-25T17:00", 1, "2026-11-30T17:00"),  # the last instant still belongs to its day
        ("2026-11-25T17:01", 1, "2026-12-01T17:00"),
        ("2026-12-24T12:00", 1, "2026-12-28T17:00"),
        ("2026-11-23T09:00", 0, "2026-11-23T17:00"),
    ],
)
def test_business_days_step_over_weekends_and_holidays(start: str, days: int, due: str) -> None:
    assert add_days(OFFICE, at(start), days) == at(due)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-11-24T16:00", 2, "2026-11-25T09:00"),
        ("2026-11-25T16:00", 2, "2026-11-30T09:00"),
        ("2026-03-06T16:30", 1, "2026-03-09T08:30"),  # over the spring change
        ("2026-10-30T16:30", 1, "2026-11-02T08:30"),  # over the fall change
        ("2026-11-24T16:00", 1, "2026-11-24T17:00"),
        ("2026-11-24T18:00", 0, "2026-11-25T08:00"),
    ],
)
def test_business_hours_keep_their_wall_time_over_every_change(start: str, hours: int, due: str) -> None:
    assert add(OFFICE, at(start), timedelta(hours=hours)) == at(due)


def test_a_day_of_23_hours_and_one_of_25_count_what_really_passes() -> None:
    sundays = Calendar(time_zone=PACIFIC, hours=SUNDAYS)
    spring, fall = at("2026-03-08T00:00"), at("2026-11-01T00:00")
    assert between(sundays, spring, at("2026-03-09T00:00")) == timedelta(hours=23)
    assert between(sundays, fall, at("2026-11-02T00:00")) == timedelta(hours=25)
    assert between(sundays, fall, at("2026-11-08T01:00")) == timedelta(hours=26)


def test_a_recipients_closure_stops_its_clock_alone() -> None:
    closed = OFFICE.closed((("2026-11-24", "2026-11-24"),))
    assert add_days(closed, at("2026-11-23T09:00"), 1) == at("2026-11-25T17:00")
    assert add_days(OFFICE, at("2026-11-23T09:00"), 1) == at("2026-11-24T17:00")
    assert OFFICE.closed(()) is OFFICE


def test_the_review_of_a_day_begins_when_it_opens() -> None:
    assert opening(OFFICE, date(2026, 11, 24)) == at("2026-11-24T08:00")
    assert opening(OFFICE, date(2026, 11, 26)) == at("2026-11-30T08:00")
    assert opening(Calendar(time_zone=PACIFIC, hours=ALWAYS), date(2026, 11, 26)) == at("2026-11-26T00:00")


@pytest.mark.parametrize("hours", [Week(*[()] * 7), Week(mon=("8-5",)), Week(mon=("08:00-24:30",))])
def test_hours_nobody_can_keep_are_refused(hours: Week) -> None:
    with pytest.raises(ValueError, match="hours must be like"):
        Calendar(time_zone=PACIFIC, hours=hours)


def test_a_calendar_that_never_opens_says_so_instead_of_counting_for_ever() -> None:
    shut = OFFICE.closed((("2026-01-01", "9999-12-31"),))
    with pytest.raises(ValueError, match="does not open within"):
        add(shut, at("2026-11-23T09:00"), timedelta(hours=1))


@settings(max_examples=300, deadline=None)
@given(CALENDAR, INSTANTS, AMOUNTS)
def test_the_table_of_a_calendar_says_what_its_days_say(
    calendar: Calendar, start: datetime, later: timedelta
) -> None:
    end, table, passed = start + later, opened(calendar, start), timedelta()
    for day in days(calendar, start):
        if day.spans[0][0] > end:
            break
        for opens, closes in day.spans:
            passed += max(min(closes, end) - max(opens, start), timedelta())
    before, after = table.until(start), table.until(end)
    assert before is not None and after is not None and after - before == passed
    assert table.add(start, passed) == add(calendar, start, passed)


def test_what_lies_beyond_the_table_is_counted_by_the_days() -> None:
    start, long = at("2026-06-01T09:00"), timedelta(hours=3 * 250 * 9)
    assert opened(OFFICE, start).add(start, long) is None
    due = add(OFFICE, start, long)
    assert between(OFFICE, start, due) == long and add_days(OFFICE, start, 700) > start


def test_hours_that_overlap_have_no_table() -> None:
    muddled = Calendar(time_zone=PACIFIC, hours=Week(mon=("12:00-14:00", "08:00-13:00")))
    assert opened(muddled, FIRST).until(FIRST) is None
    monday = at("2026-01-05T07:00")
    assert add(muddled, monday, timedelta(hours=1)) == at("2026-01-05T13:00"), "in the order they are written"
