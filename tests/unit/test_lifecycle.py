"""The life of a referral: the table, who may do what, and re-routing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from referrals import commands as c
from referrals.evolve import HOP_AFTER, evolve
from referrals.lifecycle import decide
from referrals.placing import World
from referrals.state import Referral
from referrals.transitions import TRANSITIONS, allowed_actions
from referrals.words import HELD, HopStatus, ReferralStatus
from tests.support.referrals import NOW, REFERRAL, envelope, service, submit, world

PANTRIES = [service(f"pantry-{n}") for n in range(1, 5)]
WORLD = world(*PANTRIES)
REVIEW = {"review_date": "2026-12-01"}


def act(
    state: Referral | None, command: c.Command, who: str, w: World = WORLD
) -> Referral | c.Rejection | None:
    decision = decide(state, command, envelope(who), w)
    if isinstance(decision, c.Rejection):
        return decision
    for fact in decision:
        state = evolve(state, REFERRAL, fact, NOW)
    return state


def sent(w: World = WORLD, **changes: Any) -> Referral:
    made = act(None, submit(**changes), "clinic", w)
    assert isinstance(made, Referral)
    return made


def step(state: Referral, action: str, w: World = WORLD, **fields: Any) -> Referral:
    made = act(state, c.Respond(action=action, **fields), state.hops[-1].organization, w)
    assert isinstance(made, Referral), made
    return made


def test_a_submission_is_routed_and_its_first_hop_has_a_deadline() -> None:
    state = sent()
    assert state.status is ReferralStatus.REQUESTED
    assert [h.status for h in state.hops] == [HopStatus.REQUESTED]
    assert state.hops[0].due_at == datetime(2026, 11, 5, 1, tzinfo=UTC), "Monday morning: Wednesday, 17:00"
    assert state.version == 3


def test_the_loop_closes_with_a_coded_outcome() -> None:
    state = step(
        step(step(sent(), "accept"), "start"),
        "complete",
        outcome_code="service-provided",
        outcome_need="resolved",
    )
    assert state.status is ReferralStatus.COMPLETED
    assert state.outcome is not None and (state.outcome.code, state.outcome.need) == (
        "service-provided",
        "resolved",
    )
    assert state.closed_at == NOW and state.accepted_at == NOW


def test_start_is_optional_before_complete_and_fail() -> None:
    assert (
        step(step(sent(), "accept"), "complete", outcome_code="enrolled").status is ReferralStatus.COMPLETED
    )
    held = step(step(sent(), "accept"), "hold", reason="waitlist", details=REVIEW)
    assert step(held, "fail", outcome_code="client-unreachable").status is ReferralStatus.FAILED


def test_a_rejection_asks_the_next_candidate_and_never_the_same_twice() -> None:
    state = sent()
    for _ in range(3):
        state = step(state, "reject", reason="no-capacity")
    asked = [h.organization for h in state.hops]
    assert len(set(asked)) == 3, "three different organizations"
    assert state.status is ReferralStatus.NEEDS_REVIEW and state.reason == "hop-limit"


def test_more_information_needed_goes_to_the_hub_not_to_another_organization() -> None:
    state = step(sent(), "reject", reason="more-information-needed")
    assert (state.status, state.reason, len(state.hops)) == (
        ReferralStatus.NEEDS_REVIEW,
        "more-information-needed",
        1,
    )


def test_no_candidate_means_review_and_the_hub_assigns() -> None:
    nowhere = world(service("pantry-1", counties=("elsewhere",)))
    state = sent(nowhere)
    assert (state.status, state.reason) == (ReferralStatus.NEEDS_REVIEW, "no-candidate")
    stranger = act(state, c.Assign(PANTRIES[0].id), "clinic", nowhere)
    assert isinstance(stranger, c.Rejection) and stranger.reason == "not-permitted"
    placed = act(state, c.Assign(PANTRIES[0].id, "called them"), "hub", nowhere)
    assert isinstance(placed, Referral) and placed.status is ReferralStatus.REQUESTED


@pytest.mark.parametrize(
    ("status", "expected", "reason"),
    [
        ("refused", ReferralStatus.REFUSED, "consent-refused"),
        ("revoked", ReferralStatus.REFUSED, "consent-refused"),
        ("absent", ReferralStatus.NEEDS_REVIEW, "consent-absent"),
        ("expired", ReferralStatus.NEEDS_REVIEW, "consent-absent"),
    ],
)
def test_without_consent_nobody_is_asked(status: str, expected: ReferralStatus, reason: str) -> None:
    state = sent(consent={"status": status})
    assert (state.status, state.reason, state.hops) == (expected, reason, ())


def test_a_violent_home_is_never_routed_without_a_person() -> None:
    w = world(service("shelter", domains=("intimate-partner-violence",)))
    state = sent(w, need={"domain": "intimate-partner-violence"})
    assert (state.status, state.reason) == (ReferralStatus.NEEDS_REVIEW, "ask-first")
    assert "violence" in state.sensitivity


def test_the_same_submission_again_changes_nothing_and_another_amends() -> None:
    state = sent()
    assert decide(state, submit(), envelope("clinic"), WORLD) == ()
    amended = act(state, submit(priority="urgent"), "clinic")
    assert isinstance(amended, Referral)
    assert (
        amended.priority == "urgent" and amended.version == state.version + 1 and amended.hops == state.hops
    )


def test_an_amendment_that_withdraws_consent_stops_the_open_hop() -> None:
    amended = act(sent(), submit(consent={"status": "revoked"}), "clinic")
    assert isinstance(amended, Referral)
    assert amended.status is ReferralStatus.CANCELLED and amended.hops[0].status is HopStatus.CANCELLED


def test_an_amendment_that_brings_consent_places_the_referral() -> None:
    amended = act(sent(consent={"status": "absent"}), submit(consent={"status": "active"}), "clinic")
    assert isinstance(amended, Referral) and amended.status is ReferralStatus.REQUESTED


def test_cancelling_closes_the_open_hop_and_only_the_sender_may() -> None:
    state = step(sent(), "accept")
    stranger = act(state, c.Cancel("client-withdrew"), "other-clinic")
    assert isinstance(stranger, c.Rejection) and stranger.reason == "not-permitted"
    cancelled = act(state, c.Cancel("client-withdrew"), "clinic")
    assert isinstance(cancelled, Referral)
    assert cancelled.status is ReferralStatus.CANCELLED and not cancelled.open_hops


def test_silence_past_the_deadline_moves_on_and_a_stale_deadline_does_nothing() -> None:
    state = sent()
    moved = act(state, c.DeadlineDue("first-response", 1), "exchange")
    assert isinstance(moved, Referral)
    assert [h.status for h in moved.hops] == [HopStatus.EXPIRED, HopStatus.REQUESTED]
    assert decide(moved, c.DeadlineDue("first-response", 1), envelope("exchange"), WORLD) == ()
    assert (
        decide(step(sent(), "accept"), c.DeadlineDue("first-response", 1), envelope("exchange"), WORLD) == ()
    )


@pytest.mark.parametrize(
    ("command", "who", "reason"),
    [
        (c.Respond(action="accept"), "pantry-9", "unknown-hop"),
        (c.Respond(action="complete", outcome_code="service-provided"), None, "illegal"),
        (c.Respond(action="fly"), None, "illegal"),
        (c.Respond(action="accept", version=1), None, "stale"),
        (c.Respond(action="reject", reason="no such"), None, "invalid"),
        (c.Respond(action="reject", reason="other"), None, "invalid"),
        (c.Cancel("no such"), "clinic", "invalid"),
        (c.Authorize("approved"), "clinic", "not-permitted"),
        (c.Authorize("perhaps"), "plan", "invalid"),
        (c.Assign("no such"), "hub", "illegal"),
    ],
)
def test_a_command_without_effect_says_why(command: c.Command, who: str | None, reason: str) -> None:
    state = sent()
    rejected = act(state, command, who or state.hops[0].organization)
    assert isinstance(rejected, c.Rejection) and rejected.reason == reason


def test_an_outcome_must_go_with_the_action() -> None:
    state = step(sent(), "accept")
    for action, code in (
        ("complete", "client-unreachable"),
        ("fail", "service-provided"),
        ("complete", None),
    ):
        rejected = act(state, c.Respond(action=action, outcome_code=code), state.hops[0].organization)
        assert isinstance(rejected, c.Rejection) and rejected.reason == "invalid"


def test_another_organizations_hop_is_not_answered() -> None:
    state = step(sent(), "reject", reason="no-capacity")
    first, second = state.hops
    for hours in (0, 72):  # long enough for whoever may answer in another's place
        said = envelope(first.organization, at=NOW + timedelta(hours=hours))
        rejected = decide(state, c.Respond(action="accept", hop=second.hop), said, WORLD)
        assert isinstance(rejected, c.Rejection) and rejected.reason == "not-permitted"


def test_every_hop_status_is_reached_by_some_event_and_only_named_ways_lead_on_from_an_end() -> None:
    reached = {status for status, _ in HOP_AFTER.values()} | {HopStatus.REQUESTED}
    assert reached == set(HopStatus)
    ways = {
        HopStatus.EXPIRED: ("accept", "note"),
        **dict.fromkeys((HopStatus.COMPLETED, HopStatus.FAILED), ("correct", "reopen", "note")),
    }
    for status in set(HopStatus) - HELD - {HopStatus.REQUESTED}:
        assert allowed_actions(status) == ways.get(status, ("note",))


def test_each_transition_leads_where_its_event_leads() -> None:
    for action, row in TRANSITIONS.items():
        after = HOP_AFTER.get(row.event)
        assert (after[0] if after else None) == row.target, action
