"""A likely duplicate is flagged, held or refused as the contract says; never dropped, never told to strangers."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from producers import envelope
from producers.envelope import Record, Said
from referrals import check, contracts, duplicates, ids
from referrals import events as e
from referrals.commands import Submit
from referrals.contracts import Contract, Duplicates
from referrals.coverage import FLAGS
from referrals.matching import match_keys
from referrals.words import ReferralStatus as Status
from stream_processors.decode import Arrival, Poison, Raw, read
from stream_processors.outbox import outputs
from stream_processors.work import Loaded, Work
from tests.support.referrals import NOW, body, service, world
from tests.support.vault import ring

SECRET = b"synthetic"
PERSON = body()["person"]


def submission(who: str, number: str, person: dict[str, Any] | None = None, **changes: Any) -> Record:
    said = Said(ids.event_id(who, number), who, NOW)
    content = body(number, person=PERSON | {"person_id": f"{who}-1"} | (person or {}), **changes)
    return envelope.submitted(said, check.submission(content, NOW))


def cancel(who: str, number: str) -> Record:
    said = Said(ids.event_id(who, "cancel", number), who, NOW)
    return envelope.cancelled(said, number, "client-withdrew")


def done(*made: Record, days: int = 0, linked: dict[UUID, frozenset[UUID]] | None = None) -> Work:
    """One batch in which each record comes `days` after the one before."""
    found = [
        read(Raw(r.topic, 0, n, r.key, r.value, NOW + timedelta(days=n * days))) for n, r in enumerate(made)
    ]
    keys = {
        (a.envelope.organization, a.envelope.event_id): match_keys(a.command.submission.person, SECRET)
        for a in found
        if isinstance(a, Arrival) and isinstance(a.command, Submit)
    }
    people = duplicates.People(keys=keys, linked=linked or {})
    work = Work(
        Loaded({}, {}, {}, dict.fromkeys((r.lane for r in found), 0), ring(), people=people),
        world(service("pantry")),
    )
    work.apply(list[Arrival | Poison](found))
    return work


def doubts(work: Work) -> list[dict[str, Any]]:
    return [msgspec.json.decode(h.data) for h in work.history if h.type == "duplicate-suspected"]


def doubted(referral: Any) -> tuple[str, ...]:
    """Its flags, but for those of its coverage."""
    return tuple(flag for flag in referral.flags if flag not in FLAGS)


def state(work: Work, who: str, number: str) -> Any:
    return work.referrals[ids.referral_id(who, number)]


def test_the_same_person_and_need_from_another_sender_is_flagged_and_routed() -> None:
    work = done(submission("clinic", "R-1"), submission("other-clinic", "R-2", {"family_name": "Synthetik"}))
    second = state(work, "other-clinic", "R-2")
    assert doubted(second) == ("likely-duplicate",) and second.status is Status.REQUESTED
    assert doubted(state(work, "clinic", "R-1")) == ()
    [doubt] = doubts(work)
    assert doubt["earlier"] == str(ids.referral_id("clinic", "R-1")) and doubt["action"] == "flag"
    assert doubt["same"] == ["given_name", "birth_date", "phone", "address"] and doubt["alike"] == [
        "family_name"
    ]
    assert doubt["score"] == 98


def test_a_senders_own_person_is_known_by_its_id_whatever_else_is_written() -> None:
    other = {"given_name": "Quite", "family_name": "Different", "birth_date": "1990-01-01"}
    work = done(submission("clinic", "R-1"), submission("clinic", "R-2", other))
    assert doubts(work)[0]["same"] == ["person_id"]


def test_a_person_the_hub_has_linked_is_the_same_person() -> None:
    other = {"given_name": "Quite", "family_name": "Different", "birth_date": "1990-01-01"}
    one, two = ids.person_key("clinic", "clinic-1"), ids.person_key("other-clinic", "other-clinic-1")
    records = (submission("clinic", "R-1"), submission("other-clinic", "R-2", other))
    assert not doubts(done(*records))
    linked = {one: frozenset({two}), two: frozenset({one})}
    assert doubts(done(*records, linked=linked))[0]["same"] == ["confirmed_link"]


NONE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another need": ({}, {"need": {"domain": "housing-instability"}}),
    "another service of the need": (
        {"need": {"domain": "food-insecurity", "service": {"system": "s", "code": "meals"}}},
        {"need": {"domain": "food-insecurity", "service": {"system": "s", "code": "pantry"}}},
    ),
    "a twin": ({}, {"person": {"given_name": "Other"}}),
    "sensitive, and of another sender": ({"sensitivity": ["part2"]}, {}),
    "named as what it is based on": ({}, {"based_on_referral": str(ids.referral_id("clinic", "R-1"))}),
}


@pytest.mark.parametrize(("first", "second"), NONE.values(), ids=NONE)
def test_is_no_duplicate(first: dict[str, Any], second: dict[str, Any]) -> None:
    work = done(submission("clinic", "R-1", **first), submission("other-clinic", "R-2", **second))
    assert not doubts(work) and doubted(state(work, "other-clinic", "R-2")) == ()


def test_within_the_window_alone() -> None:
    records = (submission("clinic", "R-1"), submission("other-clinic", "R-2"))
    assert doubts(done(*records, days=30))[0]["days_apart"] == 30
    assert not doubts(done(*records, days=31))


def test_what_ended_without_help_may_be_asked_again() -> None:
    assert not doubts(
        done(submission("clinic", "R-1"), cancel("clinic", "R-1"), submission("other-clinic", "R-2"))
    )
    refused = submission("clinic", "R-1", consent={"status": "refused"})
    assert not doubts(done(refused, submission("other-clinic", "R-2")))


def test_two_needs_of_one_case_are_no_duplicates() -> None:
    one, two = (submission("clinic", n, case_id="C-1") for n in ("R-1", "R-2"))
    assert not doubts(done(one, two))


def test_sent_again_it_has_no_effect_and_amended_it_keeps_the_flag() -> None:
    again = Said(ids.event_id("other-clinic", "again"), "other-clinic", NOW)
    changed = body("R-2", person=PERSON | {"person_id": "other-clinic-1"}, priority="urgent")
    amended = envelope.submitted(again, check.submission(changed, NOW))
    work = done(submission("clinic", "R-1"), submission("other-clinic", "R-2"), amended)
    second = state(work, "other-clinic", "R-2")
    assert second.priority == "urgent" and doubted(second) == ("likely-duplicate",) and len(doubts(work)) == 1


@pytest.fixture
def hold(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    default = contracts.contracts()[contracts.DEFAULT]
    made = msgspec.structs.replace(default, duplicates=Duplicates(action=request.param))
    held: dict[str, Contract] = contracts.contracts() | {default.id: made}
    for module in (contracts, duplicates):
        monkeypatch.setattr(module, "contracts", lambda: held)
    yield


@pytest.mark.parametrize(
    ("hold", "status", "reason"),
    [("hold", Status.NEEDS_REVIEW, "likely-duplicate"), ("refuse", Status.REFUSED, "duplicate")],
    indirect=["hold"],
)
def test_a_contract_may_hold_or_refuse(hold: None, status: Status, reason: str) -> None:
    work = done(submission("clinic", "R-1"), submission("other-clinic", "R-2"))
    second = state(work, "other-clinic", "R-2")
    assert (second.status, second.reason, doubted(second)) == (status, reason, ("likely-duplicate",))
    assert not second.hops and state(work, "clinic", "R-1").status is Status.REQUESTED


def test_match_keys_are_made_once_and_travel_in_the_fact_alone() -> None:
    work = done(submission("clinic", "R-1"))
    first = next(h for h in work.history if h.type == "referral-received")
    keys = msgspec.json.decode(first.data, type=e.ReferralReceived).match_keys
    person = check.submission(body(), NOW).person
    assert keys == match_keys(person, SECRET) and set(work.matched) == {
        (key, ids.person_key("clinic", "clinic-1")) for key in keys
    }
    assert b"match_keys" not in msgspec.json.encode(work.referrals[first.stream_id])


def test_a_sender_hears_of_its_own_earlier_referral_and_never_of_anothers() -> None:
    data = {"earlier": "R", "earlier_sender": "clinic", "score": 98, "match_keys": ["k"]}
    assert duplicates.told(data, "clinic") == {"earlier": "R", "earlier_sender": "clinic", "score": 98}
    assert duplicates.told(data, "other-clinic") == {"score": 98}
    assert duplicates.told(data, "hub", {"R"})["earlier"] == "R"


def test_the_feedback_topic_carries_neither_keys_nor_anothers_referral() -> None:
    work = done(submission("clinic", "R-1"), submission("other-clinic", "R-2"))
    for h in work.history:
        row = h._asdict() | {
            "event_id": h.envelope.event_id,
            "occurred_at": NOW,
            "at": NOW,
            "actor_organization": h.envelope.organization,
            "actor_user": None,
            "on_behalf_of": None,
            "channel": "kafka",
        }
        feedback = [
            o for o in outputs(row, frozenset({"clinic", "other-clinic"}), None) if "feedback" in o.topic
        ]
        foreign = (
            str(ids.referral_id("clinic", "R-1")).encode() if row["tenant"] == "other-clinic" else b"-none-"
        )
        assert feedback and all(b"match_keys" not in o.value and foreign not in o.value for o in feedback)
