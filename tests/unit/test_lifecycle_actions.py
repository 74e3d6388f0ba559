"""The later answers of a hop, as tables: late acceptance, giving back, handing on, correcting, reopening, holding."""

from datetime import timedelta
from typing import Any

import pytest

from referrals import commands as c
from referrals import events as e
from referrals import words
from referrals.lifecycle import decide
from referrals.placing import World
from referrals.state import Referral
from referrals.transitions import TRANSITIONS
from referrals.words import HopStatus, ReferralStatus
from tests.support.referrals import NOW, applied, envelope, refused, service, submit, world

PANTRIES = [service(f"pantry-{n}") for n in range(1, 5)]
WORLD = world(*PANTRIES)
DUE = c.DeadlineDue("first-response", 1)
FAR = "2026-12-01"


def facts(
    state: Referral | None, command: c.Command, who: str, after_days: float = 0, w: World = WORLD
) -> tuple[Referral, list[e.Event]]:
    """The state after a command that has an effect, and its events."""
    return applied(state, command, envelope(who, at=NOW + timedelta(days=after_days)), w)


def no(state: Referral, command: c.Command, who: str, after_days: float = 0) -> c.Rejection:
    return refused(state, command, envelope(who, at=NOW + timedelta(days=after_days)), WORLD)


def sent(**changes: Any) -> Referral:
    return facts(None, submit(**changes), "clinic")[0]


def answered(state: Referral, action: str, hop: int = -1, **fields: Any) -> Referral:
    return facts(state, c.Respond(action=action, **fields), state.hops[hop].organization)[0]


def in_status(status: HopStatus) -> Referral:
    """A referral whose first hop has that status."""
    start = sent()
    if status is HopStatus.REQUESTED:
        return start
    if status is HopStatus.EXPIRED:
        return facts(start, DUE, "exchange")[0]
    if status is HopStatus.REJECTED:
        return answered(start, "reject", reason="no-capacity")
    if status is HopStatus.CANCELLED:
        return facts(start, c.Cancel("need-met"), "clinic")[0]
    accepted = answered(start, "accept")
    how: dict[HopStatus, tuple[str, dict[str, Any]]] = {
        HopStatus.IN_PROGRESS: ("start", {}),
        HopStatus.ON_HOLD: ("hold", {"reason": "waitlist", "details": {"review_date": FAR}}),
        HopStatus.COMPLETED: ("complete", {"outcome_code": "service-provided"}),
        HopStatus.FAILED: ("fail", {"outcome_code": "client-declined"}),
    }
    return accepted if status is HopStatus.ACCEPTED else answered(accepted, how[status][0], **how[status][1])


SAID: dict[str, dict[str, Any]] = {
    "reject": {"reason": "no-capacity"},
    "hold": {"reason": "waitlist", "details": {"review_date": FAR}},
    "complete": {"outcome_code": "enrolled"},
    "fail": {"outcome_code": "moved"},
    "correct": {"outcome_code": "other", "note": "as it was"},
    "cancel": {"reason": "no-capacity"},
    "note": {"note": "said"},
}


@pytest.mark.parametrize("action", TRANSITIONS)
@pytest.mark.parametrize("status", HopStatus)
def test_every_action_in_every_status_does_what_the_table_says(status: HopStatus, action: str) -> None:
    state, row = in_status(status), TRANSITIONS[action]
    hop = state.hops[0]
    assert hop.status is status
    command = c.Respond(action=action, hop=hop.hop, **SAID.get(action, {}))
    decision = decide(state, command, envelope(hop.organization), WORLD)
    if status is row.target:
        assert decision == ()
    elif status not in row.sources:
        assert isinstance(decision, c.Rejection) and decision.reason == "illegal"
    else:
        after, events = facts(state, command, hop.organization)
        assert row.event in {type(event) for event in events}
        assert after.hops[0].status is (row.target or status)


@pytest.mark.parametrize("action", TRANSITIONS)
@pytest.mark.parametrize("who", ["clinic", "other-clinic", "plan", "hub", "pantry-9", "exchange"])
def test_who_has_no_hop_answers_none_but_the_hub_may_reopen(action: str, who: str) -> None:
    state = in_status(HopStatus.COMPLETED)
    command = c.Respond(action=action, hop=state.hops[0].hop, **SAID.get(action, {}))
    if who == "hub" and TRANSITIONS[action].hub:
        assert facts(state, command, who)[0].status is ReferralStatus.IN_PROGRESS
    else:
        assert no(state, command, who).reason == "not-permitted"
        closes = who == "hub" and action in ("complete", "fail")
        reason = no(state, c.Respond(action=action), who).reason
        assert reason == ("illegal" if closes else "unknown-hop"), "the hub closes what it reviews"


