"""A session that stands still inside a transaction loses its locks, and its worker reads the batch again."""

import asyncpg
import pytest

from infra.postgres import PAUSED_S, session_settings
from stream_processors.exchange import is_transient


def test_a_worker_that_stands_still_keeps_its_locks_for_seconds_only() -> None:
    assert session_settings("worker")["idle_in_transaction_session_timeout"] == f"{PAUSED_S}s"
    assert 10 < PAUSED_S <= 20, (
        "longer than its Kafka session, or it is ended while it still owns its partitions"
    )


@pytest.mark.parametrize("part", ["rebuild", "ledger"])
def test_who_computes_long_inside_a_transaction_may(part: str) -> None:
    assert "idle_in_transaction_session_timeout" not in session_settings(part)


def test_what_a_worker_is_told_when_it_wakes_is_no_failure_of_its_records() -> None:
    assert is_transient(asyncpg.exceptions.IdleInTransactionSessionTimeoutError("terminating connection"))
    assert not is_transient(asyncpg.exceptions.InFailedSQLTransactionError("a bug of ours"))


@pytest.mark.parametrize("part", ["worker", "relay", "api"])
def test_who_is_cut_off_without_a_word_is_found_out_soon(part: str) -> None:
    said = {name: int(value) for name, value in session_settings(part).items() if name.startswith("tcp_")}
    idle, interval, count = (said[f"tcp_keepalives_{name}"] for name in ("idle", "interval", "count"))
    assert idle + interval * count <= 30
