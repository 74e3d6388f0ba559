"""One batch in memory: later records see earlier ones, lanes count without gaps, every event id has one outcome."""

import gc
import weakref
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import envelope
from producers.envelope import Record, Said
from referrals import check, ids
from referrals.streams import Stream
from referrals.words import ReferralStatus
from stream_processors.decode import Arrival, Poison, Raw, read
from stream_processors.work import Loaded, Work
from tests.support.referrals import NOW, REFERRAL, body, service, world
from tests.support.vault import ring

PANTRY = service("pantry")


def said(organization: str, name: str) -> Said:
    return Said(ids.event_id(organization, name), organization, NOW)


def records(*made: Record) -> list[Arrival | Poison]:
    at = datetime(2026, 11, 2, 18, tzinfo=UTC)
    return [read(Raw(r.topic, 0, n, r.key, r.value, at)) for n, r in enumerate(made)]


def done(found: list[Arrival | Poison], **loaded: Any) -> Work:
    lanes = dict.fromkeys((r.lane for r in found), 40)
    work = Work(
        Loaded(
            **dict[str, Any](
                {"seen": {}, "referrals": {}, "streams": {}, "lanes": lanes, "keys": ring()} | loaded
            )
        ),
        world(PANTRY),
    )
    work.apply(found)
    return work


def submission(name: str = "s", **changes: Any) -> Record:
    return envelope.submitted(said("clinic", name), check.submission(body(**changes), NOW))


def accept(name: str = "a", version: int | None = None) -> Record:
    return envelope.responded(said("pantry", name), REFERRAL, "accept", version=version)


def test_a_batch_holds_a_whole_journey() -> None:
    complete = envelope.responded(said("pantry", "c"), REFERRAL, "complete", outcome_code="service-provided")
    work = done(records(submission(), accept(), complete))
    assert work.referrals[REFERRAL].status is ReferralStatus.COMPLETED
    assert [h.version for h in work.history] == [1, 2, 3, 4, 5]
    assert [h.lane_seq for h in work.history] == [41, 42, 43, 44, 45]
    assert [i.outcome for i in work.inbox] == ["applied"] * 3
    assert work.loads == {"pantry": 1}


def test_the_same_event_twice_in_one_batch_counts_once() -> None:
    work = done(records(submission(), submission(), accept(), accept()))
    assert len(work.inbox) == 2 and not work.rejections and not work.dead


def test_repetitions_leave_no_gap_in_a_lane() -> None:
    work = done(records(submission(), submission(), accept(), accept(), accept("late", version=1)))
    numbers = [h.lane_seq for h in work.history if h.kind == "referral"]
    assert numbers == [41, 42, 43, 44]
    lanes = {h.lane: h.lane_seq for h in work.history}
    assert {lane: work.lanes[lane] for lane in lanes} == lanes, "a lane ends with its last fact"


def test_an_event_id_seen_before_has_no_effect_and_with_another_body_is_reported() -> None:
    first = records(submission())
    arrival = first[0]
    assert isinstance(arrival, Arrival)
    seen = {("clinic", arrival.envelope.event_id): arrival.payload_sha256}
    assert not done(first, seen=seen).history
    work = done(records(submission(priority="urgent")), seen=seen)
    assert [p.reason for p in work.dead] == ["id-conflict"]
    assert [h.type for h in work.history] == ["record-refused"]


def test_the_same_event_id_of_another_organization_is_another_event() -> None:
    foreign = envelope.responded(Said(ids.event_id("pantry", "a"), "other-pantry", NOW), REFERRAL, "accept")
    work = done(records(submission(), foreign, accept()))
    assert [i.outcome for i in work.inbox] == ["applied", "rejected", "applied"]


def cancel(name: str = "x", reason: str = "client-withdrew", who: str = "clinic") -> Record:
    return envelope.cancelled(said(who, name), "R-1", reason, "a note")


def test_a_cancel_that_overtook_its_submission_meets_it_in_the_same_batch() -> None:
    work = done(records(cancel(), submission(), submission("again", priority="urgent"), accept()))
    state = work.referrals[REFERRAL]
    assert (state.status, state.reason, state.hops) == (ReferralStatus.CANCELLED, "client-withdrew", ())
    told = [(h.kind, h.type, h.version) for h in work.history if h.kind != "refusal"]
    assert told == [
        ("tombstone", "referral-tombstoned", 1),
        ("referral", "referral-received", 1),
        ("referral", "referral-cancelled", 2),
    ]
    assert [i.outcome for i in work.inbox] == ["applied", "applied", "rejected", "rejected"]
    assert list(work.recorded) == [("tombstone", REFERRAL)]