@pytest.mark.parametrize("status", HopStatus)
@pytest.mark.parametrize("who", ["clinic", "other-clinic", "plan", "hub", "pantry-9", "exchange"])
def test_no_stranger_moves_a_hop_whatever_its_status(status: HopStatus, who: str) -> None:
    state = in_status(status)
    for action, row in TRANSITIONS.items():
        command = c.Respond(action=action, hop=state.hops[0].hop, **SAID.get(action, {}))
        decision = decide(state, command, envelope(who), WORLD)
        if who == "hub" and row.hub and status in row.sources:
            assert isinstance(decision, tuple) and decision, (action, status)
        elif who == "hub" and row.hub and status is row.target:
            assert decision == (), "it is as the hub wants it"
        else:
            assert isinstance(decision, c.Rejection), (action, status)
            expected = "illegal" if who == "hub" and row.hub else "not-permitted"
            assert decision.reason == expected, (action, status)


def test_a_late_acceptance_wins_while_nobody_holds_it_and_the_others_are_told() -> None:
    state = in_status(HopStatus.EXPIRED)
    assert [h.status for h in state.hops] == [HopStatus.EXPIRED, HopStatus.REQUESTED]
    after, events = facts(state, c.Respond(action="accept"), state.hops[0].organization)
    assert [h.status for h in after.hops] == [HopStatus.ACCEPTED, HopStatus.CANCELLED]
    assert after.hops[1].reason == "accepted-elsewhere" and after.status is ReferralStatus.ACCEPTED
    assert [type(event) for event in events] == [e.HopSuperseded, e.HopAccepted], "never two held at once"
    said_no = no(after, c.Respond(action="accept"), state.hops[1].organization)
    assert said_no.reason == "taken" and "do not contact the person" in said_no.detail


def test_a_late_acceptance_ends_a_review_that_silence_had_asked_for() -> None:
    state = in_status(HopStatus.EXPIRED)
    for number in (2, 3):
        state = facts(state, c.DeadlineDue("first-response", number), "exchange")[0]
    assert (state.status, state.reason) == (ReferralStatus.NEEDS_REVIEW, "hop-limit")
    after = facts(state, c.Respond(action="accept"), state.hops[1].organization)[0]
    assert (after.status, after.reason, after.detail) == (ReferralStatus.ACCEPTED, None, None)


@pytest.mark.parametrize(("end", "reason"), [(False, "taken"), (True, "closed")])
def test_a_late_acceptance_that_lost_says_not_to_contact_the_person(end: bool, reason: str) -> None:
    state = answered(in_status(HopStatus.EXPIRED), "accept")
    if end:
        state = answered(state, "complete", outcome_code="enrolled")
    said_no = no(state, c.Respond(action="accept"), state.hops[0].organization)
    assert said_no.reason == reason and "do not contact the person" in said_no.detail


@pytest.mark.parametrize("reason", words.table("withdraw_reasons"))
def test_what_is_given_back_goes_on_as_its_reason_says(reason: str) -> None:
    state = in_status(HopStatus.IN_PROGRESS)
    command = c.Respond(action="cancel", reason=reason, note="why")
    after = facts(state, command, state.hops[0].organization)[0]
    assert (after.hops[0].status, after.hops[0].reason) == (HopStatus.CANCELLED, reason)
    if words.table("withdraw_reasons")[reason]["reroute"]:
        assert after.status is ReferralStatus.REQUESTED and len(after.hops) == 2
    else:
        assert after.status is ReferralStatus.NEEDS_REVIEW and not after.open_hops
        assert after.reason in words.table("review_reasons")


@pytest.mark.parametrize(
    ("details", "expected"),
    [({}, None), ({"organization": "pantry-4"}, "pantry-4"), ({"service": PANTRIES[3].id}, "pantry-4")],
)
def test_a_transfer_asks_whom_it_names_or_whom_routing_finds(
    details: dict[str, Any], expected: str | None
) -> None:
    for status in (HopStatus.REQUESTED, HopStatus.ACCEPTED, HopStatus.ON_HOLD):
        state = in_status(status)
        command = c.Respond(action="transfer", details=details)
        after, events = facts(state, command, state.hops[0].organization)
        first, second = after.hops
        assert (first.status, first.reason) == (HopStatus.REJECTED, "transferred")
        assert second.organization != first.organization and expected in (None, second.organization)
        assert isinstance(events[0], e.HopTransferred) and events[0].to == expected
        assert after.preferred is None, "the sender's own preference is not the CBO's to change"


