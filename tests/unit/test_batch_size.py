"""A batch is as large as what is written in half a second, within bounds."""

import pytest

from stream_processors.batch_size import FIRST, HELD_S, LEAST, MOST, BatchSize


def after(*written: tuple[int, float]) -> int:
    """The most records of a batch after these were written in so many seconds."""
    size = BatchSize()
    for records, seconds in written:
        size.wrote(records, seconds)
    return size.most


def test_it_follows_how_fast_full_batches_are_written() -> None:
    assert after((FIRST, 2 * HELD_S)) == FIRST // 2
    assert after((FIRST, HELD_S / 1.5)) == pytest.approx(FIRST * 1.5, abs=1)


def test_it_grows_twofold_at_most_and_never_beyond_its_bound() -> None:
    assert after((FIRST, 0.0)) == 2 * FIRST
    assert after(*((MOST, 0.01) for _ in range(9))) == MOST


def test_a_small_batch_that_was_soon_done_says_nothing() -> None:
    assert after((3, 0.02), (FIRST - 1, HELD_S)) == FIRST


def test_one_that_took_long_makes_the_next_smaller_though_it_was_not_full() -> None:
    assert after((600, 2 * HELD_S)) == 300
    assert after((3, 60.0)) == LEAST


def test_from_the_least_it_finds_its_way_back() -> None:
    assert after((3, 60.0), (LEAST, 0.05), (2 * LEAST, 0.05)) == 4 * LEAST
