"""What no interleaving of commands can break, of a referral that asks one at a time and of one offered to three."""

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from referrals import commands as c
from referrals.contracts import contracts
from referrals.evolve import evolve
from referrals.lifecycle import decide
from referrals.state import Referral
from referrals.transitions import TRANSITIONS
from referrals.words import HELD, TERMINAL, Channel, HopStatus, ReferralStatus
from tests.support.referrals import NOW, REFERRAL, applied, envelope, service, submit, world

PANTRIES = [service(f"pantry-{n}") for n in range(1, 5)]
WORLD = world(*PANTRIES)
STRICT: dict[str, Any] = {"coverage": {"payer": "bay-community-plan", "member_id": "M-1"}}
REVIEW = {"review_date": "2026-12-01"}


def sent(**changes: Any) -> Referral:
    return applied(None, submit(**changes), envelope("clinic"), WORLD)[0]


ANSWERS = st.sampled_from(
    [
        c.Respond(action=a, reason=r, outcome_code=o, details=d)
        for a in TRANSITIONS
        for r in ("no-capacity", "waitlist", "need-met", None)
        for o in ("enrolled", "moved", None)
        for d in (REVIEW, {"organization": "pantry-4"})
    ]
    + [
        c.Cancel("need-met"),
        c.Cancel("entered-in-error"),
        *(c.DeadlineDue("first-response", n) for n in (1, 2, 3)),
        c.Assign(PANTRIES[3].id),
        c.Assign(PANTRIES[2].id, others=(PANTRIES[3].id,)),
        c.Respond(action="contact", details={"reached": False}),
        c.Respond(action="fail", outcome_code="not-eligible"),
        c.Respond(action="fail", outcome_code="no-service-found"),
        c.Respond(action="record-service", details={"service_event_id": "s-1", "units": 1}),
        c.Respond(action="record-service", details={"service_event_id": "s-1", "void": True}),
        submit(excluded_organizations=["pantry-1"]),
        submit(),
        submit(priority="stat"),
        c.Authorize("denied"),
    ]
)
ACTORS = st.sampled_from(
    [
        *("clinic", "other-clinic", "plan", "hub", "exchange", "hub for pantry-3", "hub for pantry-4"),
        *("pantry-1", "pantry-2", "pantry-3", "pantry-4"),
    ]
)


def speaks(who: str) -> c.Envelope:
    """The envelope of an actor; a navigator may speak for an organization, by telephone, long after it was asked."""
    hub, _, organization = who.partition(" for ")
    if not organization:
        return envelope(who)
    later = envelope(hub, at=NOW + timedelta(days=1))
    return structs.replace(later, on_behalf_of=organization, channel=Channel.PHONE)


@settings(max_examples=2000, deadline=None)
@given(st.lists(st.tuples(ANSWERS, ACTORS), max_size=25))
def test_no_interleaving_breaks_an_invariant(steps: list[tuple[c.Command, str]]) -> None:
    """Of a referral that asks one organization at a time."""
    unbroken(sent(), steps)


@settings(max_examples=2000, deadline=None)
@given(st.lists(st.tuples(ANSWERS, ACTORS), max_size=25))
def test_no_interleaving_breaks_an_offer(steps: list[tuple[c.Command, str]]) -> None:
    """Of a referral that is offered to three at once."""
    state = sent(priority="stat", **STRICT)
    assert [h.status for h in state.hops] == [HopStatus.REQUESTED] * 3
    unbroken(state, steps)


def unbroken(state: Referral, steps: list[tuple[c.Command, str]]) -> None:
    """Take every step; after each the invariants hold."""
    facts = state.version
    for command, who in steps:
        before, decision = state, decide(state, command, speaks(who), WORLD)
        if not isinstance(decision, tuple) or not decision:
            continue
        for fact in decision:
            state = evolve(state, REFERRAL, fact, NOW)
            facts += 1
            assert sum(h.status in HELD for h in state.hops) <= 1, "at most one held hop, after every fact"
            assert len({h.offer for h in state.asked}) <= 1, "several are asked only within one offer round"
        assert state.version == facts, "versions are 1..n"
        assert isinstance(state, Referral)
        assert who != "other-clinic" or isinstance(command, c.DeadlineDue), "a stranger changes nothing"
        holds_together(before, state)


def holds_together(before: Referral, state: Referral) -> None:
    """What is true of every referral at rest, and of every step to it."""
    organizations = [h.organization for h in state.hops]
    held = [h for h in state.hops if h.status in HELD]
    asked = [h for h in state.open_hops if h not in held]
    assert len(organizations) == len(set(organizations)), "never the same organization twice"
    assert len(state.hops) <= len(PANTRIES)
    routed, earlier = (sum(not h.assigned for h in one.hops) for one in (state, before))
    assert routed <= max(earlier, contracts()[state.contract].hop_limit), "an amended contract asks no more"
    assert not (state.status in TERMINAL and state.open_hops), "a closed referral asks nobody"
    assert not (held and asked), "who accepted is alone"
    if held:
        assert str(state.status) == held[0].status, "the referral is as far as who holds it"
    assert (state.closed_at is not None) == (state.status in TERMINAL)
    if state.status in (ReferralStatus.COMPLETED, ReferralStatus.FAILED):
        ended = [h for h in state.hops if not h.passed_on and h.status == HopStatus(state.status)]
        assert state.outcome is not None and len(ended) <= 1, "one hop ended it, or the hub"
    else:
        assert state.outcome is None and state.follow_up is None
    if before.status is ReferralStatus.ENTERED_IN_ERROR:
        assert state.status is before.status, "what was entered in error stays so"
