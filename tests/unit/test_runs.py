"""Runs: what may be checked by looking at its ends must be just what would pass record by record."""

import random
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from aiokafka import ConsumerRecord

from stream_processors.decode import Raw
from stream_processors.progress import fresh
from stream_processors.runs import Place, Run, appended_at, consumed, flat, runs

A, B = ("intake.a", 0), ("intake.a", 1)
AT = datetime(2026, 11, 2, 12, 0, 0, 123_000, tzinfo=UTC)


class Seen(NamedTuple):
    raw: Raw


def seen(place: Place, *offsets: int) -> list[Seen]:
    return [Seen(Raw(*place, offset, None, b"x", AT)) for offset in offsets]


def offsets(records: Sequence[Seen]) -> list[int]:
    return [r.raw.offset for r in records]


def one_by_one(
    records: Sequence[Seen], before: Mapping[Place, int], holes: Collection[Place]
) -> tuple[list[Seen], dict[Place, int], dict[Place, int]]:
    """What `fresh` must give: every record looked at alone."""
    after, gaps, found = dict(before), dict[Place, int](), list[Seen]()
    for record in records:
        place = (record.raw.topic, record.raw.partition)
        if place not in after or place in gaps or record.raw.offset < after[place]:
            continue
        if record.raw.offset > after[place] and place not in holes:
            gaps[place] = after[place]
            continue
        after[place] = record.raw.offset + 1
        found.append(record)
    return found, after, gaps


def test_a_whole_run_is_taken_as_one_and_is_a_range() -> None:
    made = runs(seen(A, 5, 6, 7))
    assert [run.offsets for run in made] == [range(5, 8)]
    assert fresh(made, {A: 5}, ()) == (seen(A, 5, 6, 7), {A: 8}, {})


def test_a_hole_inside_a_run_ends_it_there() -> None:
    taken, after, gaps = fresh(runs(seen(A, 5, 6, 8, 9)), {A: 5}, ())
    assert (offsets(taken), after, gaps) == ([5, 6], {A: 7}, {A: 7})
    taken, after, gaps = fresh(runs(seen(A, 5, 6, 8, 9)), {A: 5}, {A})
    assert (offsets(taken), after, gaps) == ([5, 6, 8, 9], {A: 10}, {}), "a hole shown twice is stepped over"


def test_a_hole_before_a_run_and_what_follows_it_are_left() -> None:
    taken, after, gaps = fresh(runs([*seen(A, 6, 7), *seen(B, 0), *seen(A, 8)]), {A: 5, B: 0}, ())
    assert (taken, after, gaps) == (seen(B, 0), {A: 5, B: 1}, {A: 5})


def test_a_duplicate_that_hides_a_hole_is_found_although_first_last_and_length_agree() -> None:
    doubled = [ConsumerRecord("intake.a", 0, n, 0, 0, None, b"", None, -1, 0, ()) for n in (5, 5, 7)]
    made = consumed(A, doubled)
    assert [list(run.offsets) for run in made] == [[5], [5, 7]]
    taken, after, gaps = fresh(made, {A: 5}, ())
    assert ([r.offset for r in taken], after, gaps) == ([5], {A: 6}, {A: 6})


def test_what_was_applied_before_is_dropped_from_the_front() -> None:
    made = runs(seen(A, 5, 6, 7, 8))
    assert fresh(made, {A: 7}, ()) == (seen(A, 7, 8), {A: 9}, {})
    assert fresh(made, {A: 9}, ()) == ([], {A: 9}, {})
    assert fresh(made, {}, ()) == ([], {}, {}), "a partition whose row is not ours to move"


def test_interleaved_partitions_keep_their_order() -> None:
    mixed = [*seen(A, 0, 1), *seen(B, 0), *seen(A, 2), *seen(B, 1, 2)]
    made = runs(mixed)
    assert [run.place for run in made] == [A, B, A, B] and list(flat(made)) == mixed
    assert fresh(made, {A: 0, B: 0}, ()) == (mixed, {A: 3, B: 3}, {})


@pytest.mark.parametrize("seed", range(200))
def test_runs_give_what_looking_at_every_record_gives(seed: int) -> None:
    rng = random.Random(seed)
    records: list[Seen] = []
    for _ in range(rng.randint(0, 8)):
        at, place = rng.randint(0, 6), rng.choice((A, B))
        for _ in range(rng.randint(1, 5)):
            records += seen(place, at)
            at += rng.choice((1, 1, 1, 1, 2, 0, -1))
    before = {place: rng.randint(0, 4) for place in (A, B) if rng.random() < 0.9}
    holes = {place for place in (A, B) if rng.random() < 0.2}
    assert fresh(runs(records), before, holes) == one_by_one(records, before, holes)


def test_nothing_is_no_run_and_a_jump_far_ahead_costs_nothing() -> None:
    assert consumed(A, []) == [] and runs([]) == []
    assert [run.offsets for run in runs(seen(A, 0, 2**60))] == [[0, 2**60]]


def test_the_part_of_a_run_keeps_offsets_and_records_together() -> None:
    run = Run(A, range(5, 9), seen(A, 5, 6, 7, 8))
    assert run.since(7) == run.part(2) == Run(A, range(7, 9), seen(A, 7, 8))
    assert run.since(5) is run and not run.since(9).records


def test_the_clients_own_record_and_a_copy_say_the_same_time() -> None:
    millis = int(AT.timestamp() * 1000)
    own = ConsumerRecord("intake.a", 0, 5, millis, 1, None, b"x", None, -1, 1, ())
    assert appended_at(own) == appended_at(Raw(*A, 5, None, b"x", AT)) == AT
