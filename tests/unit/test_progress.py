"""Where a partition goes on: its row, or a stop with an instruction; never a silent skip or a new start."""

import pytest

from infra.kafka_identity import Identity
from stream_processors.decode import Poison, Raw, poison
from stream_processors.progress import Stopped, fresh, judge
from stream_processors.runs import Run, runs
from tests.support.referrals import NOW

WHO = Identity("cluster", {"intake.clinic": "topic-1"})
ROW = {"next_offset": 100, "cluster_id": "cluster", "topic_id": "topic-1", "stopped": None, "held": False}


def test_the_row_says_where_to_go_on() -> None:
    assert judge(ROW, "intake.clinic", WHO, 0, 250) == 100
    assert judge(ROW, "intake.clinic", WHO, 100, 100) == 100


@pytest.mark.parametrize(
    ("changes", "first", "last", "word"),
    [
        ({"topic_id": "topic-2"}, 0, 250, "recreated"),
        ({"cluster_id": "another"}, 0, 250, "cluster"),
        ({}, 0, 99, "records were lost"),
        ({}, 101, 250, "retention"),
    ],
)
def test_a_log_that_is_not_the_one_we_knew_stops(
    changes: dict[str, str], first: int, last: int, word: str
) -> None:
    found = judge({**ROW, **changes}, "intake.clinic", WHO, first, last)
    assert isinstance(found, Stopped) and word in found
    assert "refex progress reset intake.clinic --accept-loss" in found


def test_a_partition_that_is_held_waits_for_the_operator() -> None:
    held = ROW | {"stopped": "too much poison", "held": True}
    assert judge(held, "intake.clinic", WHO, 0, 250) == Stopped("too much poison")
    passed = ROW | {"stopped": "retention", "held": False}
    assert judge(passed, "intake.clinic", WHO, 0, 250) == 100, "what was wrong is right again"


PLACE = ("intake.clinic", 0)


def records(*offsets: int) -> list[Run[Poison]]:
    return runs(poison(Raw(*PLACE, offset, None, None, NOW), "undecodable", "") for offset in offsets)


def test_a_hole_ends_the_batch_until_it_is_known_to_be_none() -> None:
    batch = records(5, 6, 8, 9)
    taken, after, gaps = fresh(batch, {PLACE: 5}, frozenset())
    assert ([r.raw.offset for r in taken], after, gaps) == ([5, 6], {PLACE: 7}, {PLACE: 7})
    taken, after, gaps = fresh(batch, {PLACE: 7}, frozenset({PLACE}))
    assert ([r.raw.offset for r in taken], after, gaps) == ([8, 9], {PLACE: 10}, {})


def test_what_was_applied_is_dropped() -> None:
    taken, after, gaps = fresh(records(3, 4, 5), {PLACE: 5}, frozenset())
    assert ([r.raw.offset for r in taken], after, gaps) == ([5], {PLACE: 6}, {})
    assert fresh(records(0), {}, frozenset()) == ([], {}, {}), "a partition without a row is not ours"
