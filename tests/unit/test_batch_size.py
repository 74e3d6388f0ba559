"""A batch is as large as what is written in half a second, within bounds."""

import pytest

from stream_processors.batch_size import HELD_S, LEAST, MOST, BatchSize


def after(*written: tuple[int, float]) -> int:
    """The most records of a batch after these were written in so many seconds."""
    size = BatchSize()
    for records, seconds in written:
        size.wrote(records, seconds)
    return size.most


def test_it_follows_how_fast_full_batches_are_written() -> None:
    assert after((LEAST, HELD_S / 1.5)) == pytest.approx(LEAST * 1.5, abs=1)
    assert after((LEAST, HELD_S / 2), (2 * LEAST, HELD_S * 1.25)) == pytest.approx(LEAST * 1.6, abs=1)


def test_it_grows_twofold_at_most_and_never_beyond_its_bound() -> None:
    assert after((LEAST, 0.0)) == 2 * LEAST
    assert after(*((MOST, 0.01) for _ in range(9))) == MOST


def test_a_batch_that_was_not_full_says_nothing() -> None:
    assert after((3, 0.0001), (LEAST - 1, 0.01), (3, 60.0)) == LEAST


def test_a_slow_postgres_is_not_made_to_pay_for_many_small_batches() -> None:
    assert after((LEAST, 60.0)) == LEAST
    assert after((LEAST, 0.01), (2 * LEAST, 60.0)) == LEAST
