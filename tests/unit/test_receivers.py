"""How often receivers are called at once, and when one that failed is tried again."""

from stream_processors.receivers import ALTOGETHER, EACH, LONGEST_REST_S, Receivers


def test_a_receiver_gets_so_many_calls_at_once_and_no_more() -> None:
    receivers = Receivers()
    for left in reversed(range(EACH)):
        receivers.began("a")
        assert receivers.rooms(0.0) == {"a": left}
    assert receivers.free == ALTOGETHER - EACH


def test_one_that_failed_rests_then_is_tried_with_one_call() -> None:
    receivers = Receivers()
    receivers.began("a")
    receivers.ended("a", False, 100.0, 1.0)
    assert receivers.rooms(101.9) == {"a": 0}
    assert receivers.rooms(102.0) == {"a": 1}
    receivers.began("a")
    assert receivers.rooms(102.0) == {"a": 0}
    receivers.ended("a", True, 103.0, 0.0)
    assert receivers.rooms(103.0) == {}, "one that answers is forgotten"


def test_the_rest_grows_to_a_minute_and_is_jittered() -> None:
    receivers = Receivers()
    for now in range(30):
        receivers.began("a")
        receivers.ended("a", False, float(now), 0.5)
    assert receivers.rooms(29 + 0.74 * LONGEST_REST_S) == {"a": 0}
    assert receivers.rooms(29 + 0.76 * LONGEST_REST_S) == {"a": 1}
