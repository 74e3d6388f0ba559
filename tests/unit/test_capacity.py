"""What a CBO says of its room: each wrong statement has its place, what is not said stays, routing sees the rest."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referrals import commands as c
from referrals.capacity import STATUSES, recorded, statement, with_room
from referrals.check import Invalid
from referrals.standing import Standings, fresh_capacity
from referrals.streams import Stream
from tests.support.referrals import NOW, envelope, service

TODAY = date(2026, 11, 2)
PANTRY = service("pantry")
ID = UUID(PANTRY.id)
Json = dict[str, Any]


def after(*statements: Json) -> Json:
    """The data of the stream after these statements, said on the same day."""
    stream: Stream | None = None
    for said in statements:
        fact = recorded(stream, c.RecordFact("capacity", ID, "capacity-changed", said), envelope("pantry"))
        if isinstance(fact, c.RecordFact):
            stream = Stream("pantry", stream.version + 1 if stream else 1, fact.type, fact.data)
    return dict(stream.data) if stream else {}


@pytest.mark.parametrize(
    ("said", "status", "available"),
    [
        ({"status": "capacity"}, "capacity", None),
        ({"status": "waitlist", "available": 0}, "waitlist", 0),
        ({"status": "additional-assessment-required"}, "additional-assessment-required", None),
        ({"available": 3}, "capacity", 3),
        ({"available": 0}, "no-capacity", 0),
        ({"capacity": 40}, "capacity", 40),
        ({"status": "limited"}, "capacity", None),
        ({"status": "full"}, "no-capacity", None),
    ],
)
def test_a_statement_of_room_in_its_one_form(said: Json, status: str, available: int | None) -> None:
    room = statement(said, TODAY)["room"]
    assert (room["status"], room["available"]) == (status, available)


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({}, ""),
        ({"note": "hello"}, ""),
        ({"available": None}, ""),
        ({"status": "plenty"}, "/status"),
        ({"status": 3}, "/status"),
        ({"available": -1}, "/available"),
        ({"available": 1.5}, "/available"),
        ({"available": True}, "/available"),
        ({"available": 10**9}, "/available"),
        ({"status": "no-capacity", "available": 2}, "/available"),
        ({"status": "capacity", "available": 0}, "/available"),
        ({"status": "capacity", "until": "2026-10-30"}, "/until"),
        ({"status": "capacity", "until": "soon"}, "/until"),
        ({"status": "capacity", "expires_at": "2026-02-30"}, "/until"),
        ({"status": "capacity", "note": "x" * 2001}, "/note"),
        ({"status": "capacity", "note": "x\x00"}, "/note"),
        ({"closures": {}}, "/closures"),
        ({"closures": [{}] * 101}, "/closures"),
        ({"closures": ["May"]}, "/closures/0"),
        ({"closures": [{"to": "2026-11-05"}]}, "/closures/0/from"),
        ({"closures": [{"from": "2026-02-30"}]}, "/closures/0/from"),
        ({"closures": [{"from": "2026-11-05", "to": "2026-11-04"}]}, "/closures/0/to"),
        ({"closures": [{"from": "2026-11-05", "to": "later"}]}, "/closures/0/to"),
        ({"closures": [{"from": "2026-11-05"}, {"from": "2026-12-01", "reason": 5}]}, "/closures/1/reason"),
    ],
)
def test_each_wrong_statement_has_its_place(said: Json, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        statement(said, TODAY)
    assert [p.pointer for p in caught.value.problems] == [pointer]
    fact = recorded(None, c.RecordFact("capacity", ID, "capacity-changed", said), envelope("pantry"))
    assert isinstance(fact, c.Rejection) and fact.reason == "invalid"


@given(
    st.dictionaries(
        st.sampled_from(["status", "available", "until", "closures", "note", "from"]),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=12) | st.sampled_from([*STATUSES, "2026-12-01"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["from", "to", "reason"]), inner, max_size=3)
            ),
        ),
    )
)
@settings(deadline=None)
def test_any_statement_is_taken_or_refused_with_a_place(said: Json) -> None:
    try:
        made = statement(said, TODAY)
    except Invalid as error:
        assert error.problems
        return
    room = made.get("room")
    if room:
        assert room["status"] in STATUSES
        made["room"] = room | {"updated": NOW.isoformat(), "version": 1}
    with_room(PANTRY, made)


def test_what_is_not_said_stays() -> None:
    closed = {"closures": [{"from": "2026-12-24", "to": "2026-12-26", "reason": "Holidays"}]}
    told = after({"available": 3, "note": "mornings"}, closed)
    assert told["room"]["available"] == 3 and told["room"]["note"] == "mornings"
    assert told["closures"] == closed["closures"]
    assert after(closed, {"status": "waitlist"})["closures"] == closed["closures"]
    assert after(closed, {"closures": []})["closures"] == []


def test_places_are_counted_from_the_statement_that_gave_them_and_not_from_a_closure() -> None:
    told = after({"status": "capacity"}, {"available": 3}, {"closures": [{"from": "2026-12-24"}]})
    assert told["room"]["version"] == 2
    seen = with_room(PANTRY, told)
    assert (seen.capacity_available, seen.capacity_version) == (3, 2)
    assert with_room(PANTRY, after({"available": 3}, {"available": 3})).capacity_version == 2


def test_a_wait_list_without_a_place_still_takes_people() -> None:
    for said, available in (({"status": "waitlist", "available": 0}, None), ({"available": 0}, 0)):
        assert with_room(PANTRY, after(said)).capacity_available == available


def test_the_same_closures_again_are_no_fact() -> None:
    closed = {"closures": [{"from": "2026-12-24"}]}
    stream = Stream("pantry", 1, "capacity-changed", after(closed))
    command = c.RecordFact("capacity", ID, "capacity-changed", closed)
    assert recorded(stream, command, envelope("pantry")) is None


def test_what_was_recorded_before_this_rule_is_left_behind() -> None:
    old = Stream("pantry", 1, "capacity-changed", {"status": "limited", "capacity": 4})
    fact = recorded(
        old, c.RecordFact("capacity", ID, "capacity-changed", {"available": 1}), envelope("pantry")
    )
    assert isinstance(fact, c.RecordFact) and fact.data.keys() == {"room"}
    assert with_room(PANTRY, old.data) == PANTRY


def excluded(*statements: Json, day: date = TODAY) -> str | None:
    found = Standings().of(with_room(PANTRY, after(*statements)), day).shut
    return found.rule if found else None


def test_routing_sees_no_room_and_closures_while_they_hold() -> None:
    assert excluded({"status": "no-capacity"}) == "capacity"
    assert excluded({"status": "no-capacity"}, {"status": "capacity"}) is None
    closed = {"closures": [{"from": "2026-11-02", "to": "2026-11-03"}]}
    assert excluded(closed) == "closure"
    assert excluded(closed, day=date(2026, 11, 4)) is None
    assert excluded({"closures": [{"from": "2026-11-02"}]}, day=date(2031, 1, 1)) == "closure"


def test_a_statement_ends_on_its_own_last_day() -> None:
    full = {"status": "no-capacity", "until": "2026-11-03"}
    assert excluded(full, day=date(2026, 11, 3)) == "capacity"
    assert excluded(full, day=date(2026, 11, 4)) is None
    assert not fresh_capacity(with_room(PANTRY, after(full)), date(2026, 11, 4), 30)


def test_a_time_zone_behind_may_still_say_today() -> None:
    late = c.Envelope(
        event_id=ID,
        organization="pantry",
        channel=envelope("x").channel,
        occurred_at=NOW,
        at=datetime(2026, 11, 3, 1, tzinfo=UTC),
    )
    said = c.RecordFact("capacity", ID, "capacity-changed", {"status": "no-capacity", "until": "2026-11-02"})
    assert isinstance(recorded(None, said, late), c.RecordFact)
