"""Who sees what of a referral and of its events: a canary in every field, counted per viewer."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from api import facts, grants, views
from api.principal import Principal
from referrals.state import Hop, Outcome, Referral
from referrals.submission import Submission
from referrals.words import HopStatus, ReferralStatus

NOW = datetime(2026, 11, 2, 17, 0, tzinfo=UTC)
PERSON = {
    "person_id": "canary-person-id",
    "given_name": "canary-given",
    "family_name": "canary-family",
    "birth_date": "1980-02-01",
    "gender": "canary-gender",
    "phone": "canary-phone",
    "email": "canary-email",
    "address": {"line": "canary-line", "postal_code": "94607", "county": "alameda"},
    "spoken_language": "es",
    "interpreter_needed": True,
    "race_ethnicity": [{"code": "canary-race"}],
    "attributes": [{"code": "canary-attribute"}],
    "contact": {"best_times": "canary-times"},
}
SUBMISSION = {
    "sender_referral_id": "canary-sender-id",
    "person": PERSON,
    "need": {"domain": "food-insecurity", "code": {"code": "canary-code"}, "note": "canary-note"},
    "consent": {"status": "active", "id": "canary-consent", "document_sha256": "canary-document"},
    "coverage": {"payer": "plan", "member_id": "canary-member"},
    "related_person": {"name": "canary-related"},
    "referrer": {"name": "canary-referrer"},
    "excluded_organizations": ["canary-excluded"],
}
NAMES = {"canary-given", "canary-family", "1980-02-01"}
REACH = {"canary-gender", "canary-phone", "canary-email", "canary-line", "canary-times"}


@dataclass(frozen=True)
class Someone:
    organization: str
    type: str

    @property
    def principal(self) -> Principal:
        return Principal(
            organization=self.organization,
            type=self.type,
            name="",
            user="u",
            scopes=frozenset(),
            expires_at=NOW,
            credential=b"",
        )


def hop(number: int, organization: str, status: HopStatus) -> Hop:
    return Hop(
        hop=f"hop-{number}",
        number=number,
        organization=organization,
        service=f"service-{number}",
        status=status,
        requested_at=NOW,
        due_at=NOW + timedelta(days=2),
        accepted_at=NOW,
        review_date="2026-11-09",
        pauses=((NOW, None),),
    )


def seen(status: HopStatus = HopStatus.REQUESTED, **changes: Any) -> views.Seen:
    known = {str(s) for s in ReferralStatus}
    referral = ReferralStatus(str(status)) if str(status) in known else ReferralStatus.REQUESTED
    made: dict[str, Any] = {
        "id": UUID(int=7),
        "sender": "clinic",
        "sender_referral_id": "canary-sender-id",
        "person_key": UUID(int=8),
        "domain": "food-insecurity",
        "digest": "d",
        "contract": "plan-2026",
        "hub": "hub",
        "payer": "plan",
        "status": referral,
        "version": 5,
        "requested_at": NOW,
        "created_at": NOW,
        "updated_at": NOW,
        "postal_code": "94607",
        "county": "alameda",
        "hops": (hop(1, "other-cbo", HopStatus.REJECTED), hop(2, "cbo", status)),
        "outcome": Outcome("service-provided", "resolved") if status is HopStatus.COMPLETED else None,
    } | changes
    submission = msgspec.convert(SUBMISSION, Submission)
    return views.Seen(Referral(**made), submission, "canary-outcome-note", reviewed=True)


def shown(someone: Someone, found: views.Seen) -> set[str]:
    """Every canary that the viewer's referral holds."""
    text = msgspec.json.encode(views.referral(someone.principal, found)).decode()
    found_canaries = {part.split('"')[0] for part in text.split('"')[1::2] if part.startswith("canary-")}
    return found_canaries | ({"1980-02-01"} if "1980-02-01" in text else set())


CLINIC, CBO, OTHER = Someone("clinic", "clinic"), Someone("cbo", "cbo"), Someone("other-cbo", "cbo")
PLAN, HUB = Someone("plan", "mco"), Someone("hub", "hub")
OPERATOR, STATE = Someone("operator", "operator"), Someone("state", "state")


def test_the_sender_sees_every_field_it_sent() -> None:
    view = views.referral(CLINIC.principal, seen(HopStatus.COMPLETED))
    assert view is not None
    for name, value in SUBMISSION.items():
        assert msgspec.json.decode(msgspec.json.encode(view[name])) == value, name
    assert view["outcome"]["note"] == "canary-outcome-note"


def test_before_acceptance_a_cbo_sees_the_need_and_the_area_but_nobody() -> None:
    assert shown(CBO, seen()) == {"canary-code"}
    view = views.referral(CBO.principal, seen())
    assert view is not None
    assert view["person"] == {
        "spoken_language": "es",
        "interpreter_needed": True,
        "address": {"postal_code": "94607", "county": "alameda"},
    }
    assert (view["coverage"], view["service_area"]) == (None, None)


@pytest.mark.parametrize("status", [HopStatus.ACCEPTED, HopStatus.IN_PROGRESS, HopStatus.ON_HOLD])
def test_after_acceptance_a_cbo_sees_whom_to_call_and_what_is_needed(status: HopStatus) -> None:
    got = shown(CBO, seen(status))
    assert NAMES | REACH | {"canary-note", "canary-related", "canary-referrer"} <= got
    assert not got & {
        "canary-race",
        "canary-attribute",
        "canary-person-id",
        "canary-member",
        "canary-document",
    }
    assert "canary-excluded" not in got


