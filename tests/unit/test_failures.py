"""Our own failures stop their partition at the limit, as poison does; what went well in between breaks the row."""

from stream_processors.failures import Failures
from stream_processors.poison import Limits
from tests.unit.test_poison import record

HERE, THERE = ("intake.clinic", 0), ("intake.clinic", 1)


def test_so_many_in_a_row_stop_their_own_partition() -> None:
    failures = Failures(Limits(in_row=3))
    assert [failures.failed(HERE, n) for n in range(2)] == [None, None]
    assert failures.failed(THERE, 0) is None
    why = failures.failed(HERE, 2)
    assert why is not None and "3 records in a row failed us" in why
    assert "refex progress resume intake.clinic --partition 0" in why


def test_what_goes_well_breaks_the_row_of_its_partition_alone() -> None:
    failures = Failures(Limits(in_row=2, share=0))
    for place in (HERE, THERE):
        assert failures.failed(place, 0) is None
    failures.well([record(1, bad=False, partition=1)])
    assert failures.failed(THERE, 2) is None
    assert failures.failed(HERE, 1) is not None


def test_a_share_of_the_last_offsets_stops_too() -> None:
    failures = Failures(Limits(in_row=0, share=0.5, of_last=10))
    assert [failures.failed(HERE, n) for n in range(0, 10, 2)] == [None] * 5, "half is not more than half"
    assert failures.failed(HERE, 30) is None, "long ago does not count"
    assert [failures.failed(HERE, n) for n in range(31, 35)] == [None] * 4
    assert "6 of the last 10" in str(failures.failed(HERE, 35))


def test_after_a_stop_it_counts_anew_and_no_limit_never_stops() -> None:
    failures, free = Failures(Limits(in_row=2)), Failures(Limits(in_row=0, share=0))
    assert failures.failed(HERE, 0) is None and failures.failed(HERE, 1) is not None
    assert failures.failed(HERE, 2) is None
    assert [free.failed(HERE, n) for n in range(3000)] == [None] * 3000
