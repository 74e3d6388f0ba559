"""Too much poison stops its own partition, after its limit and not before; nothing behind it is dropped."""

import random
from datetime import UTC, datetime

import pytest

from stream_processors.decode import Arrival, Poison, Raw, poison, read
from stream_processors.poison import Limits, PoisonGuard
from stream_processors.runs import flat, runs
from tests.support.referrals import NOW
from tests.unit.test_fold import batch

GOOD = batch().inbox[0].arrival


def record(offset: int, bad: bool, partition: int = 0) -> Arrival | Poison:
    raw = Raw("intake.clinic", partition, offset, b"k", b"x", datetime(2026, 11, 2, tzinfo=UTC))
    return poison(raw, "undecodable", "") if bad else GOOD._replace(raw=raw)


def admitted(guard: PoisonGuard, *bad: bool, first: int = 0, partition: int = 0) -> tuple[int, str]:
    kept, stops = guard.admit(runs(record(first + n, b, partition) for n, b in enumerate(bad)))
    return len(list(flat(kept))), str(stops.get(("intake.clinic", partition), ""))


def test_so_many_in_a_row_stop_and_the_last_is_still_a_dead_letter() -> None:
    guard = PoisonGuard(Limits(in_row=5))
    assert admitted(guard, *[True] * 4, False, *[True] * 4) == (9, "")
    kept, why = admitted(guard, *[True] * 4, False, first=9)
    assert kept == 1, "the fifth in a row, over two batches"
    assert "5 records in a row" in why and "refex progress resume intake.clinic --partition 0" in why


def test_a_share_of_the_last_records_stops_too() -> None:
    guard = PoisonGuard(Limits(in_row=0, share=0.5, of_last=10))
    assert admitted(guard, *[True, False] * 5) == (10, ""), "half is not more than half"
    kept, why = admitted(guard, True, True, False, first=10)
    assert kept == 2, "the first of these pushes a bad one out of the window, the second a good one"
    assert "6 of the last 10 records" in why


def test_other_partitions_go_on() -> None:
    guard = PoisonGuard(Limits(in_row=2))
    mixed = [record(n, bad=True) for n in range(4)] + [record(n, bad=False, partition=1) for n in range(4)]
    kept, stops = guard.admit(runs(mixed))
    assert [r.raw.partition for r in flat(kept)] == [0, 0, 1, 1, 1, 1]
    assert set(stops) == {("intake.clinic", 0)}


def test_a_record_read_again_counts_once() -> None:
    guard = PoisonGuard(Limits(in_row=3))
    for _ in range(5):
        assert admitted(guard, True, True) == (2, "")
    assert admitted(guard, True, first=2)[1]


def test_after_the_operator_let_it_go_on_it_counts_anew() -> None:
    guard = PoisonGuard(Limits(in_row=3))
    assert admitted(guard, True, True, True)[1]
    guard.forget(("intake.clinic", 0))
    assert admitted(guard, True, True, first=3) == (2, "")


def test_no_limit_never_stops() -> None:
    guard = PoisonGuard(Limits(in_row=0, share=0))
    assert admitted(guard, *[True] * 3000) == (3000, "")


def test_the_good_record_is_good() -> None:
    assert isinstance(read(GOOD.raw), Arrival) and GOOD.envelope.occurred_at == NOW


def one_by_one(limits: Limits, batches: list[list[bool]]) -> list[int]:
    """How many of each batch pass, when every record is looked at: those behind the stop come again."""
    window, in_row, found = list[bool](), 0, list[int]()
    for said in batches:
        passed = 0
        for bad in said:
            passed, in_row = passed + 1, in_row + 1 if bad else 0
            window = [*window, bad][-limits.of_last :]
            share = len(window) == limits.of_last and sum(window) > limits.share * limits.of_last
            if bad and (in_row >= limits.in_row or share):
                break
        found.append(passed)
    return found


@pytest.mark.parametrize("seed", range(100))
def test_counting_the_poison_only_gives_what_counting_every_record_gives(seed: int) -> None:
    rng = random.Random(seed)
    limits = Limits(in_row=rng.randint(2, 6), share=0.4, of_last=rng.randint(5, 12))
    batches = [[rng.random() < 0.3 for _ in range(rng.randint(1, 15))] for _ in range(8)]
    guard, first, found = PoisonGuard(limits), 0, []
    for said in batches:
        again = rng.randint(0, min(first, 3))
        kept, _ = admitted(guard, *[True] * again, *said, first=first - again)
        found.append(kept - again)
        first += kept - again
    assert found == one_by_one(limits, batches)
