"""Offers to several: one wins, the others are told; silence and refusals end the round; amendments judge anew."""

from datetime import timedelta
from typing import Any

import pytest

from referrals import commands as c
from referrals import events as e
from referrals.evolve import UNSUITABLE
from referrals.lifecycle import decide
from referrals.placing import World
from referrals.state import Referral
from referrals.words import HopStatus, ReferralStatus
from tests.support.referrals import NOW, REFERRAL, applied, envelope, refused, service, submit, world

PANTRIES = [service(f"pantry-{n}") for n in range(1, 9)]
WORLD = world(*PANTRIES)
PAYER: dict[str, Any] = {"coverage": {"payer": "bay-community-plan", "member_id": "M-1"}}
ASKED, GONE = HopStatus.REQUESTED, HopStatus.CANCELLED


def facts(
    state: Referral | None, command: c.Command, who: str, hours: float = 0, w: World = WORLD
) -> tuple[Referral, list[e.Event]]:
    """The state after a command that has an effect, and its events."""
    return applied(state, command, envelope(who, at=NOW + timedelta(hours=hours)), w)


def no(state: Referral, command: c.Command, who: str) -> c.Rejection:
    return refused(state, command, envelope(who), WORLD)


def offered(priority: str = "stat", w: World = WORLD, **changes: Any) -> Referral:
    return facts(None, submit(priority=priority, **PAYER, **changes), "clinic", w=w)[0]


def statuses(state: Referral) -> list[HopStatus]:
    return [h.status for h in state.hops]


def reject(state: Referral, number: int, reason: str = "no-capacity") -> Referral:
    command = c.Respond(action="reject", reason=reason)
    return facts(state, command, state.hops[number].organization)[0]


@pytest.mark.parametrize(("priority", "count"), [("routine", 1), ("urgent", 2), ("asap", 3), ("stat", 3)])
def test_a_contract_says_how_many_are_asked_at_once(priority: str, count: int) -> None:
    state = offered(priority)
    assert statuses(state) == [ASKED] * count
    assert len({h.organization for h in state.hops}) == count and {h.offer for h in state.hops} == {1}
    assert {h.due_at for h in state.hops} == {state.hops[0].due_at}


def test_without_a_word_in_the_contract_one_is_asked() -> None:
    assert statuses(facts(None, submit(priority="stat"), "clinic")[0]) == [ASKED]


def test_two_services_of_one_organization_are_one_offer() -> None:
    twins = [service("pantry-1"), service("pantry-1", id=PANTRIES[7].id), service("pantry-2")]
    assert sorted(h.organization for h in offered(w=world(*twins)).hops) == ["pantry-1", "pantry-2"]


def test_the_first_to_accept_wins_and_the_others_are_told_before() -> None:
    state = offered()
    after, events = facts(state, c.Respond(action="accept"), state.hops[1].organization)
    assert [type(event) for event in events] == [e.HopSuperseded, e.HopSuperseded, e.HopAccepted]
    assert statuses(after) == [GONE, HopStatus.ACCEPTED, GONE]
    assert after.status is ReferralStatus.ACCEPTED
    for loser in (state.hops[0], state.hops[2]):
        said_no = no(after, c.Respond(action="accept", hop=loser.hop), loser.organization)
        assert said_no.reason == "taken" and "do not contact the person" in said_no.detail


def test_a_refusal_leaves_the_others_asked_and_the_last_begins_the_next_round() -> None:
    state = reject(reject(offered(), 2), 0, "more-information-needed")
    assert state.status is ReferralStatus.REQUESTED and len(state.hops) == 3, "one may still say yes"
    state = reject(state, 1)
    assert [h.offer for h in state.hops] == [1, 1, 1, 2, 2, 2]
    assert statuses(state)[3:] == [ASKED] * 3
    for number in (3, 4, 5):
        state = reject(state, number)
    assert (state.status, state.reason, len(state.hops)) == (ReferralStatus.NEEDS_REVIEW, "hop-limit", 6)


def test_silence_ends_the_whole_round_at_once() -> None:
    state = offered()
    due = state.response_due
    assert due is not None and due.number == 1
    late = c.DeadlineDue("first-response", due.number)
    after = facts(reject(state, 1), late, "exchange", hours=1)[0]
    assert statuses(after)[:3] == [HopStatus.EXPIRED, HopStatus.REJECTED, HopStatus.EXPIRED]
    assert statuses(after)[3:] == [ASKED] * 3
    assert decide(after, late, envelope("exchange"), WORLD) == ()


