"""Who may keep a place in the group: one that was away keeps it, the newer of two that fight for it goes."""

import pytest
from aiokafka.errors import KafkaError, UnknownError

from stream_processors.membership import WITHIN_S, YOUNG_S, Membership, SlotTaken


def test_a_member_that_was_away_now_and_then_stays() -> None:
    one = Membership("group-host-0", 0)
    for number in range(20):
        one.assigned(f"id-{number}", number * (WITHIN_S + 1.5))


def test_being_thrown_out_counts_once_not_again_without_an_id() -> None:
    one = Membership("group-host-0", 0)
    for number, id in enumerate(["", "a", "", "", "b", "b", "", "b"]):
        one.assigned(id, float(number))


def test_a_newcomer_that_loses_its_place_twice_goes() -> None:
    one = Membership("group-host-3", 3)
    one.assigned("a", 0.0)
    one.assigned("b", 3.0)
    with pytest.raises(SlotTaken, match=r"group-host-3: .*REFEX_WORKER_SLOT.*3 now"):
        one.assigned("c", 6.0)


def test_one_that_has_worked_for_long_gives_way_later() -> None:
    one = Membership("group-host-0", 0)
    one.assigned("a", 0.0)
    for number, id in enumerate("bcd"):
        one.assigned(id, YOUNG_S + number * 2.0)
    with pytest.raises(SlotTaken):
        one.assigned("e", YOUNG_S + 6.0)


def test_what_the_client_does_not_know_means_the_slot_is_taken() -> None:
    one = Membership("group-host-0", 0)
    assert isinstance(one.explained(UnknownError()), SlotTaken)
    assert isinstance(one.explained(KafkaError("Unexpected exception: UnknownError()")), SlotTaken)
    other = KafkaError("no route")
    assert one.explained(other) is other
