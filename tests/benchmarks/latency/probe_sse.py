"""The stream's probe: every sender subscribed once, every event timed when its fact arrives.

`python -m tests.benchmarks.latency.probe_sse TASK`.
"""

import asyncio
import contextlib
import time
from typing import Any
from uuid import UUID

import aiohttp
from msgspec import Struct, json

from tests.benchmarks.figures import spread
from tests.benchmarks.latency.schedule import SENDERS, SHOWN_BY
from tests.benchmarks.latency.talk import Task, Wait, serve

GIVE_UP_S = 20.0


class Change(Struct):
    """What the stream says of a fact; of other events nothing."""

    id: UUID | None = None
    type: str = ""


CHANGE = json.Decoder(Change)


class Watching:
    """What is expected, and when it came."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.due = {(e.referral, SHOWN_BY[e.kind]): e.due for e in task.events}
        self.start = 0.0
        self.seconds: list[float] = []
        self.facts = self.opened = 0
        self.done = asyncio.Event()

    def took(self, data: bytes, now: float) -> None:
        """One event of a stream."""
        change = CHANGE.decode(data)
        self.facts += change.id is not None
        if change.id is not None and (due := self.due.pop((change.id, change.type), None)) is not None:
            self.seconds.append(now - self.start - due)
            if not self.due:
                self.done.set()

    async def subscribe(self, http: aiohttp.ClientSession, sender: str, opened: asyncio.Event) -> None:
        """One sender's stream; opened anew, where it ended, when the server closes it."""
        last = ""
        while True:
            headers = {"Authorization": f"Bearer {self.task.tokens[sender]}"}
            headers |= {"Last-Event-ID": last} if last else {}
            self.opened += 1
            async with http.get("/v1/events/stream", headers=headers) as answer:
                assert answer.status == 200, await answer.text()
                async for line in answer.content:
                    if line.startswith(b"data: "):
                        self.took(line[6:], time.monotonic())
                    elif line.startswith(b"id: "):
                        last = line[4:].strip().decode()
                        opened.set()


async def run(task: Task, ready: Wait) -> dict[str, Any]:
    """Listen to all; seconds from due to arrived."""
    watching = Watching(task)
    patient = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(task.url, timeout=patient, read_bufsize=2**20) as http:
        opened = [asyncio.Event() for _ in SENDERS]
        tasks = [
            asyncio.create_task(watching.subscribe(http, sender, event))
            for sender, event in zip(SENDERS, opened, strict=True)
        ]
        await asyncio.gather(*(event.wait() for event in opened))
        watching.start = await ready()
        last = watching.start + task.events[-1].due + GIVE_UP_S - time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(last):
                await watching.done.wait()
        for one in tasks:
            one.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(e, asyncio.CancelledError) for e in ended), ended
    return {
        "visible": spread(watching.seconds),
        "unseen": len(watching.due),
        "facts": watching.facts,
        "reopened": watching.opened - len(SENDERS),
    }


if __name__ == "__main__":
    serve(run)
