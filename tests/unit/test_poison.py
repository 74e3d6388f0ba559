"""Too much poison stops its own partition, after its limit and not before; nothing behind it is dropped."""

from datetime import UTC, datetime

from stream_processors.decode import Arrival, Poison, Raw, poison, read
from stream_processors.poison import Limits, PoisonGuard
from tests.support.referrals import NOW
from tests.unit.test_fold import batch

GOOD = batch().inbox[0].arrival


def record(offset: int, bad: bool, partition: int = 0) -> Arrival | Poison:
    raw = Raw("intake.clinic", partition, offset, b"k", b"x", datetime(2026, 11, 2, tzinfo=UTC))
    return poison(raw, "undecodable", "") if bad else GOOD._replace(raw=raw)


def admitted(guard: PoisonGuard, *bad: bool, first: int = 0, partition: int = 0) -> tuple[int, str]:
    kept, stops = guard.admit([record(first + n, b, partition) for n, b in enumerate(bad)])
    return len(kept), str(stops.get(("intake.clinic", partition), ""))


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
    kept, stops = guard.admit(mixed)
    assert [r.raw.partition for r in kept] == [0, 0, 1, 1, 1, 1]
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
