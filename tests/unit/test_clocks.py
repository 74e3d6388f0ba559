"""Which clocks run when, for whom and how long; each comes due once; a hold stops the recipient's clocks alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from referrals import commands as c
from referrals import events as e
from referrals.business_time import between, is_open
from referrals.clocks import CONTACT_PROHIBITED, Deadline, NextAction, deadlines, next_action, running
from referrals.contracts import contract_for, contract_of, contracts, span_of
from referrals.lifecycle import decide
from referrals.placing import World
from referrals.state import Referral
from referrals.words import PRIORITIES, HopStatus, ReferralStatus
from tests.support.referrals import NOW, applied, envelope, service, submit, world

PANTRIES = [service(f"pantry-{n}") for n in range(1, 5)]
WORLD = world(*PANTRIES)
OFFICE = contract_of("exchange-default").calendar
HOUR = timedelta(hours=1)


def act(
    state: Referral | None, command: c.Command, who: str, at: datetime = NOW, w: World = WORLD
) -> tuple[Referral, list[e.Event]]:
    """The state after a command that is not refused, and its events."""
    return applied(state, command, envelope(who, at=at), w)


def sent(at: datetime = NOW, w: World = WORLD, **changes: Any) -> Referral:
    return act(None, submit(**changes), "clinic", at, w)[0]


def step(state: Referral, action: str, at: datetime = NOW, **fields: Any) -> Referral:
    return act(state, c.Respond(action=action, **fields), state.hops[-1].organization, at)[0]


def hold(state: Referral, at: datetime, day: str = "2026-12-01") -> Referral:
    return step(state, "hold", at, reason="waitlist", details={"review_date": day})


def accepted() -> Referral:
    return step(sent(), "accept")


def due(state: Referral) -> dict[str, Deadline]:
    return {d.name: d for d in deadlines(state)}


def come(state: Referral, name: str, at: datetime = NOW) -> tuple[Referral, list[e.Event]]:
    return act(state, c.DeadlineDue(name, due(state)[name].generation), "exchange", at)


def local(text: str) -> datetime:
    """A California wall time of November 2026, after the clocks went back."""
    return datetime.fromisoformat(f"2026-11-{text}-08:00")


REVIEW: dict[str, Any] = {"consent": {"status": "absent"}}
# state -> the clocks that run, and who is waited for by when
RUNNING: list[tuple[Referral, set[str], NextAction | None]] = [
    (sent(), {"first-response", "acceptance", "closure"}, NextAction("?", "answer", local("04T17:00"))),
    (sent(**REVIEW), {"review", "acceptance", "closure"}, NextAction("hub", "review", local("04T17:00"))),
    (
        accepted(),
        {"first-contact", "service-start", "closure"},
        NextAction("?", "start", local("17T17:00")),
    ),
    (
        step(accepted(), "start"),
        {"closure"},
        NextAction("?", "complete", datetime(2027, 1, 1, 17, tzinfo=UTC)),
    ),
    (
        hold(accepted(), NOW, "2026-11-26"),
        {"hold-review", "closure"},
        NextAction("?", "resume", local("30T08:00")),
    ),
    (step(accepted(), "contact"), {"service-start", "closure"}, NextAction("?", "start", local("17T17:00"))),
    (step(accepted(), "complete", outcome_code="enrolled"), set(), None),
]


@pytest.mark.parametrize(("state", "kinds", "action"), RUNNING)
def test_each_state_has_its_clocks_and_somebody_who_must_act(
    state: Referral, kinds: set[str], action: NextAction | None
) -> None:
    assert {clock.kind for clock in running(state)} == kinds
    found = next_action(state)
    if found is not None and action is not None and action.who == "?":
        action = action._replace(who=state.hops[-1].organization)
    assert found == action


@pytest.mark.parametrize(
    ("priority", "hours", "business"), [("stat", 2, False), ("asap", 4, False), ("urgent", 9, True)]
)
def test_the_urgent_runs_in_business_time_and_what_cannot_wait_by_the_wall_clock(
    priority: str, hours: int, business: bool
) -> None:
    friday = local("06T16:00")
    ends = sent(friday, priority=priority).hops[0].due_at
    assert ends == (local("09T17:00") if business else friday + hours * HOUR)


def test_a_reminder_comes_before_the_end_and_once() -> None:
    state = accepted()
    reminder, end = due(state)["service-start.reminder"], due(state)["service-start"]
    assert NOW < reminder.due_at < end.due_at and is_open(OFFICE, reminder.due_at)
    after, events = come(state, "service-start.reminder")
    assert [(type(x), x.told) for x in events if isinstance(x, e.ClockEvent)] == [
        (e.ReminderDue, (state.hops[0].organization,))
    ]
    again = c.DeadlineDue("service-start.reminder", reminder.generation)
    assert decide(after, again, envelope("exchange"), WORLD) == (), "twice: never"
    assert "service-start.reminder" not in due(after) and "service-start" in due(after)


def test_a_missed_deadline_is_told_then_escalated_to_the_hub_and_ends_nothing() -> None:
    assert "service-start.escalation" not in due(accepted()), "nothing is escalated before it is missed"
    state, events = come(accepted(), "service-start")
    [missed] = [x for x in events if isinstance(x, e.DeadlineMissed)]
    assert missed.told == (state.hops[0].organization, "hub") and missed.hop == state.hops[0].hop
    assert state.status is ReferralStatus.ACCEPTED
    assert not {"service-start", "service-start.reminder"} & set(due(state)), "no reminder of what is missed"
    state, events = come(state, "service-start.escalation")
    assert [x.told for x in events if isinstance(x, e.DeadlineEscalated)] == [("hub", "clinic")]
    assert "service-start.escalation" not in due(state)
    found = next_action(state)
    assert found is not None and found.due_at == local("17T17:00"), "the late one still knows since when"


def test_the_end_of_the_first_response_expires_the_hop_as_ever() -> None:
    state, events = come(sent(), "first-response")
    assert [h.status for h in state.hops] == [HopStatus.EXPIRED, HopStatus.REQUESTED]
    assert not [x for x in events if isinstance(x, e.ClockEvent)]
    assert due(state)["first-response"].generation == 2


def test_at_the_review_date_of_a_hold_its_organization_and_the_hub_are_reminded() -> None:
    state = hold(accepted(), NOW)
    assert due(state)["hold-review"].due_at == datetime(2026, 12, 1, 16, tzinfo=UTC), "when the day begins"
    state, [event] = come(state, "hold-review")
    assert isinstance(event, e.ReminderDue) and event.told == (state.hops[0].organization, "hub")
    assert state.status is ReferralStatus.ON_HOLD and "hold-review" not in due(state)


def test_a_hold_stops_the_recipients_clock_and_never_the_whole_referrals() -> None:
    state = accepted()
    before = due(state)
    stopped, went_on = NOW + 2 * HOUR, NOW + timedelta(days=3)
    state = hold(state, stopped)
    assert not {"first-contact", "service-start"} & set(due(state))
    assert due(state)["closure"] == before["closure"], "end to end never pauses"
    state = step(state, "resume", went_on)
    left = between(OFFICE, stopped, before["first-contact"].due_at)
    assert between(OFFICE, went_on, due(state)["first-contact"].due_at) == left
    assert due(state)["closure"] == before["closure"]


def test_what_the_old_due_time_says_is_stale_after_a_hold() -> None:
    state = accepted()
    old = c.DeadlineDue("first-contact", due(state)["first-contact"].generation)
    state = step(hold(state, NOW + HOUR), "resume", NOW + timedelta(days=2))
    assert decide(state, old, envelope("exchange"), WORLD) == ()


def test_a_closed_recipient_is_not_late_while_it_is_closed() -> None:
    closures = (("2026-11-03", "2026-11-04"), ("2026-11-01", "9999-12-31"))
    w = world(service("pantry-1", closures=closures[:1]))
    assert sent(w=w).hops[0].due_at == local("06T17:00")
    state = act(None, submit(**REVIEW), "clinic", w=w)[0]
    shut = world(service("pantry-1", closures=closures[1:]))
    assigned = act(state, c.Assign(PANTRIES[0].id), "hub", w=shut)[0]
    assert assigned.hops[0].due_at == local("04T17:00"), "a closure without an end does not stop the clock"


def test_a_due_time_is_a_whole_second_and_never_before_its_time() -> None:
    moment = NOW + timedelta(microseconds=1)
    ends = due(sent(moment, priority="stat"))["acceptance"]
    assert ends.due_at == NOW + 6 * HOUR + timedelta(seconds=1)
    assert ends.due_at - datetime(2020, 1, 1, tzinfo=UTC) == timedelta(seconds=ends.generation)


def test_nobody_is_hurried_to_contact_a_person_who_must_not_be_contacted() -> None:
    state = structs.replace(accepted(), flags=(CONTACT_PROHIBITED,))
    assert {clock.kind for clock in running(state)} == {"service-start", "closure"}


def test_an_amended_priority_moves_the_end_to_end_clocks() -> None:
    state = sent()
    urgent = act(state, submit(priority="urgent"), "clinic")[0]
    assert due(urgent)["closure"].due_at < due(state)["closure"].due_at
    assert due(urgent)["closure"].generation != due(state)["closure"].generation
    assert due(urgent)["first-response"] == due(state)["first-response"], "what was asked stays asked"


def test_the_review_clock_begins_anew_with_each_review() -> None:
    state = sent(**REVIEW)
    first = due(state)["review"].generation
    state = act(state, submit(consent={"status": "active"}), "clinic", NOW + HOUR)[0]
    assert "review" not in due(state)
    later = NOW + timedelta(days=5)
    state = step(state, "reject", later, reason="more-information-needed")
    assert due(state)["review"].generation > first


INSTANTS = st.integers(0, 2 * 365 * 24 * 60).map(
    lambda m: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=m)
)


@settings(max_examples=300, deadline=None)
@given(INSTANTS, st.sampled_from(PRIORITIES), st.integers(0, 10_000), st.integers(1, 20_000))
def test_no_deadline_is_early_or_outside_business_time_and_a_pause_only_moves_it_later(
    start: datetime, priority: str, wait: int, pause: int
) -> None:
    state = step(sent(start, priority=priority), "accept", start)
    for clock in running(state):
        assert clock.due_at > start and clock.at(1) - clock.due_at < timedelta(seconds=1)
        assert clock.calendar is None or is_open(clock.calendar, clock.due_at)
        assert start < clock.at(0.75) <= clock.at(1) <= clock.at(1.5)
    stopped = start + timedelta(minutes=wait)
    went_on = stopped + timedelta(minutes=pause)
    day = (went_on.date() + timedelta(days=1)).isoformat()
    held = hold(state, stopped, day)
    after, before = due(step(held, "resume", went_on)), due(state)
    if stopped < before["first-contact"].due_at:
        assert went_on <= after["first-contact"].due_at >= before["first-contact"].due_at
    else:
        assert after["first-contact"] == before["first-contact"], "missed before the pause"
    assert after["closure"] == before["closure"]


def test_every_contract_has_sensible_clocks_and_demo_plans_need_no_approval() -> None:
    for contract in contracts().values():
        for kind in contract.clocks:
            spans = [contract.due(kind, p, NOW) for p in PRIORITIES]
            assert all(spans) and spans == sorted(filter(None, spans), reverse=True), (contract.id, kind)
    assert not contract_of("golden-health-plan-2026").authorization
    assert not contract_of("valley-care-plan-2026").authorization
    assert contract_of("long gone").id == "exchange-default"
    assert (
        contract_for("cedar-health-plan", "homelessness").authorized_before("homelessness")
        == "before-routing"
    )


@pytest.mark.parametrize(
    "text", ["2 days and a half", "1.5 business days", "0 hours", "-1 hours", "2  hours", ""]
)
def test_a_span_that_says_nothing_clear_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no span"):
        span_of(text)
