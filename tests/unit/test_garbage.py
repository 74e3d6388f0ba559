"""The collector of a process that lives on batches looks seldom, and still finds cycles."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from infra import garbage


class Knot:
    """An object that holds itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_is_there_stays_and_later_cycles_are_found() -> None:
    garbage.for_batches()
    assert gc.get_freeze_count() > 0 and gc.get_threshold()[0] >= 100_000
    knot = weakref.ref(Knot())
    assert knot() is not None
    gc.collect()
    assert knot() is None
