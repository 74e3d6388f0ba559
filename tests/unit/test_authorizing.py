"""The plan decides: who may, what a denial ends, what a second decision, another payer or silence change."""

from typing import Any

import pytest

from referrals import commands as c
from referrals.clocks import deadlines, next_action
from referrals.lifecycle import decide
from referrals.state import Referral
from referrals.words import ReferralStatus
from tests.support.authorizing import (
    APPROVED,
    BEFORE_ROUTING,
    DENIED,
    OTHER,
    PARTIAL,
    PLAN,
    WORLD,
    accepted,
    act,
    held,
    no,
    sent,
    step,
)
from tests.support.referrals import envelope, submit


@pytest.mark.parametrize(
    ("state", "events"),
    [
        (act(None, submit(**BEFORE_ROUTING), "clinic")[0], ["referral-closed"]),
        (sent(), ["hop-superseded", "referral-closed"]),
        (accepted(), ["hop-failed"]),
        (held(accepted()), ["hop-failed"]),
        (
            act(act(None, submit(**BEFORE_ROUTING), "clinic")[0], APPROVED)[0],
            ["hop-superseded", "referral-closed"],
        ),
    ],
)
def test_a_denial_before_help_has_started_ends_it_and_asks_nobody_else(
    state: Referral, events: list[str]
) -> None:
    ended, found = act(state, DENIED)
    assert found == ["authorization-decided", *events]
    assert ended.status is ReferralStatus.FAILED and not ended.open_hops
    assert ended.outcome is not None and (ended.outcome.code, ended.outcome.need) == (
        "not-authorized",
        "unresolved",
    )
    assert next_action(ended) is None and deadlines(ended) == ()


def test_a_late_denial_is_recorded_and_does_not_undo() -> None:
    state = step(act(accepted(), APPROVED)[0], "start")
    after, events = act(state, DENIED)
    assert events == ["authorization-decided"] and after.status is ReferralStatus.IN_PROGRESS
    assert after.authorization is not None and after.authorization["status"] == "denied"
    assert step(after, "complete", outcome_code="service-provided").status is ReferralStatus.COMPLETED
    given_back = step(after, "cancel", reason="no-capacity")
    assert given_back.status is ReferralStatus.FAILED, "but nobody else is asked to go on with it"


def test_a_second_decision_replaces_the_first_and_the_same_again_is_nothing() -> None:
    state = act(accepted(), PARTIAL)[0]
    assert decide(state, PARTIAL, envelope(PLAN), WORLD) == ()
    state, events = act(state, APPROVED)
    assert events == ["authorization-decided"]
    assert state.authorization is not None
    assert {k: state.authorization[k] for k in ("required", "status", "number", "units", "from", "to")} == {
        "required": True,
        "status": "approved",
        "number": "A-1",
        "units": None,
        "from": None,
        "to": None,
    }


@pytest.mark.parametrize(
    "details",
    [
        {"units": 0},
        {"units": -1},
        {"units": float("nan")},
        {"units": "many"},
        {"from": "2026-02-30"},
        {"to": "soon"},
        {"from": "2026-11-05", "to": "2026-11-04"},
    ],
)
def test_a_decision_nobody_can_follow_is_refused(details: dict[str, Any]) -> None:
    assert no(accepted(), c.Authorize("partial", details), PLAN).reason == "invalid"


def test_nobody_but_the_payer_decides() -> None:
    for who in ("clinic", "hub", OTHER, "shelter-1"):
        assert no(accepted(), APPROVED, who).reason == "not-permitted"


def test_without_a_contract_that_wants_it_a_decision_is_recorded_and_nothing_waits() -> None:
    state = act(None, submit(coverage={"payer": OTHER}), "clinic")[0]
    assert state.status is ReferralStatus.REQUESTED and state.authorization is None
    after, events = act(state, DENIED, OTHER)
    assert events == ["authorization-decided"] and after.status is ReferralStatus.REQUESTED
    assert after.authorization is not None and after.authorization["required"] is False


def test_another_payer_by_amendment_decides_anew_or_lets_it_go_on() -> None:
    state = act(None, submit(**BEFORE_ROUTING), "clinic")[0]
    need: dict[str, Any] = {"need": {"domain": "homelessness"}}
    free, events = act(state, submit(coverage={"payer": OTHER}, **need), "clinic")
    assert events[0] == "referral-amended" and free.status is ReferralStatus.REQUESTED
    assert free.authorization is None
    back, events = act(free, submit(**BEFORE_ROUTING), "clinic")
    assert events == ["referral-amended", "authorization-requested"]
    asked = step(back, "accept")
    assert no(asked, c.Respond(action="start")).reason == "not-authorized"


def test_a_missed_decision_of_the_plan_is_told_and_approves_nothing() -> None:
    state = act(None, submit(**BEFORE_ROUTING), "clinic")[0]
    due = {d.name: d.generation for d in deadlines(state)}
    state, events = act(state, c.DeadlineDue("authorization", due["authorization"]), "exchange")
    assert events == ["deadline-missed"] and state.status is ReferralStatus.RECEIVED
    assert "authorization.escalation" in {d.name for d in deadlines(state)}