def test_a_transfer_never_leaves_the_senders_only_choice() -> None:
    state = sent(routing="preferred-only", preferred_organization="pantry-1")
    after = facts(state, c.Respond(action="transfer", details={"organization": "pantry-2"}), "pantry-1")[0]
    assert (after.status, after.reason) == (ReferralStatus.NEEDS_REVIEW, "preferred-unavailable")


@pytest.mark.parametrize(
    ("to", "reason"), [("clinic", "invalid"), ("nobody", "invalid"), ("pantry-1", "illegal")]
)
def test_a_transfer_to_nobody_who_can_help_is_refused(to: str, reason: str) -> None:
    state = sent(preferred_organization="pantry-1")
    command = c.Respond(action="transfer", details={"organization": to})
    assert no(state, command, "pantry-1").reason == reason


@pytest.mark.parametrize(
    ("closed", "said", "status"),
    [
        (HopStatus.COMPLETED, ("enrolled", "resolved"), ReferralStatus.COMPLETED),
        (HopStatus.COMPLETED, ("moved", None), ReferralStatus.FAILED),
        (HopStatus.FAILED, ("enrolled", "partly"), ReferralStatus.COMPLETED),
        (HopStatus.FAILED, ("other", "unknown"), ReferralStatus.FAILED),
    ],
)
def test_a_correction_records_old_and_new(
    closed: HopStatus, said: tuple[str, str | None], status: ReferralStatus
) -> None:
    state = in_status(closed)
    assert state.outcome is not None
    command = c.Respond(action="correct", outcome_code=said[0], outcome_need=said[1], note="mistyped")
    after, [event] = facts(state, command, state.hops[0].organization, after_days=29)
    assert isinstance(event, e.OutcomeCorrected)
    assert (event.outcome_before, event.outcome) == (state.outcome.code, said[0])
    assert event.need_before == state.outcome.need and event.need == (said[1] or state.outcome.need)
    assert after.outcome is not None and after.outcome.code == said[0]
    assert (after.status, after.hops[0].status, after.closed_at) == (status, HopStatus(status), NOW)
    assert decide(after, command, envelope(state.hops[0].organization), WORLD) == ()


def test_reopened_it_goes_on_and_may_close_again() -> None:
    state = in_status(HopStatus.FAILED)
    after = facts(state, c.Respond(action="reopen"), state.hops[0].organization, after_days=30)[0]
    assert (after.status, after.hops[0].status) == (ReferralStatus.IN_PROGRESS, HopStatus.IN_PROGRESS)
    assert (after.outcome, after.closed_at, after.hops[0].reason) == (None, None, None)
    assert after.accepted_at == NOW
    again = answered(after, "complete", outcome_code="enrolled", outcome_need="resolved")
    assert again.status is ReferralStatus.COMPLETED and again.closed_at == NOW


@pytest.mark.parametrize("action", [a for a, row in TRANSITIONS.items() if row.window])
def test_after_the_window_nothing_is_changed(action: str) -> None:
    state = in_status(HopStatus.COMPLETED)
    command = c.Respond(action=action, **SAID.get(action, {}))
    assert no(state, command, state.hops[0].organization, after_days=30.01).reason == "closed"
    wrong = facts(state, c.Cancel("entered-in-error"), "clinic")[0]
    assert no(wrong, command, state.hops[0].organization).reason == "closed"


@pytest.mark.parametrize("status", HopStatus)
def test_entered_in_error_may_follow_anything_and_stops_what_is_open(status: HopStatus) -> None:
    state = in_status(status)
    assert no(state, c.Cancel("entered-in-error"), "other-clinic").reason == "not-permitted"
    after = facts(state, c.Cancel("entered-in-error"), "clinic", after_days=1)[0]
    assert after.status is ReferralStatus.ENTERED_IN_ERROR and not after.open_hops
    assert after.closed_at == (state.closed_at or NOW + timedelta(days=1))
    assert after.outcome is None and after.follow_up is None, "what should never have been has no outcome"
    assert decide(after, c.Cancel("entered-in-error"), envelope("clinic"), WORLD) == ()
    assert no(after, c.Cancel("need-met"), "clinic").reason == "closed"


@pytest.mark.parametrize("given", [{}, {"review_date": "soon"}, {"review_date": "2026-10-30"}])
def test_a_hold_needs_a_day_to_come_on_which_it_is_reviewed(given: dict[str, Any]) -> None:
    state = in_status(HopStatus.ACCEPTED)
    said_no = no(
        state, c.Respond(action="hold", reason="waitlist", details=given), state.hops[0].organization
    )
    assert said_no.reason == "invalid" and "review_date" in said_no.detail
