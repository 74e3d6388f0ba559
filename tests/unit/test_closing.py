"""How it ends: failures that go on, attempts before `unreachable`, services voided, the hub's own close, answers by
telephone."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from referrals import commands as c
from referrals import events as e
from referrals import words
from referrals.lifecycle import decide
from referrals.state import Referral
from referrals.words import Channel, HopStatus, ReferralStatus
from tests.support.referrals import NOW, applied, envelope, service, submit, world

WORLD = world(
    *(service(f"pantry-{n}") for n in range(1, 5)), service("st-anne-parish-pantry", statewide=True)
)
STRICT: dict[str, Any] = {"coverage": {"payer": "bay-community-plan", "member_id": "M-1"}}


def said(who: str, hours: float = 0, **more: Any) -> c.Envelope:
    return structs.replace(envelope(who, at=NOW + timedelta(hours=hours)), **more)


def after(state: Referral | None, command: c.Command, by: c.Envelope) -> Referral:
    return applied(state, command, by, WORLD)[0]


def refused(state: Referral, command: c.Command, by: c.Envelope) -> str:
    decision = decide(state, command, by, WORLD)
    assert isinstance(decision, c.Rejection), decision
    return decision.reason


def answer(state: Referral, action: str, **fields: Any) -> Referral:
    who = (state.held or state.hops[-1]).organization
    return after(state, c.Respond(action=action, **fields), said(who))


def accepted(**changes: Any) -> Referral:
    return answer(after(None, submit(**changes), said("clinic")), "accept")


FAILURES = [code for code, row in words.table("outcomes").items() if "fail" in row["ends"]]


@pytest.mark.parametrize("code", FAILURES)
def test_the_table_says_which_failures_ask_the_next_organization(code: str) -> None:
    state = answer(accepted(), "fail", outcome_code=code, note="why")
    assert state.hops[0].status is HopStatus.FAILED and state.hops[0].reason == code
    if words.table("outcomes")[code]["reroute"]:
        assert (state.status, len(state.hops)) == (ReferralStatus.REQUESTED, 2)
        assert (state.outcome, state.closed_at) == (None, None)
    else:
        assert (state.status, len(state.hops)) == (ReferralStatus.FAILED, 1)
        assert state.outcome is not None and state.outcome.code == code


def test_a_failure_closes_where_the_sender_wanted_one_organization_alone() -> None:
    state = accepted(routing="preferred-only", preferred_organization="pantry-1")
    assert answer(state, "fail", outcome_code="no-capacity").status is ReferralStatus.FAILED


@pytest.mark.parametrize("action", ["correct", "reopen"])
def test_who_failed_before_others_helped_changes_their_outcome_no_more(action: str) -> None:
    state = answer(accepted(), "fail", outcome_code="not-eligible")
    first = state.hops[0]
    done = answer(answer(state, "accept"), "complete", outcome_code="enrolled")
    command = c.Respond(action=action, hop=first.hop, outcome_code="moved")
    assert refused(done, command, said(first.organization)) == "illegal"
    assert answer(done, "correct", outcome_code="information-given").outcome is not None


def test_unreachable_is_said_after_the_contracts_attempts() -> None:
    state = accepted(**STRICT)
    gone = c.Respond(action="fail", outcome_code="client-unreachable")
    for _ in range(3):
        assert refused(state, gone, said(state.hops[0].organization)) == "illegal"
        state = answer(state, "contact", details={"method": "phone", "reached": True})
        state = answer(state, "contact", details={"method": "phone", "reached": False})
    assert answer(state, "fail", outcome_code="client-unreachable").status is ReferralStatus.FAILED
    assert answer(accepted(), "fail", outcome_code="client-unreachable").status is ReferralStatus.FAILED


def test_a_follow_up_is_a_day_to_come() -> None:
    state = accepted()
    for day in ("soon", "2026-11-01"):
        command = c.Respond(action="complete", outcome_code="enrolled", details={"follow_up": day})
        assert refused(state, command, said(state.hops[0].organization)) == "invalid"
    done = answer(state, "complete", outcome_code="enrolled", details={"follow_up": "2026-12-01"})
    assert done.follow_up == "2026-12-01"
    assert answer(done, "reopen").follow_up is None


@pytest.mark.parametrize("void", [{"void": True}, {"units": 0}, {"units": 0.0}])
def test_a_service_is_recorded_once_and_may_be_voided(void: dict[str, Any]) -> None:
    state, first = accepted(), {"service_event_id": "s-1", "code": "food-box", "units": 2.0}
    who = said(state.hops[0].organization)
    nothing = c.Respond(action="record-service", details={"service_event_id": "s-1", **void})
    assert refused(state, nothing, who) == "illegal"
    once = answer(state, "record-service", details=first)
    assert decide(once, c.Respond(action="record-service", details=first), who, WORLD) == ()
    other = c.Respond(action="record-service", details=first | {"units": 3})
    assert refused(once, other, who) == "illegal", "a change is a void and a new record"
    two = answer(once, "record-service", details=first | {"service_event_id": "s-2"})
    assert [s["service_event_id"] for s in answer_with(two, nothing).services_delivered] == ["s-2"]


def answer_with(state: Referral, command: c.Respond) -> Referral:
    return after(state, command, said(state.hops[0].organization))


def reviewed() -> Referral:
    return after(None, submit(routing="ask-first"), said("clinic"))


@pytest.mark.parametrize(
    ("action", "code", "status"),
    [
        ("fail", "no-service-found", ReferralStatus.FAILED),
        ("complete", "information-given", ReferralStatus.COMPLETED),
    ],
)
def test_the_hub_closes_what_it_reviews_and_may_take_it_up_again(
    action: str, code: str, status: ReferralStatus
) -> None:
    command = c.Respond(action=action, outcome_code=code, outcome_need="unresolved", note="nobody near")
    state = after(reviewed(), command, said("hub"))
    assert (state.status, state.closed_at, state.reason) == (status, NOW, None)
    assert state.outcome is not None and (state.outcome.code, state.outcome.need) == (code, "unresolved")
    assert decide(state, command, said("hub"), WORLD) == ()
    assert refused(state, c.Respond(action="reopen"), said("hub", hours=24 * 31)) == "closed"
    again = after(state, c.Respond(action="reopen"), said("hub", hours=24 * 29))
    assert (again.status, again.reason) == (ReferralStatus.NEEDS_REVIEW, "reopened")
    assert (again.outcome, again.closed_at, again.outcome_sealed) == (None, None, b"")


def test_the_hub_closes_nothing_else_and_with_an_outcome() -> None:
    closes = c.Respond(action="fail", outcome_code="no-service-found")
    assert refused(accepted(), closes, said("hub")) == "illegal"
    assert refused(reviewed(), closes, said("clinic")) == "unknown-hop"
    for code in (None, "enrolled"):
        assert refused(reviewed(), c.Respond(action="fail", outcome_code=code), said("hub")) == "invalid"
    assert refused(reviewed(), structs.replace(closes, version=1), said("hub")) == "stale"


def phone(state: Referral, hours: float, organization: str | None = None) -> c.Envelope:
    to = organization or state.hops[-1].organization
    return said("hub", hours, on_behalf_of=to, channel=Channel.PHONE)


def test_the_hub_records_an_answer_by_telephone_after_hours_of_silence() -> None:
    state = after(None, submit(), said("clinic"))
    accept = c.Respond(action="accept")
    assert refused(state, accept, phone(state, 3.9)) == "not-permitted"
    assert after(state, accept, phone(state, 4)).status is ReferralStatus.ACCEPTED
    assert refused(state, accept, said("hub", 5, on_behalf_of=state.hops[0].organization)) == "unknown-hop"
    stranger = structs.replace(phone(state, 5), organization="clinic")
    assert refused(state, accept, stranger) == "unknown-hop"
    assert refused(state, accept, phone(state, 5, "pantry-9")) == "unknown-hop"


def test_it_does_so_at_once_for_whom_it_assigned_and_for_whom_the_contract_lists() -> None:
    assigned = after(reviewed(), c.Assign(service("pantry-1").id), said("hub"))
    held = after(assigned, c.Respond(action="accept"), phone(assigned, 0))
    assert held.status is ReferralStatus.ACCEPTED
    closed = after(held, c.Respond(action="complete", outcome_code="enrolled"), phone(held, 1))
    assert closed.status is ReferralStatus.COMPLETED
    parish = after(None, submit(preferred_organization="st-anne-parish-pantry", **STRICT), said("clinic"))
    assert parish.hops[0].organization == "st-anne-parish-pantry"
    rejected = c.Respond(action="reject", reason="no-capacity")
    assert after(parish, rejected, phone(parish, 0)).hops[0].status is HopStatus.REJECTED


def test_the_facts_of_a_failure_that_goes_on_say_so() -> None:
    state = accepted()
    command = c.Respond(action="fail", outcome_code="no-capacity", outcome_need="unresolved")
    decision = decide(state, command, said(state.hops[0].organization), WORLD)
    assert isinstance(decision, tuple)
    assert [type(f.event) for f in decision] == [e.HopFellThrough, e.RoutingDecided, e.HopRequested]


def test_only_for_want_of_room_may_a_refusal_close_the_service() -> None:
    state = after(None, submit(), said("clinic"))
    hop, full = (
        state.hops[0],
        c.Respond(action="reject", reason="no-capacity", details={"close_service": True}),
    )
    decision = decide(state, full, said(hop.organization), WORLD)
    assert isinstance(decision, tuple)
    assert decision[0].event == e.HopRejected(hop=hop.hop, reason="no-capacity", close_service=True)
    assert refused(state, structs.replace(full, reason="language"), said(hop.organization)) == "invalid"
