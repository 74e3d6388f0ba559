"""Which failures of Postgres pass by themselves: those are waited for, never made into dead letters."""

import asyncpg
import pytest

from stream_processors import checkpoints, patience
from stream_processors.exchange import is_transient


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.IdleInTransactionSessionTimeoutError("a frozen worker that goes on"),
        asyncpg.AdminShutdownError(""),
        asyncpg.DeadlockDetectedError(""),
        asyncpg.TooManyConnectionsError(""),
        asyncpg.InterfaceError("closed"),
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
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


def test_who_signs_checkpoints_is_not_taken_for_frozen_between_two() -> None:
    assert checkpoints.EVERY_S < patience.FROZEN_S * 0.8
