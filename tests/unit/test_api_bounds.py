"""The API's bounds in memory: requests at once, callers over their quota, open streams."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from api import middleware
from api.limits import MAX_KEYS, Refused
from api.middleware import MAX_AT_ONCE, Frame
from api.problems import Problem
from api.streams import MAX_PER_USER, MAX_STREAMS, Streams


def scope(path: str) -> Scope:
    return {"type": "http", "path": path, "method": "GET", "headers": [], "query_string": b""}


async def nothing() -> Message:
    return {"type": "http.request"}


async def asked(frame: Frame, path: str) -> int:
    """The status of a request."""
    found: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    await frame(scope(path), nothing, send)
    return found[0]


async def test_so_many_requests_are_answered_at_once_and_probes_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(middleware, "WAIT_S", 0.01)
    going, most, leave = 0, 0, asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal going, most
        if scope["path"] != "/livez":
            going += 1
            most = max(most, going)
            await leave.wait()
            going -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    frame = Frame(app)
    held = [asyncio.create_task(asked(frame, "/v1/me")) for _ in range(MAX_AT_ONCE)]
    await asyncio.sleep(0)
    assert await asked(frame, "/v1/me") == 503
    assert await asked(frame, "/livez") == 200
    leave.set()
    assert set(await asyncio.gather(*held)) == {200}
    assert await asked(frame, "/v1/me") == 200
    assert most == MAX_AT_ONCE


def test_a_caller_over_its_quota_is_refused_until_there_is_a_token() -> None:
    now = 0.0
    refused = Refused(lambda: now)
    refused.note(b"mine", 0.5)
    with pytest.raises(Problem) as raised:
        refused.check(b"mine")
    assert (raised.value.status, raised.value.headers["Retry-After"]) == (429, "1")
    refused.check(b"another's")
    now = 0.5
    refused.check(b"mine")


def test_refused_callers_are_not_remembered_without_end() -> None:
    refused = Refused(lambda: 0.0)
    for number in range(MAX_KEYS + 1):
        refused.note(str(number).encode(), 9.0)
    refused.check(b"0")
    with pytest.raises(Problem):
        refused.check(str(MAX_KEYS).encode())


def test_streams_are_bounded_for_each_user_and_for_all() -> None:
    streams = Streams()
    for _ in range(MAX_PER_USER):
        streams.enter("one")
    with pytest.raises(Problem):
        streams.enter("one")
    streams.leave("one")
    streams.enter("one")
    for number in range(MAX_STREAMS - MAX_PER_USER):
        streams.enter(f"other-{number}")
    with pytest.raises(Problem) as raised:
        streams.enter("last")
    assert raised.value.status == 429
