"""The consent as a stream: what was said last counts in whatever order it arrives, and who may say it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals import commands as c
from referrals import consenting, ids
from referrals.consenting import Recorded, effects, fact, recorded
from referrals.errors import RejectionReason as No
from referrals.state import Referral
from referrals.streams import Stream, record
from referrals.submission import Consent, Recipient
from referrals.words import ReferralStatus
from tests.support.referrals import NOW, envelope

CONSENT, PERSON = ids.consent_id("clinic", "c-1"), ids.person_key("clinic", "P-1")
TYPES = {"clinic": "clinic", "other-clinic": "clinic", "hub": "hub", "plan": "mco"}


def said(hours: float = 0, status: str = "active", person: UUID = PERSON, **terms: Any) -> c.RecordFact:
    return fact(CONSENT, person, NOW + timedelta(hours=hours), Consent(status=status, id="c-1", **terms))


def told(
    before: Stream | None, command: c.RecordFact, organization: str = "clinic"
) -> c.RecordFact | c.Rejection | None:
    return record(before, command, envelope(organization), TYPES)


def after(*commands: c.RecordFact) -> Stream | None:
    stream: Stream | None = None
    for command in commands:
        found = told(stream, command)
        if isinstance(found, c.RecordFact):
            stream = Stream("clinic", 1 + (stream.version if stream else 0), found.type, found.data)
    return stream


def standing(stream: Stream | None) -> Recorded:
    found = recorded(stream.data) if stream else None
    assert found is not None
    return found


def test_a_grant_then_its_end_keeps_the_terms() -> None:
    found = standing(after(said(0, purposes=("referral",)), said(1, "revoked")))
    assert (found.consent.status, found.consent.purposes, found.ended) == ("revoked", ("referral",), True)


def test_what_tells_about_the_person_is_not_in_the_clear() -> None:
    command = said(0, method="signed", document_sha256="canary", discloser="canary")
    assert "canary" not in repr(command.data) and "signed" not in repr(command.data)


def test_the_same_record_again_has_no_effect() -> None:
    first = after(said())
    assert told(first, said()) is None


def test_a_late_grant_does_not_undo_an_end_and_a_late_end_not_a_grant_since() -> None:
    ended = after(said(0), said(2, "revoked"))
    assert told(ended, said(1, purposes=("care",))) is None
    renewed = after(said(0), said(2, "revoked"), said(3))
    assert told(renewed, said(1, "revoked")) is None


EVENTS = st.tuples(
    st.integers(0, 4), st.sampled_from(["active", "revoked"]), st.sampled_from([(), ("referral",), ("care",)])
)


@given(st.lists(EVENTS, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_any_order_of_arrival_ends_alike(events: list[Any], random: Any) -> None:
    commands = [said(hours, status, purposes=purposes) for hours, status, purposes in events]
    shuffled = list(commands)
    random.shuffle(shuffled)
    one, other = standing(after(*commands)), standing(after(*shuffled))
    assert (one.since, one.ended) == (other.since, other.ended)
    if not one.ended:
        assert one.consent == other.consent
    last = max(hours for hours, _, _ in events)
    assert one.ended == any(hours == last and status == "revoked" for hours, status, _ in events)


@pytest.mark.parametrize(
    ("organization", "status", "may"),
    [
        ("clinic", "active", True),
        ("clinic", "revoked", True),
        ("hub", "revoked", True),
        ("hub", "active", False),
        ("other-clinic", "revoked", False),
        ("plan", "revoked", False),
    ],
)
def test_who_may(organization: str, status: str, may: bool) -> None:
    command = said(1, status)
    if organization != "clinic":
        command = c.RecordFact(command.kind, CONSENT, command.type, command.data, owner="clinic")
    found = told(after(said(0)), command, organization)
    assert isinstance(found, c.RecordFact) is may
    assert may or (isinstance(found, c.Rejection) and found.reason == No.NOT_PERMITTED)


def test_a_consent_is_of_one_person() -> None:
    found = told(after(said()), said(1, person=ids.person_key("clinic", "P-2")))
    assert isinstance(found, c.Rejection) and found.reason == No.INVALID


def referral(n: int, consent: str | None, hours: float = -1, sender: str = "clinic") -> Referral:
    at = NOW + timedelta(hours=hours)
    return Referral(
        id=UUID(int=n),
        sender=sender,
        sender_referral_id=str(n),
        person_key=PERSON,
        domain="food-insecurity",
        digest="",
        contract="exchange-default",
        hub="hub",
        status=ReferralStatus.REQUESTED,
        version=1,
        requested_at=at,
        created_at=at,
        updated_at=at,
        consent_id=consent,
    )


OPEN = [
    referral(1, "c-1"),
    referral(2, None),
    referral(3, "c-2"),
    referral(4, None, hours=1),
    referral(5, "x", sender="other-clinic"),
    referral(6, "c-1", hours=1),
]
HERE, ELSEWHERE, CHANGED = consenting.EFFECTS


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (None, said(0, "revoked"), {1: HERE, 2: HERE, 5: ELSEWHERE, 6: HERE}),
        (None, said(0), {1: CHANGED, 6: CHANGED}),
        (said(-1), said(0), {}),
        (said(-1), said(0, recipients=(Recipient(organization="pantry"),)), {1: CHANGED, 6: CHANGED}),
        (said(-1, "revoked"), said(0, "revoked"), {1: HERE, 2: HERE, 5: ELSEWHERE, 6: HERE}),
    ],
)
def test_whom_a_fact_reaches(
    before: c.RecordFact | None, now: c.RecordFact, expected: dict[int, str]
) -> None:
    after = recorded(now.data)
    assert after is not None
    found = effects(CONSENT, recorded(before.data) if before else None, after, "clinic", OPEN)
    assert {id.int: effect for id, effect in found.items()} == expected


def test_a_fact_of_before_these_rules_had_no_effect() -> None:
    assert recorded({"person_key": str(PERSON), "action": "revoke"}) is None
    old = Stream("clinic", 1, "consent-changed", {"person_key": str(PERSON), "action": "grant"})
    assert told(old, said()) == said()


def test_since_is_kept_to_the_instant() -> None:
    assert standing(after(said())).since == NOW and isinstance(standing(after(said())).since, datetime)
