"""A batch's statements: one after the other, none left behind, and each about as many rows as it must be."""

import asyncio
from typing import Any, cast

import pytest

from infra.postgres import Connection
from stream_processors.writes import Overtaken, Writes


class Server:
    """Answers a statement after a while, as a server does; two at a time are too many for one session."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def execute(self, query: str, *columns: Any) -> str:
        assert not self.told or self.told[-1].endswith("ended"), "another operation is in progress"
        self.told.append(f"{query} begun")
        await asyncio.sleep(0.001)
        self.told.append(f"{query} ended")
        if query == "fail":
            raise ValueError("the server refuses")
        return f"UPDATE {len(columns[0])}"


def writes(server: Server) -> Writes:
    return Writes(cast(Connection, server))


async def test_a_statement_runs_while_the_rows_of_the_next_are_made_and_all_are_done_at_the_end() -> None:
    server = Server()
    async with writes(server) as out:
        await out.send("one", [[1]])
        assert server.told == ["one begun"]
        await out.send("two", [[1, 2]])
    assert server.told == ["one begun", "one ended", "two begun", "two ended"]


async def test_a_statement_about_fewer_rows_than_it_must_be_was_overtaken() -> None:
    server = Server()
    with pytest.raises(Overtaken):
        async with writes(server) as out:
            await out.send("update", [[1, 2]], rows=3)
            await out.send("next", [[1]])
    assert server.told == ["update begun", "update ended"], "nothing is sent after it"


async def test_an_error_of_the_last_statement_is_raised_at_the_end_of_the_block() -> None:
    server = Server()
    with pytest.raises(ValueError, match="refuses"):
        async with writes(server) as out:
            await out.send("fail", [[1]])


async def test_an_error_in_the_block_waits_for_the_statement_that_runs() -> None:
    server = Server()
    with pytest.raises(KeyError):
        async with writes(server) as out:
            await out.send("one", [[1]])
            raise KeyError("ours")
    assert server.told[-1] == "one ended", "the session is free again, to be rolled back"
