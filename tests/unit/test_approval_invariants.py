"""In whatever order commands come, no help begins and nobody is asked without the approval a contract wants."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from referrals import commands as c
from referrals import events as e
from referrals.clocks import next_action
from referrals.evolve import evolve
from referrals.lifecycle import decide
from referrals.state import Referral
from referrals.words import TERMINAL, ReferralStatus
from tests.support.authorizing import (
    APPROVED,
    BEDS,
    BEFORE_ROUTING,
    COVERED,
    DENIED,
    PARTIAL,
    PLAN,
    REVIEW,
    WORLD,
    act,
)
from tests.support.referrals import NOW, REFERRAL, envelope, submit

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
