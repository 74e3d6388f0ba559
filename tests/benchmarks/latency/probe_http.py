"""The HTTP probe: sampled events, each asked for by its sender until GET shows it. `python -m ...probe_http TASK`.

What it cannot tell apart is said: per event, the time between its last look that missed and the answer that showed it.
"""

import asyncio
import time
from typing import Any

import aiohttp
import msgspec

from tests.benchmarks.figures import spread
from tests.benchmarks.latency.schedule import HOP_STATUSES, Event
from tests.benchmarks.latency.talk import Task, Wait, serve, until

FIRST_LOOK_S = 0.004
LOOK_AGAIN_S = 0.004
SLOWER = 10  # a late event is asked for less often: its probe must not become the load
GIVE_UP_S = 30.0


async def run(task: Task, ready: Wait) -> dict[str, Any]:
    """Ask for all; seconds from due to shown."""
    sampled = [event for event in task.events if event.sampled]
    seconds: list[float] = []
    blurs: list[float] = []
    looks = 0
    async with aiohttp.ClientSession(task.url) as http:

        async def shows(event: Event) -> bool:
            nonlocal looks
            looks += 1
            bearer = {"Authorization": f"Bearer {task.tokens[event.sender]}"}
            async with http.get(f"/v1/referrals/{event.referral}", headers=bearer) as answer:
                body = await answer.read()
                return answer.status == 200 and shown(event, msgspec.json.decode(body))

        async def probe(event: Event, start: float) -> None:
            due = start + event.due
            missed, look = due, due + FIRST_LOOK_S
            while look < due + GIVE_UP_S:
                await until(look)
                asked = time.monotonic()
                if await shows(event):
                    found = time.monotonic()
                    seconds.append(found - due)
                    blurs.append(found - missed)
                    return
                missed = asked
                look = time.monotonic() + max(LOOK_AGAIN_S, (asked - due) / SLOWER)

        await asyncio.gather(*(shows(event) for event in task.warm))
        looks = 0
        start = await ready()
        await asyncio.gather(*(probe(event, start) for event in sampled))
    unseen = len(sampled) - len(seconds)
    return {"visible": spread(seconds), "blur": spread(blurs), "looks": looks, "unseen": unseen}


def shown(event: Event, body: dict[str, Any]) -> bool:
    """Whether the referral as its sender sees it holds what the event said."""
    if event.kind == "submit":
        return int(body["version"]) > 0
    return any(hop["status"] in HOP_STATUSES[event.kind] for hop in body["hops"])


if __name__ == "__main__":
    serve(run)
