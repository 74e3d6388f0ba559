"""How often the viewers of a stream look: soon when they are few, and never more work than a few hundred looks."""

import pytest

from api.stream import LATEST_S, SOONEST_S, pause
from api.streams import MAX_STREAMS


@pytest.mark.parametrize(("streams", "seconds"), [(0, SOONEST_S), (1, SOONEST_S), (20, 0.1), (80, LATEST_S)])
def test_few_viewers_look_soon_and_many_take_turns(streams: int, seconds: float) -> None:
    assert pause(streams) == pytest.approx(seconds)


def test_a_full_house_looks_as_seldom_as_a_viewer_ever_does() -> None:
    assert pause(MAX_STREAMS) == LATEST_S