@pytest.mark.parametrize(
    ("reason", "status"),
    [("need-met", ReferralStatus.CANCELLED), ("entered-in-error", ReferralStatus.ENTERED_IN_ERROR)],
)
def test_a_tombstone_of_an_earlier_batch_is_met_too(reason: str, status: ReferralStatus) -> None:
    work = done(records(cancel(), submission()), tombstones={REFERRAL: reason})
    assert [i.outcome for i in work.inbox] == ["no-effect", "applied"]
    assert work.referrals[REFERRAL].status is status and not work.recorded


@given(st.permutations(["s", "c", "a", "p"]))
def test_in_whatever_order_they_come_a_cancel_wins_and_nobody_is_left_asked(order: list[str]) -> None:
    one = {"s": submission(), "c": cancel(), "a": accept(), "p": submission("p", priority="stat")}
    work = done(records(*(one[name] for name in order)))
    state = work.referrals[REFERRAL]
    assert (state.status, state.open_hops) == (ReferralStatus.CANCELLED, ())
    versions = [h.version for h in work.history if h.kind == "referral"]
    assert versions == list(range(1, len(versions) + 1)) and len(work.inbox) == 4


def test_a_cancel_nobody_may_give_leaves_no_tombstone() -> None:
    work = done(records(cancel(reason="mood"), cancel("y", who="stranger"), submission()))
    assert [i.reason for i in work.inbox] == ["invalid", "unknown-referral", None]
    assert not work.recorded and work.referrals[REFERRAL].status is ReferralStatus.REQUESTED


def test_another_senders_cancel_before_its_own_submission_is_about_its_own_referral() -> None:
    work = done(records(cancel(who="other-clinic"), submission()))
    assert work.referrals[REFERRAL].status is ReferralStatus.REQUESTED


def test_a_rejected_command_takes_no_version_and_is_answered_by_its_id() -> None:
    work = done(records(submission(), accept("late", version=1), accept()))
    assert [i.outcome for i in work.inbox] == ["applied", "rejected", "applied"]
    assert work.inbox[1].reason == "stale" and work.inbox[1].version == 3
    assert [h.version for h in work.history if h.kind == "referral"] == [1, 2, 3, 4]
    assert [h.type for h in work.history if h.kind == "refusal"] == ["command-rejected"]


def test_a_stale_deadline_has_no_effect_but_its_row_is_put_right() -> None:
    stale = envelope.deadline_due(ids.event_id("exchange", "d"), NOW, REFERRAL, "acceptance", 1)
    work = done(records(submission(), stale))
    assert work.inbox[-1].outcome == "no-effect" and list(work.timed) == [REFERRAL]


def test_poison_disturbs_nothing_else() -> None:
    bad = Raw("intake.clinic", 0, 9, None, b"nonsense", NOW)
    work = done([*records(submission()), read(bad), *records(accept())])
    assert [p.reason for p in work.dead] == ["undecodable"]
    assert work.referrals[REFERRAL].status is ReferralStatus.ACCEPTED


def test_another_organization_cannot_write_a_stream_that_is_not_its_own() -> None:
    change = envelope.service_changed(said("exchange-operator", "d"), PANTRY, {})
    theft = envelope.capacity_changed(said("thief", "t"), REFERRAL, {"available": 0})
    owner = {("capacity", REFERRAL): Stream("pantry", 1, "capacity-changed", {})}
    work = done(records(change, theft), streams=owner)
    assert [i.outcome for i in work.inbox] == ["applied", "rejected"]
    assert work.streams[("service", work.history[0].stream_id)].version == 1


def test_a_batch_is_freed_with_its_last_reference() -> None:
    """A batch in a cycle would wait, with all its referrals, for the garbage collector."""
    work = done(records(submission(), accept()))
    seen = weakref.ref(work)
    gc.disable()
    try:
        del work
        assert seen() is None
    finally:
        gc.enable()
