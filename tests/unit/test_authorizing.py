"""The plan approves, approves in part or denies: before routing, before start, with units and dates as limits."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referrals import commands as c
from referrals import events as e
from referrals.clocks import deadlines, next_action
from referrals.evolve import evolve
from referrals.lifecycle import decide
from referrals.placing import World
from referrals.state import Referral
from referrals.words import TERMINAL, HopStatus, ReferralStatus
from tests.support.referrals import NOW, REFERRAL, envelope, service, submit, world

BEDS = [service(f"shelter-{n}", domains=("homelessness", "food-insecurity")) for n in range(1, 4)]
PLAN = "cedar-health-plan"
OTHER = "golden-health-plan"
PLAIN = world(*BEDS)
WORLD = PLAIN._replace(organizations={**PLAIN.organizations, PLAN: "mco", OTHER: "mco"})
COVERED: dict[str, Any] = {"coverage": {"payer": PLAN, "member_id": "M-1"}}
REVIEW = {"review_date": "2026-12-01"}
# An address of no need of its own: homelessness waits for approval before routing, food before start.
BEFORE_ROUTING: dict[str, Any] = COVERED | {"need": {"domain": "homelessness"}}
APPROVED = c.Authorize("approved", {"number": "A-1"})
PARTIAL = c.Authorize("partial", {"number": "A-2", "units": 3, "from": "2026-11-02", "to": "2026-11-30"})
DENIED = c.Authorize("denied", {"reason": "not a benefit"})


def act(
    state: Referral | None,
    command: c.Command,
    who: str = PLAN,
    w: World = WORLD,
    after: timedelta = timedelta(0),
) -> tuple[Referral, list[str]]:
    """The state after a command that is not refused, and the types of its events."""
    said = envelope(who, at=NOW + after)
    decision = decide(state, command, said, w)
    assert isinstance(decision, tuple), decision
    for fact in decision:
        state = evolve(state, REFERRAL, fact, said.at)
    assert state is not None
    return state, [e.type_of(f.event) for f in decision]


def no(state: Referral, command: c.Command, who: str | None = None) -> c.Rejection:
    decision = decide(state, command, envelope(who or state.hops[-1].organization), WORLD)
    assert isinstance(decision, c.Rejection), decision
    return decision


def sent(**changes: Any) -> Referral:
    return act(None, submit(**(COVERED | changes)), "clinic")[0]


def step(state: Referral, action: str, **fields: Any) -> Referral:
    return act(state, c.Respond(action=action, **fields), state.hops[-1].organization)[0]


def accepted() -> Referral:
    return step(sent(), "accept")


def held(state: Referral) -> Referral:
    return step(state, "hold", reason="waiting-authorization", details=REVIEW)


def served(state: Referral, id: str, units: float | None = 1, date: str | None = "2026-11-05") -> c.Respond:
    return c.Respond(action="record-service", details={"service_event_id": id, "units": units, "date": date})


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


def test_the_hub_does_not_assign_what_the_plan_has_not_approved() -> None:
    state = sent(**BEFORE_ROUTING, consent={"status": "absent"})
    assert state.status is ReferralStatus.NEEDS_REVIEW and state.authorization is None, (
        "not asked without consent"
    )
    assert no(state, c.Assign(BEDS[0].id), "hub").reason == "not-authorized"
    state, events = act(state, submit(**BEFORE_ROUTING), "clinic")
    assert events == ["referral-amended", "authorization-requested"]


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


def test_a_rejected_request_after_approval_asks_the_next_one() -> None:
    state = act(act(None, submit(**BEFORE_ROUTING), "clinic")[0], APPROVED)[0]
    state = step(state, "reject", reason="no-capacity")
    assert [h.status for h in state.hops] == [HopStatus.REJECTED, HopStatus.REQUESTED]


COMMANDS = st.sampled_from(
    [
        *(c.Respond(action=a) for a in ("accept", "contact", "start", "resume")),
        c.Respond(action="hold", reason="waitlist", details=REVIEW),
        c.Respond(action="reject", reason="no-capacity"),
        c.Respond(action="cancel", reason="no-capacity"),
        c.Respond(action="transfer", reason="no-capacity"),
        *(c.Respond(action="complete", outcome_code=o) for o in ("enrolled", "service-provided")),
        *(
            c.Respond(action="record-service", details={"service_event_id": f"S-{n}", "units": 1})
            for n in range(4)
        ),
        *(c.DeadlineDue("first-response", n) for n in (1, 2)),
        *(c.Assign(bed.id) for bed in BEDS),
        *(APPROVED, PARTIAL, DENIED),
        *(submit(**(COVERED | {"consent": {"status": s}})) for s in ("absent", "active")),
        *(submit(**(BEFORE_ROUTING | {"consent": {"status": s}})) for s in ("absent", "active")),
    ]
)
ACTORS = st.sampled_from([PLAN, "clinic", "hub", "exchange", *(s.organization for s in BEDS)])


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from([COVERED, BEFORE_ROUTING]), st.lists(st.tuples(COMMANDS, ACTORS), max_size=20))
def test_in_whatever_order_no_help_is_given_that_the_plan_has_not_approved(
    first: dict[str, Any], steps: list[tuple[c.Command, str]]
) -> None:
    state = act(None, submit(**first), "clinic")[0]
    for command, who in steps:
        decision = decide(state, command, envelope(who), WORLD)
        if not isinstance(decision, tuple):
            continue
        for fact in decision:
            allowed(state, fact.event)
            state = evolve(state, REFERRAL, fact, NOW)
        found = next_action(state)
        assert (found is None) == (state.status in TERMINAL), "somebody always must act"
        if found is not None and state.status is ReferralStatus.RECEIVED:
            assert found.what == "authorize", "and it does not wait for the exchange for ever"


def allowed(state: Referral, event: e.Event) -> None:
    """What no event may do while the contract's approval is missing."""
    if state.approval == "none" or (state.authorization or {}).get("status") in ("approved", "partial"):
        return
    hop = state.hop(getattr(event, "hop", None) or "")
    started = hop is not None and hop.started_at is not None
    helping = e.HopStarted | e.HopResumed | e.ServiceDelivered | e.HopCompleted
    assert started or not isinstance(event, helping), "no help without approval"
    asking = isinstance(event, e.HopRequested)
    assert not asking or state.approval == "before-start", "nobody is asked without approval"
