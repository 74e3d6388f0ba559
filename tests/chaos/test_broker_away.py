"""A broker that is away for long: what a relay had sent arrives once, and nothing scans while it is on its way."""

import asyncio
import os
import signal

import pytest

from avro_schemas import topics
from stream_processors import patience, relay
from stream_processors.patience import held
from tests.support.rig import Rig

pytestmark = [
    pytest.mark.real,
    # aiokafka leaves connections half open when the broker is away in the middle of a handshake
    pytest.mark.filterwarnings(
        "ignore:.*(AIOKafkaConnection|StreamWriter.__del__):pytest.PytestUnraisableExceptionWarning"
    ),
]
AWAY_S = 9.0
NOBODYS = 99
"""A lane group that no relay has."""
HELD = "select count(*) from pg_locks where locktype = 'advisory' and objid = $1 and pid = pg_backend_pid()"
LONG_S = 60.0  # beyond the client's own request timeout of 40 s: sends fail while others are on their way


class Lost(Exception):
    """What may end a relay's session while facts are on their way."""


async def test_core_a_relay_that_begins_anew_has_nothing_on_its_way(
    core: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a fact arrives after the next session has looked what is there already, and is published twice.

    Nor does another begin meanwhile: who waits for the broker is not taken for frozen and keeps its lock.
    """
    monkeypatch.setattr(patience, "HOLDS_NO_LONGER", f"set idle_session_timeout = '{AWAY_S / 3:.0f}s'")
    monkeypatch.setattr(patience, "SPEAKS_S", AWAY_S / 9)
    topic, broker = topics.feedback("riverside-clinic"), core.exchange.pids["kafka"]
    login, url = core.exchange.kafka_login(), core.exchange.content["database_url"]
    async with held(url, "relay", relay.SQL["try_lock"], NOBODYS) as connection:
        assert connection is not None
        with pytest.raises(Lost):
            async with relay._producer(login, connection) as producer:
                await producer.send_and_wait(topic, b"first", partition=0)
                os.kill(broker, signal.SIGSTOP)
                asyncio.get_running_loop().call_later(AWAY_S, os.kill, broker, signal.SIGCONT)
                sent = await producer.send(topic, b"second", partition=0)
                raise Lost
        assert sent.done(), "it would arrive behind the next tail scan"
        assert sent.result().offset > 0
        assert await connection.fetchval(HELD, NOBODYS) == 1, "another would have looked before it arrived"


@pytest.mark.long
async def test_whole_a_broker_away_for_a_minute_loses_and_doubles_nothing(whole: Rig) -> None:
    async with whole.traffic(150):
        await asyncio.sleep(5)
        for _ in range(2):
            broker = whole.exchange.pids["kafka"]
            os.kill(broker, signal.SIGSTOP)
            try:
                await asyncio.sleep(LONG_S)
            finally:
                os.kill(broker, signal.SIGCONT)
            whole.tell("broker was away", seconds=LONG_S)
            await asyncio.sleep(15)
    await whole.verdict("broker-away")
