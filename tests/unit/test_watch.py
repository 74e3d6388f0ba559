"""A worker that stands still while records wait is told from one that has nothing to do, or waits for Postgres."""

from stream_processors.watch import Stall

A, B = ("intake.a", 0), ("intake.b", 0)


def seconds(
    stall: Stall, offsets: dict[tuple[str, int], int], ends: dict[tuple[str, int], int], **how: bool
) -> list[bool]:
    """What is said every 10 s over 200 s."""
    return [stall.sample(float(now), offsets, ends, how.get("excused", False)) for now in range(0, 200, 10)]


def test_nothing_moves_and_records_wait() -> None:
    said = seconds(Stall(90.0), {A: 5, B: 7}, {A: 5, B: 9})
    assert said.index(True) == 10, "after more than 90 seconds"


def test_a_drained_log_may_stand_still() -> None:
    assert not any(seconds(Stall(90.0), {A: 5, B: 9}, {A: 5, B: 9}))


def test_waiting_for_postgres_is_no_stall() -> None:
    assert not any(seconds(Stall(90.0), {A: 5}, {A: 9}, excused=True))


def test_one_partition_that_moves_is_enough() -> None:
    stall = Stall(90.0)
    assert not any(stall.sample(float(n * 10), {A: 5, B: n}, {A: 9, B: 100}, False) for n in range(20))
