"""Every word of ours has a place in every map, every word of theirs comes to one of ours, and the losses are known."""

import pytest

from api import fhir
from referrals.vocabulary import VocabularyMap, maps, ours
from referrals.words import HopStatus, ReferralStatus

MAPS = list(maps().values())
NAMES = [one.id for one in MAPS]


def test_the_maps_are_those_that_were_asked_for() -> None:
    assert NAMES == ["bser", "calaim", "fhir", "findhelp", "unite-us"]
    assert {one.id for one in MAPS if not one.verified} == {"calaim", "unite-us"}
    assert {own.partition("/")[0] for own in ours()} == {*ReferralStatus, *HopStatus}


@pytest.mark.parametrize("one", MAPS, ids=NAMES)
def test_every_word_of_ours_can_be_said(one: VocabularyMap) -> None:
    for own in ours():
        status, _, code = own.partition("/")
        said = one.theirs(status, code or None)
        assert said[one.fields[0]] and set(said) <= {*one.fields, *one.carries.values()}
        assert one.ours(said) is not None
    known = {own.partition("/")[0] for own in ours()} | ours().keys()
    assert one.to_theirs.keys() <= known, "a row for a word we do not have"


@pytest.mark.parametrize("one", MAPS, ids=NAMES)
def test_every_word_of_theirs_comes_to_one_of_ours(one: VocabularyMap) -> None:
    assert set(one.to_ours.values()) <= ours().keys()
    assert one.ours(dict.fromkeys(one.fields, "never heard of")) is None


@pytest.mark.parametrize("one", MAPS, ids=NAMES)
def test_what_is_lost_on_the_way_there_and_back_is_what_the_map_says(one: VocabularyMap) -> None:
    declared = {back: list(gone) for back, gone in one.loses.items()}
    assert one.lost() == declared, f"write what it loses now into maps/{one.id}.json and read it"


def test_the_status_of_what_is_lost_is_kept_where_the_record_carries_our_own_words() -> None:
    one = maps()["fhir"]
    for own in ours():
        status, _, code = own.partition("/")
        assert one.ours(one.theirs(status, code or None)) == (status, code or None)


FINDHELP = {
    *("not updated", "needs client action", "pending", "referred elsewhere", "eligible", "got help"),
    *("couldn't contact", "not eligible", "no capacity", "couldn't get help", "no longer interested"),
}
CALAIM = {
    *(
        "Services Received",
        "Service Provider Declined",
        "Unable to Reach Member",
        "Member No Longer Eligible",
    ),
    *("Member No Longer Needs or Declines Services", "Other", ""),
}
BSER = {"2.0", "3.0", "4.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.2", "6.0", "7.0"}


def test_the_lists_are_theirs_in_full() -> None:
    assert set(maps()["findhelp"].to_ours) == FINDHELP
    assert set(maps()["bser"].to_ours) == BSER
    assert {row[1] for row in maps()["calaim"].to_theirs.values()} == CALAIM
    assert {row[0] for row in maps()["findhelp"].to_theirs.values()} <= FINDHELP


@pytest.mark.parametrize(
    ("id", "status", "code", "values"),
    [
        (
            "calaim",
            "completed",
            "service-provided",
            {"Reason for Referral Loop Closure": "Services Received"},
        ),
        ("calaim", "rejected", "no-capacity", {"Referral Status": "Declined"}),
        (
            "calaim",
            "failed",
            "client-unreachable",
            {"Reason for Referral Loop Closure": "Unable to Reach Member"},
        ),
        ("findhelp", "failed", "client-unreachable", {"status": "couldn't contact"}),
        ("unite-us", "completed", "enrolled", {"status": "closed", "resolution": "resolved"}),
        ("fhir", "needs-review", None, {"Task.status": "received", "Task.businessStatus": "needs-review"}),
        ("fhir", "refused", "duplicate", {"Task.status": "rejected", "Task.statusReason": "duplicate"}),
    ],
)
def test_a_few_by_hand(id: str, status: str, code: str | None, values: dict[str, str]) -> None:
    assert values.items() <= maps()[id].theirs(status, code).items()


def test_the_fhir_door_speaks_by_the_map() -> None:
    assert not hasattr(fhir, "TASK_STATUS")
    assert fhir.task_status("needs-review") == "received" and fhir.task_status("expired") == "cancelled"