def test_a_deadline_of_somebody_who_has_answered_is_stale() -> None:
    state = reject(offered(), 0)
    assert decide(state, c.DeadlineDue("first-response", 1), envelope("exchange"), WORLD) == ()
    assert state.response_due is not None and state.response_due.number == 2


def test_who_is_handed_on_within_a_round_joins_it() -> None:
    state = offered()
    command = c.Respond(action="transfer", details={"organization": "pantry-8"})
    after = facts(state, command, state.hops[0].organization, hours=0.5)[0]
    assert [h.offer for h in after.hops] == [1] * 4 and after.hops[3].organization == "pantry-8"
    assert after.hops[3].due_at > after.hops[1].due_at, "with its own time to answer"
    late = facts(after, c.DeadlineDue("first-response", 2), "exchange", hours=1)[0]
    assert statuses(late) == [HopStatus.REJECTED, HopStatus.EXPIRED, HopStatus.EXPIRED, ASKED]
    assert late.status is ReferralStatus.REQUESTED


def test_the_hub_offers_to_several_and_never_to_one_organization_twice() -> None:
    state = facts(None, submit(routing="ask-first"), "clinic")[0]
    pick = [s.id for s in PANTRIES]
    after = facts(state, c.Assign(pick[4], "called them", others=(pick[5], pick[4])), "hub")[0]
    assert [h.organization for h in after.hops] == ["pantry-5", "pantry-6"]
    assert {h.offer for h in after.hops} == {1} and all(h.assigned for h in after.hops)
    assert no(state, c.Assign(pick[0], version=1), "hub").reason == "stale"
    for others, reason in (
        ((str(REFERRAL),), "unknown-service"),
        (tuple(pick[1:4]), "invalid"),
    ):
        assert no(state, c.Assign(pick[0], others=others), "hub").reason == reason


def test_an_amendment_ends_what_no_longer_fits_and_asks_anew() -> None:
    state = facts(None, submit(), "clinic")[0]
    first = state.hops[0].organization
    after, events = facts(state, submit(excluded_organizations=[first]), "clinic")
    assert isinstance(events[0], e.ReferralAmended) and events[0].changed == ("excluded",)
    assert (after.hops[0].status, after.hops[0].reason) == (GONE, UNSUITABLE)
    assert after.hops[1].status is ASKED and after.hops[1].organization != first
    said_no = no(after, c.Respond(action="accept"), first)
    assert "do not contact the person" in said_no.detail


def test_an_amendment_leaves_the_rest_of_a_round_asked() -> None:
    state = offered()
    after = facts(state, submit(priority="stat", excluded_organizations=["pantry-9"], **PAYER), "clinic")[0]
    assert after.hops == state.hops, "nobody of the round was meant"
    gone = state.hops[0].organization
    after = facts(state, submit(priority="stat", excluded_organizations=[gone], **PAYER), "clinic")[0]
    assert statuses(after) == [GONE, ASKED, ASKED] and after.status is ReferralStatus.REQUESTED


def test_an_amendment_to_another_need_or_place_leaves_the_holder_who_is_told() -> None:
    asked = facts(None, submit(), "clinic")[0]
    state = facts(asked, c.Respond(action="accept"), asked.hops[0].organization)[0]
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"need": {"domain": "housing-instability"}}, "need"),
        ({"service_area": {"postal_code": "90001", "county": "los-angeles"}}, "outside-area"),
    )
    for changes, rule in cases:
        after, events = facts(state, submit(**changes), "clinic")
        assert [type(event) for event in events] == [e.ReferralAmended, e.HopUnsuitable]
        assert isinstance(events[1], e.HopUnsuitable) and events[1].rule == rule
        assert after.status is ReferralStatus.ACCEPTED and UNSUITABLE in after.flags
        back = facts(after, submit(), "clinic")[0]
        assert UNSUITABLE not in back.flags, "the flag goes when the referral fits again"


def test_what_was_unsuitable_before_is_not_the_amendments_doing() -> None:
    state = facts(None, submit(), "clinic")[0]
    full = [
        service(s.organization, capacity_status="no-capacity", capacity_updated="2026-11-02")
        for s in PANTRIES
    ]
    after = facts(state, submit(priority="urgent"), "clinic", w=world(*full))[0]
    assert after.hops == state.hops
