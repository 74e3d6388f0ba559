"""What waits for the plan: routing or help until it approves, and units and dates as limits after."""

from datetime import timedelta

import pytest

from referrals import commands as c
from referrals.clocks import deadlines, next_action
from referrals.lifecycle import decide
from referrals.words import HopStatus, ReferralStatus
from tests.support.authorizing import (
    APPROVED,
    BEDS,
    BEFORE_ROUTING,
    COVERED,
    PARTIAL,
    PLAN,
    WORLD,
    accepted,
    act,
    held,
    no,
    sent,
    served,
    step,
)
from tests.support.referrals import NOW, envelope, submit


def test_before_routing_nobody_is_asked_until_the_plan_approves() -> None:
    state, events = act(None, submit(**BEFORE_ROUTING), "clinic")
    assert events == ["referral-received", "authorization-requested"]
    assert (state.status, state.hops) == (ReferralStatus.RECEIVED, ())
    assert state.authorization is not None and state.authorization["status"] == "pending"
    found = next_action(state)
    assert found is not None and (found.who, found.what) == (PLAN, "authorize")
    assert found.due_at == NOW + timedelta(days=14)
    assert {"authorization", "authorization.reminder"} <= {d.name for d in deadlines(state)}
    state, events = act(state, APPROVED)
    assert events == ["authorization-decided", "routing-decided", "hop-requested"]
    assert state.status is ReferralStatus.REQUESTED
    assert "authorization" not in {d.name for d in deadlines(state)}


def test_before_start_the_referral_is_routed_while_the_plan_decides() -> None:
    state, events = act(None, submit(**COVERED), "clinic")
    assert events == ["referral-received", "authorization-requested", "routing-decided", "hop-requested"]
    found = next_action(state)
    assert found is not None and found.what == "answer"
    waiting = next_action(step(state, "accept"))
    assert waiting is not None and (waiting.who, waiting.what) == (PLAN, "authorize")


@pytest.mark.parametrize(
    "command",
    [
        c.Respond(action="start"),
        c.Respond(action="complete", outcome_code="service-provided"),
        served(sent(), "S-1"),
    ],
)
def test_help_does_not_begin_before_the_plan_approves(command: c.Respond) -> None:
    rejected = no(accepted(), command)
    assert rejected.reason == "not-authorized" and PLAN in rejected.detail
    approved = act(accepted(), APPROVED)[0]
    assert isinstance(decide(approved, command, envelope(approved.hops[0].organization), WORLD), tuple)


def test_a_hold_is_no_way_around_the_plan() -> None:
    state = held(accepted())
    assert no(state, c.Respond(action="resume")).reason == "not-authorized"
    found = next_action(state)
    assert found is not None and found.what == "authorize"
    assert step(act(state, APPROVED)[0], "resume").status is ReferralStatus.IN_PROGRESS


def test_failing_and_giving_back_need_no_approval() -> None:
    assert step(accepted(), "fail", outcome_code="no-longer-needed").status is ReferralStatus.FAILED


def test_units_are_a_limit_over_all_that_was_delivered() -> None:
    state = step(act(accepted(), PARTIAL)[0], "start")
    who = state.hops[-1].organization
    state = act(state, served(state, "S-1", 1.5), who)[0]
    assert "1.5 are left" in no(state, served(state, "S-2", 1.6)).detail
    state = act(state, served(state, "S-2", 0.5), who)[0]
    state = act(state, served(state, "S-3", None), who)[0]
    assert "0 are left" in no(state, served(state, "S-4", None)).detail, "one without units counts as one"
    assert decide(state, served(state, "S-3", None), envelope(who), WORLD) == (), "the same again is nothing"
    voided = act(
        state, c.Respond(action="record-service", details={"service_event_id": "S-1", "void": True}), who
    )
    state = act(voided[0], served(state, "S-5", 1.5), who)[0]
    more = act(state, c.Authorize("approved", {"units": 4}))[0]
    assert isinstance(decide(more, served(more, "S-6"), envelope(who), WORLD), tuple)


@pytest.mark.parametrize(
    ("date", "allowed"),
    [("2026-11-01", False), ("2026-11-02", True), ("2026-11-30", True), ("2026-12-01", False), (None, True)],
)
def test_an_approval_holds_from_its_first_day_to_its_last(date: str | None, allowed: bool) -> None:
    state = step(act(accepted(), PARTIAL)[0], "start")
    decision = decide(state, served(state, "S-1", 1, date), envelope(state.hops[-1].organization), WORLD)
    assert isinstance(decision, tuple) is allowed, decision


def test_negative_units_do_not_make_room() -> None:
    state = step(act(accepted(), PARTIAL)[0], "start")
    assert no(state, served(state, "S-1", -5)).reason == "invalid"


def test_the_hub_does_not_assign_what_the_plan_has_not_approved() -> None:
    state = sent(**BEFORE_ROUTING, consent={"status": "absent"})
    assert state.status is ReferralStatus.NEEDS_REVIEW and state.authorization is None, (
        "not asked without consent"
    )
    assert no(state, c.Assign(BEDS[0].id), "hub").reason == "not-authorized"
    state, events = act(state, submit(**BEFORE_ROUTING), "clinic")
    assert events == ["referral-amended", "authorization-requested"]


def test_a_rejected_request_after_approval_asks_the_next_one() -> None:
    state = act(act(None, submit(**BEFORE_ROUTING), "clinic")[0], APPROVED)[0]
    state = step(state, "reject", reason="no-capacity")
    assert [h.status for h in state.hops] == [HopStatus.REJECTED, HopStatus.REQUESTED]
