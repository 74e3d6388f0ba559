"""Which failures of Postgres pass by themselves: those are waited for, never made into dead letters."""

import asyncpg
import pytest

from stream_processors.exchange import is_transient


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.IdleInTransactionSessionTimeoutError("a frozen worker that goes on"),
        asyncpg.AdminShutdownError(""),
        asyncpg.DeadlockDetectedError(""),
        asyncpg.TooManyConnectionsError(""),
        asyncpg.InterfaceError("closed"),
        ConnectionResetError(),
        TimeoutError(),
    ],
)
def test_what_passes_by_itself_is_waited_for(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error", [asyncpg.CheckViolationError(""), asyncpg.InFailedSQLTransactionError(""), ValueError("ours")]
)
def test_what_does_not_pass_is_found_alone(error: Exception) -> None:
    assert not is_transient(error)
