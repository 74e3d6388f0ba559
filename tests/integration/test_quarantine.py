"""Records that kill their reader are found among good ones in real processes; what else may happen is no proof."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from infra.postgres import pool
from stream_processors.careful import Careful
from stream_processors.decode import Raw
from stream_processors.exchange import Exchange
from stream_processors.runs import consumed
from stream_processors.trial import deadly
from tests.support.api import Api
from tests.support.vault import vault

READER = "tests.support.deadly:read"
TOPIC = "intake.clinic-a"


def records(*values: bytes) -> list[Raw]:
    at = datetime(2026, 11, 2, tzinfo=UTC)
    return [Raw(TOPIC, 0, n, b"k", value, at) for n, value in enumerate(values)]


@pytest.mark.parametrize("death", [b"segv", b"abort", b"bomb"])
async def test_the_one_record_that_kills_is_found(death: bytes) -> None:
    made = records(*[b"good"] * 2, death, b"good")
    assert await deadly(made, READER) == [made[2]]


async def test_a_kill_from_outside_and_a_bug_prove_nothing(tmp_path: Path) -> None:
    made = records(b"good", b"killed " + str(tmp_path / "once").encode(), b"bug")
    assert await deadly(made, READER) == []
    assert (tmp_path / "once").exists(), "it was killed, and tried again"


async def test_what_a_worker_died_reading_is_tried_before_it_is_read_again(tmp_path: Path) -> None:
    mark = tmp_path / "0.reading"
    made = records(b"good", b"segv", b"good")
    unread: set[tuple[str, int, int]] = set()
    async with Careful(mark, unread, READER).reading(consumed((TOPIC, 0), made)):
        died = mark.read_bytes()  # what is left on disk when the process ends here
    async with Careful(mark, unread, READER).reading(consumed((TOPIC, 0), made)):
        assert unread == set(), "whoever ended a batch well is trusted"
    mark.write_bytes(died)
    later = [raw._replace(offset=raw.offset + 3) for raw in made]
    async with Careful(mark, unread, READER).reading(consumed((TOPIC, 0), [*made, *later])):
        assert unread == {(TOPIC, 0, 1)}, "the same bytes behind the mark were not tried"


def test_a_mark_that_is_none_is_no_mark(tmp_path: Path) -> None:
    mark = tmp_path / "0.reading"
    mark.write_bytes(b"\x00nonsense")
    assert not Careful(mark, set(), READER)._suspected(records(b"x")[0])


@pytest.fixture
async def connections(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[asyncpg.Pool]:
    async with Api(tmp_path_factory.mktemp("quarantine")) as api, await pool(api.url, "worker") as made:
        yield made


@pytest.mark.real
async def test_a_quarantined_record_is_a_dead_letter_with_its_reason(connections: asyncpg.Pool) -> None:
    await connections.execute("insert into progress values ($1, 0, 0, 'c', 't')", TOPIC)
    exchange = Exchange(connections, vault())
    exchange.unread.add((TOPIC, 0, 1))
    applied = await exchange.apply(records(b"x", b"y"))
    assert applied.next_offsets == {(TOPIC, 0): 2}
    letters = await connections.fetch('select reason, value from dead_letter order by "offset"')
    assert [(r["reason"], r["value"]) for r in letters] == [("undecodable", b"x"), ("quarantined", b"y")]