@pytest.mark.parametrize("status", [HopStatus.REJECTED, HopStatus.EXPIRED, HopStatus.CANCELLED])
def test_after_its_turn_a_cbo_keeps_a_stub(status: HopStatus) -> None:
    assert shown(CBO, seen(status)) == set()
    view = views.referral(CBO.principal, seen(status))
    assert view is not None
    assert view["person"] is None
    assert view["status"] == status
    assert view["need"] == {"domain": "food-insecurity"}


@pytest.mark.parametrize("status", list(HopStatus))
def test_a_cbo_sees_its_own_hops_alone(status: HopStatus) -> None:
    view = views.referral(CBO.principal, seen(status))
    assert view is not None
    assert [h["organization"] for h in view["hops"]] == ["cbo"]
    assert b"other-cbo" not in msgspec.json.encode(view)


def test_a_sensitive_need_is_its_domain_until_acceptance() -> None:
    sensitive: dict[str, Any] = {"sensitivity": ("violence",)}
    assert "canary-code" not in shown(CBO, seen(**sensitive))
    assert "canary-code" in shown(CBO, seen(HopStatus.ACCEPTED, **sensitive))
    assert "canary-code" not in shown(PLAN, seen(**sensitive))


def test_the_plan_sees_its_member_without_contact_or_notes() -> None:
    assert shown(PLAN, seen(HopStatus.COMPLETED)) == NAMES | {
        "canary-member",
        "canary-code",
        "canary-sender-id",
    }


@pytest.mark.parametrize("status", ["refused", "revoked", "expired", "absent"])
def test_without_consent_the_plan_sees_no_person(status: str) -> None:
    assert shown(PLAN, seen(consent_status=status)) == set()


def test_the_hub_sees_the_person_of_what_it_reviews() -> None:
    got = shown(HUB, seen())
    assert got >= NAMES | REACH
    assert not got & {"canary-race", "canary-member", "canary-document"}


def test_the_operator_sees_ids_and_no_person() -> None:
    assert shown(OPERATOR, seen(HopStatus.COMPLETED)) == set()
    view = views.referral(OPERATOR.principal, seen())
    assert view is not None
    assert view["need"] is None
    assert len(view["hops"]) == 2


@pytest.mark.parametrize("someone", [STATE, Someone("clinic-b", "clinic"), Someone("plan-b", "mco")])
def test_for_everybody_else_it_does_not_exist(someone: Someone) -> None:
    assert views.referral(someone.principal, seen()) is None


def test_a_hub_that_was_never_asked_sees_nothing() -> None:
    found = msgspec.structs.replace(seen(), reviewed=False)
    assert views.referral(HUB.principal, found) is None


@pytest.mark.parametrize("someone", [CLINIC, CBO, PLAN, HUB, OPERATOR])
def test_every_viewer_gets_every_field_name(someone: Someone) -> None:
    view = views.referral(someone.principal, seen())
    assert view is not None
    assert set(grants.FIELDS) <= view.keys()


@pytest.mark.parametrize(
    ("status", "who", "what"),
    [
        (HopStatus.REQUESTED, "cbo", "answer"),
        (HopStatus.ACCEPTED, "cbo", "start"),
        (HopStatus.IN_PROGRESS, "cbo", "complete"),
        (HopStatus.ON_HOLD, "cbo", "resume"),
    ],
)
def test_somebody_always_has_the_next_action(status: HopStatus, who: str, what: str) -> None:
    action = views.next_action(seen(status).state)
    assert action is not None
    assert (action["who"], action["what"]) == (who, what)
    assert action["due_at"] is not None, "and knows by when"


def test_review_is_the_hubs_and_the_closed_have_none() -> None:
    review = seen(status=HopStatus.REJECTED, hops=(), reason="no-candidate")
    review = msgspec.structs.replace(
        review,
        state=msgspec.structs.replace(review.state, status=ReferralStatus.NEEDS_REVIEW, review_since=NOW),
    )
    assert views.next_action(review.state) == {
        "who": "hub",
        "what": "review",
        "due_at": datetime(2026, 11, 5, 1, tzinfo=UTC),
    }
    assert views.next_action(seen(HopStatus.COMPLETED).state) is None


def fact(type: str, data: dict[str, Any], actor: str = "other-cbo", note: str = "") -> dict[str, Any]:
    return {
        "version": 3,
        "type": type,
        "occurred_at": NOW,
        "at": NOW,
        "actor_organization": actor,
        "actor_user": "canary-user",
        "on_behalf_of": None,
        "channel": "api",
        "data": msgspec.json.encode(data | {"type": type}),
        "sealed": b"sealed",
        "note": lambda: note,
    }


@pytest.mark.parametrize(
    ("kind", "noted"),
    [("sender", True), ("hub", True), ("holder", True), ("payer", False), ("operator", False)],
)
def test_notes_are_for_those_who_care_for_the_person(kind: str, noted: bool) -> None:
    shown = facts.event(kind, "cbo", "clinic", fact("note-added", {"hop": "h"}, "cbo", "canary-note"))
    assert ("note" in shown["data"]) is noted
    assert "type" not in shown["data"]


def test_a_cbo_never_reads_another_cbos_name() -> None:
    shown = facts.event("holder", "cbo", "clinic", fact("hop-requested", {"hop": "h", "organization": "cbo"}))
    assert shown["actor"] == {
        "organization": "exchange",
        "user": None,
        "on_behalf_of": None,
        "channel": "exchange",
    }


def test_the_submission_is_never_taken_for_a_note() -> None:
    shown = facts.event(
        "sender", "clinic", "clinic", fact("referral-received", {"domain": "x"}, "clinic", "{}")
    )
    assert "note" not in shown["data"]


def test_every_kind_of_viewer_has_a_row_in_both_tables() -> None:
    assert set(grants.GRANTS) == set(facts.FACT_GRANTS)
