"""Who may keep a place in the group: one that was away keeps it, the newer of two that fight for it goes."""

import pytest
from aiokafka.errors import KafkaError, UnknownError

from stream_processors.membership import FIRST_LOSES, NEW_S, SECOND_LOSES, Membership, SlotTaken


def test_a_member_that_was_away_now_and_then_stays() -> None:
    for second_loses in SECOND_LOSES:
        one = Membership("group-host-0", 0, second_loses)
        for number in range(20):
            one.assigned(f"id-{number}", number * 10.5)


def test_being_thrown_out_counts_once_not_again_without_an_id() -> None:
    one = Membership("group-host-0", 0)
    for number, id in enumerate(["", "a", "", "", "b", "b", "", "b", ""]):
        one.assigned(id, float(number))


def test_a_newcomer_that_loses_its_place_twice_goes() -> None:
    one = Membership("group-host-3", 3, 2)
    one.assigned("a", 0.0)
    one.assigned("b", 3.0)
    with pytest.raises(SlotTaken, match=r"group-host-3: .*REFEX_WORKER_SLOT.*3 now"):
        one.assigned("c", 6.0)


def test_one_that_has_worked_for_long_outlasts_a_newcomer_but_not_an_equal() -> None:
    newcomer, one = Membership("group-host-0", 0, max(SECOND_LOSES)), Membership("group-host-0", 0)
    one.assigned("a", 0.0)
    newcomer.assigned("b", 10.0)
    with pytest.raises(SlotTaken):
        for turn in range(9):
            one.assigned(f"one-{turn}", 11.5 + turn * 3.0)
            newcomer.assigned(f"newcomer-{turn}", 13.0 + turn * 3.0)
    one.assigned("the last time", 11.5 + max(SECOND_LOSES) * 3.0)
    equal = Membership("group-host-0", 0)
    equal.assigned("a", 0.0)
    for turn in range(FIRST_LOSES - 1):
        equal.assigned(f"equal-{turn}", NEW_S + turn * 3.0)
    with pytest.raises(SlotTaken):
        equal.assigned("once more", NEW_S + (FIRST_LOSES - 1) * 3.0)


def test_what_the_client_does_not_know_means_the_slot_is_taken() -> None:
    one = Membership("group-host-0", 0)
    assert isinstance(one.explained(UnknownError()), SlotTaken)
    assert isinstance(one.explained(KafkaError("Unexpected exception: UnknownError()")), SlotTaken)
    other = KafkaError("no route")
    assert one.explained(other) is other
